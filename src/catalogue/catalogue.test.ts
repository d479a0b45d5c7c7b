import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { countTrainable, parametersOfGraph } from '../nn/network';
import { valueAt } from '../optim/schedule';
import { byNotebook, catalogue, findExperiment } from './catalogue';
import type { Hyperparameters } from './coordinate-search';
import type { Experiment, Notebook } from './experiment';
import { changesBetween } from './differences';
import { networkOf } from './network';
import { scaled } from './scale';
import { speedrunAblations } from './speedrun-ablations';
import { speedrunSteps } from './speedrun-steps';

const experiments = [...catalogue.values()];

interface Row {
  readonly cell: number;
  readonly trainings: number;
}

/** The contents of the study, copied from its notebooks and posts; `source` names them. */
const study = JSON.parse(
  readFileSync(join(__dirname, '../../test/fixtures/study.json'), 'utf8'),
) as {
  readonly notebooks: Readonly<Record<string, readonly Row[]>> & {
    readonly experiments: readonly (Row & {
      readonly cutout: number;
      readonly batchSize: number;
      readonly knots: readonly number[];
      readonly vals: readonly number[];
      readonly accPercent: number;
      readonly timeSec: number;
    })[];
  };
  readonly scripts: readonly string[];
  readonly search: { readonly networks: number; readonly epochs: readonly number[] };
  readonly hyperparameters: {
    readonly runs: number;
    readonly table: readonly (Hyperparameters & {
      readonly run: number;
      readonly product: number;
      readonly accPercent: number;
    })[];
  };
  readonly convergence: readonly {
    readonly study: string;
    readonly epochs: number;
    readonly accPercent: number;
    readonly ttaAccPercent: number;
    readonly timeSec: number;
  }[];
};

const cutoutOf = ({ data }: Experiment): number =>
  data.transforms.reduce((size, part) => (part.kind === 'cutout' ? part.height : size), 0);

describe('the catalogue', () => {
  test('holds every training of every notebook, cell by cell, each under its own name', () => {
    for (const [notebook, rows] of Object.entries(study.notebooks)) {
      const expected = rows.flatMap(({ cell, trainings }) => Array<number>(trainings).fill(cell));
      const found = byNotebook().get(notebook as Notebook);
      expect({ notebook, cells: found?.map(({ cell }) => cell) }).toEqual({
        notebook,
        cells: expected,
      });
    }
    const names = new Set([...byNotebook().values()].flat().map(({ name }) => name));
    expect(names.size).toBe(catalogue.size);
    for (const [name, experiment] of catalogue) expect(experiment.name).toBe(name);
  });

  test('only experiments of notebooks have a cell; the name starts with the post', () => {
    for (const { name, notebook, cell, post } of experiments.filter(({ post }) => post <= 8)) {
      const isShown = notebook !== 'posts' && notebook !== 'scripts';
      expect({ name, has: cell !== undefined }).toEqual({ name, has: isShown });
      expect(name.startsWith(`post${post}-`) || ['demo', 'dawn', 'new-dawn'].includes(name)).toBe(
        true,
      );
    }
  });

  test('has the settings and figures of the cells of posts 1 to 4', () => {
    const found = byNotebook().get('experiments') ?? [];
    for (const [index, expected] of study.notebooks.experiments.entries()) {
      const experiment = found[index];
      const { knots, vals } = experiment.optim.lr;
      expect([cutoutOf(experiment), experiment.data.batchSize, knots, vals]).toEqual([
        expected.cutout,
        expected.batchSize,
        expected.knots,
        expected.vals,
      ]);
      expect(experiment.run.epochs).toBe(expected.knots.at(-1));
      expect(experiment.data.dropLast).toBe(false);
      // If the post gives a median of several runs, the catalogue has it instead of the one run in the notebook.
      const { accPercent = NaN, timeSec = NaN, runs } = experiment.published ?? {};
      const near = runs === 1 ? 0 : 0.2;
      expect(Math.abs(accPercent - expected.accPercent)).toBeLessThanOrEqual(near);
      expect(Math.abs(timeSec - expected.timeSec)).toBeLessThanOrEqual(runs === 1 ? 0 : 0.5);
    }
  });

  test('holds both scripts, with the settings of demo and of the last step of post 8', () => {
    expect(
      byNotebook()
        .get('scripts')
        ?.map(({ name }) => name),
    ).toEqual(study.scripts);
    const [dawn, newDawn] = study.scripts.map(findExperiment);
    const final = findExperiment('post8-final');
    const trained = ['loss', 'data', 'optim', 'run'] as const;
    for (const key of ['net', ...trained] as const) {
      expect(dawn[key]).toEqual(findExperiment('demo')[key]);
    }
    for (const key of trained) expect(newDawn[key]).toEqual(final[key]);
    expect(countTrainable(networkOf(newDawn))).toBe(countTrainable(networkOf(final)));
  });

  test('holds the search of post 4: every network once per number of epochs', () => {
    const found = experiments.filter(({ name }) => name.startsWith('post4-search-'));
    const { networks, epochs } = study.search;
    expect(new Set(found.map(({ net }) => JSON.stringify(net))).size).toBe(networks);
    expect(found).toHaveLength(networks * epochs.length);
    for (const { net, run, optim } of found) {
      expect(net.model === 'resnet9' && net.extraLayers.length * net.resLayers.length).toBe(0);
      expect(epochs).toContain(run.epochs);
      expect(optim.lr.knots.at(-1)).toBe(run.epochs);
    }
    expect(networkOf(findExperiment('post4-search-plain-20'))).toEqual(
      networkOf(findExperiment('post4-scales')),
    );
    expect(networkOf(findExperiment('post4-search-extra-123-20'))).toEqual(
      networkOf(findExperiment('post4-extra-layers')),
    );
    expect(networkOf(findExperiment('post4-search-res-13-22'))).toEqual(
      networkOf(findExperiment('demo')),
    );
  });

  test('holds the search of post 5: its rule gives the settings of the table after the same number of runs', () => {
    const found = experiments.filter(({ post }) => post === 5);
    expect(found).toHaveLength(1 + study.hyperparameters.runs);
    for (const { run, product, accPercent, ...expected } of study.hyperparameters.table) {
      // A row of the table is the best setting after that many runs.
      const done = found.slice(0, run + 1);
      const accuracies = done.map(({ published }) => published?.accPercent ?? 0);
      const best = done[accuracies.indexOf(Math.max(...accuracies))];
      const { momentum, weightDecay } = best.optim;
      const lr = Math.max(...best.optim.lr.vals);
      expect({ lr, momentum, weightDecay }).toEqual(expected);
      expect(best.published?.accPercent).toBe(accPercent);
      expect((lr * weightDecay) / (1 - momentum)).toBeCloseTo(product, 12);
    }
  });

  test('holds the study of convergence: two recipes at five lengths', () => {
    for (const { study: name, epochs, ...published } of study.convergence) {
      const experiment = findExperiment(`post8-converge-${name}-${epochs}`);
      expect(experiment.published).toMatchObject({ ...published, runs: 5 });
      expect(experiment.run).toEqual({ epochs, tta: false, finalTta: true });
      expect(cutoutOf(experiment)).toBe(12);
      const end = name === 'final' ? 0.04 : 0;
      expect(valueAt(experiment.optim.lr, epochs)).toBe(end);
      expect(Math.max(...experiment.optim.lr.vals)).toBe(0.4);
    }
    expect(findExperiment('post8-converge-final-40').optim.lr).toEqual({
      knots: [0, 8, 38],
      vals: [0, 0.4, 0.04],
    });
    expect(findExperiment('post8-converge-final-40').net).toEqual(
      findExperiment('post8-final').net,
    );
  });

  test('has the settings of post 7', () => {
    const { lr, rule, weightDecay } = findExperiment('post7-stress-norm').optim;
    expect({ rule, weightDecay }).toEqual({ rule: 'nesterov-b', weightDecay: 1e-4 });
    // The learning rates of its table, at the ends of epochs 1, 10, 12 and 25.
    for (const [epoch, rate] of [
      [1, 0.0071],
      [10, 0.16],
      [12, 0.32],
      [25, 29],
    ] as const) {
      expect(valueAt(lr, epoch) / rate).toBeCloseTo(1, 2);
    }
    const [before, none, after] = ['post7-norm', 'post7-no-norm', 'post7-norm-after'].map(
      findExperiment,
    );
    for (const experiment of [before, none, after]) {
      expect(experiment.run.epochs).toBe(10);
      expect(experiment.optim.lr.knots).toEqual([0, 4, 20]);
      expect(experiment.loss).toEqual({ xentWeight: 1, klWeight: 0.5 });
    }
    expect([before, none, after].map(({ optim }) => Math.max(...optim.lr.vals))).toEqual([
      5, 0.2, 5,
    ]);
    expect(networkOf(none).get('layer1/norm')?.layer?.kind).toBe('identity');
    expect(networkOf(after).get('layer1/norm')?.inputs).toEqual(['layer1/act']);
    expect(networkOf(before).get('layer1/act')?.layer).toEqual({
      kind: 'softplus',
      beta: 10,
      threshold: 2.5,
    });
  });

  test('gives LARS the learning rate at which SGD is in equilibrium', () => {
    const { optim, data } = findExperiment('post6-lars');
    const [group] = optim.groups;
    // lr, momentum and decay of demo are 0.4, 0.9 and 5e-4; sqrt(2 * 0.4 * 5e-4 * 0.1) = 0.00632.
    expect((group.lrFactor * 0.4) / data.batchSize).toBeCloseTo(0.0063246, 7);
    const kernels = parametersOfGraph(networkOf(findExperiment('post6-lars')))
      .filter(({ path }) => path.includes(group.includes))
      .map(({ parameter }) => parameter.shape.length);
    expect(kernels).toEqual(Array(8).fill(4));
  });

  // Parameter counts of the study's networks, by experiment.
  test.each([
    ['demo', 6_573_120],
    ['post1-baseline', 5_205_834],
    ['post4-backbone', 115_786],
    ['post4-no-repeat', 114_762],
    ['post4-conv-3x3', 966_730],
    ['post4-max-pool', 966_730],
    ['post4-global-max-pool', 1_557_066],
    ['post4-scales', 1_557_056],
    ['post4-double-width', 6_210_688],
    ['post4-extra-layers', 4_655_424],
    ['post8-baseline', 6_573_120],
    ['post8-bias-64-17', 6_570_880],
    ['post7-norm', 4_651_712],
    ['new-dawn', 6_570_880],
  ])('%s has %i trainable parameters', (name, count) => {
    expect(countTrainable(networkOf(findExperiment(name)))).toBe(count);
  });

  test('post8-final has exactly the settings of the recipe of ten epochs', () => {
    const { net, loss, data, optim, run } = findExperiment('post8-final');
    expect(net).toMatchObject({ splits: 16, isScaleFrozen: true, celuAlpha: 0.3, weight: 1 / 16 });
    expect(loss).toEqual({ smoothing: 0.2 });
    expect(data.transforms.map(({ kind }) => kind)).toEqual(['crop', 'flip-lr']);
    expect(data).toMatchObject({ scheme: 'groups', maxOptions: 200, batchSize: 512 });
    expect(optim.groups).toEqual([{ includes: 'bias', lrFactor: 64, weightDecayFactor: 1 / 64 }]);
    expect([0, 2, 8, 10].map((epoch) => valueAt(optim.lr, epoch))).toEqual([0, 1, 0.1, 0.1]);
    expect(optim.ema).toEqual({ momentum: 0.99, updateFreq: 5 });
    expect(run).toEqual({ epochs: 10, tta: true });
  });

  test('a step of post 8 keeps the settings of the previous step that it does not change', () => {
    const before = findExperiment('post8-smoothing-25');
    const after = findExperiment('post8-smoothing-23');
    expect(after.net).toEqual(before.net);
    expect(after.loss).toEqual(before.loss);
    expect(after.optim.lr.knots).toEqual([0, 4.6, 23]);
  });

  test('experiments after the posts belong to the notebook speedrun and have no cell', () => {
    const after = experiments.filter(({ post }) => post > 8);
    expect(after.length).toBeGreaterThan(0);
    expect(new Set(after.map(({ post, notebook, cell }) => `${post} ${notebook} ${cell}`))).toEqual(
      new Set(['9 speedrun undefined']),
    );
  });

  test('leads from the last step of post 8 to fastest, each step a change of the previous one', () => {
    expect(speedrunSteps[0]).toBe(findExperiment('post8-final'));
    expect(speedrunSteps.at(-1)).toBe(findExperiment('fastest'));
    const paths = speedrunSteps
      .slice(1)
      .map((step, index) => changesBetween(speedrunSteps[index], step).map(({ path }) => path));
    expect(paths.every((changed) => changed.length > 0)).toBe(true);
    const single = speedrunSteps.slice(1).flatMap(({ name }, index) => {
      const [path, ...rest] = paths[index];
      return rest.length === 0 ? [[name, path]] : [];
    });
    expect(single).toEqual([
      ['speedrun-whitening', 'net.whiteningImages'],
      ['speedrun-dirac', 'net.init'],
      ['speedrun-biases', 'optim.groups'],
      ['speedrun-views', 'run.tta'],
      ['speedrun-alternating', 'data.transforms'],
      ['speedrun-unsure', 'run.tta'],
      ['speedrun-silu', 'net.act'],
      ['fastest', 'data.sizes'],
    ]);
  });

  test('each ablation changes one thing about the step before fastest', () => {
    const base = findExperiment('speedrun-batch-1024');
    const changes = speedrunAblations.map((ablation) => {
      const found = changesBetween(base, ablation).map(({ path }) => path);
      return [ablation.name.replace('speedrun-', ''), found.join(' ')];
    });
    expect(Object.fromEntries(changes)).toEqual({
      'without-muon': 'optim.groups',
      'without-whitening': 'net.whiteningImages',
      'without-dirac': 'net.init',
      'without-biases': 'optim.groups',
      'without-alternating': 'data.transforms',
      'without-average': 'optim.lookahead.decay optim.lookahead.every optim.lookahead.from',
      'without-sizes': 'data.sizes',
      'without-jitter': 'data.jitter.brightness data.jitter.contrast',
      'without-smoothing': 'loss.smoothing',
      'with-cutout': 'data.transforms',
      'two-iterations': 'optim.groups',
      'five-iterations': 'optim.groups',
    });
  });

  test('has the published learning rates and weight decay of airbench94 before Muon', () => {
    const { optim, data } = findExperiment('speedrun-biases');
    // Published lr 11.5 and wd 0.0153, decoupled; for the summed loss both are divided by 1024 (1 + 1 / (1 - 0.85)).
    const k = 1024 * (1 + 1 / (1 - 0.85));
    const peak = Math.max(...optim.lr.vals) / data.batchSize;
    expect(peak).toBeCloseTo(11.5 / k, 12);
    expect(peak * optim.weightDecay * data.batchSize).toBeCloseTo((0.0153 * 1024) / k, 12);
    for (const [share, rate] of [
      [0, 0.3],
      [0.23, 1.5],
      [1, 0.105],
    ]) {
      expect(valueAt(optim.lr, share * 9.9)).toBeCloseTo(rate, 12);
    }
    const [, norms] = optim.groups;
    expect(norms).toEqual({ includes: 'bias', lrFactor: 64, weightDecayFactor: 1 / 64 });
  });

  test('names the nearest experiment', () => {
    expect(() => findExperiment('post8-fnial')).toThrow(/Nearest: "post8-final"/);
  });
});

describe('scales', () => {
  test('pocket has all images, a quarter of the width, a sixth of the epochs and the shape of the schedule', () => {
    for (const experiment of experiments) {
      const pocket = scaled(experiment, 'pocket');
      const { sizes = [], ...data } = experiment.data;
      expect(pocket.data).toMatchObject(data);
      for (const [index, { from, size }] of sizes.entries()) {
        const share = from / experiment.run.epochs;
        expect(pocket.data.sizes?.[index]).toEqual({ from: share * pocket.run.epochs, size });
      }
      expect(pocket.run.epochs).toBe(Math.max(1, Math.round(experiment.run.epochs / 6)));
      expect(Object.values(pocket.net.channels)).toEqual(
        Object.values(experiment.net.channels).map((width: number) => width / 4),
      );
      for (const share of [0.1, 0.5, 0.9, 1]) {
        expect(valueAt(pocket.optim.lr, share * pocket.run.epochs)).toBeCloseTo(
          valueAt(experiment.optim.lr, share * experiment.run.epochs),
          12,
        );
      }
    }
  });

  test('the average of the weights forgets the same share of the start at every scale', () => {
    const averaged = experiments.filter(({ optim }) => optim.ema !== undefined);
    expect(averaged.length).toBeGreaterThan(0);
    const kept = ({ optim, run }: Experiment): number =>
      (optim.ema?.momentum ?? Number.NaN) ** (run.epochs * 97);
    for (const experiment of averaged) {
      const pocket = scaled(experiment, 'pocket');
      expect(kept(pocket) / kept(experiment)).toBeCloseTo(1, 9);
      expect(pocket.optim.ema?.updateFreq).toBe(experiment.optim.ema?.updateFreq);
    }
  });

  test('smoke reduces images, batches, epochs and widths; full changes nothing', () => {
    for (const experiment of experiments) {
      const smoke = scaled(experiment, 'smoke');
      expect(smoke.data.subset).toEqual({ train: 256, valid: 128 });
      expect(smoke.data.batchSize).toBe(64);
      expect(smoke.run.epochs).toBe(2);
      expect(countTrainable(networkOf(smoke))).toBeLessThan(
        countTrainable(networkOf(experiment)) / 50,
      );
      expect(scaled(experiment, 'full')).toBe(experiment);
    }
  });
});
