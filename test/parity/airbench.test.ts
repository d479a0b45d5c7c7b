import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { gatherTables } from '../../src/augment/gather';
import { crop } from '../../src/augment/crop';
import { flipLR } from '../../src/augment/flip';
import { filled } from '../../src/base/host-tensor';
import type { HostTensor } from '../../src/base/host-tensor';
import { createRng } from '../../src/base/rng';
import type { Experiment, OptimConfig } from '../../src/catalogue/experiment';
import { lossOf, networkOf } from '../../src/catalogue/network';
import { stretchData, stretchOptim } from '../../src/catalogue/scale';
import { speedrunExperiments } from '../../src/catalogue/speedrun';
import { normalise } from '../../src/data/normalise';
import { readSafetensors } from '../../src/data/safetensors';
import type { Run, Session } from '../../src/engine/step';
import { initNetwork, pathsByRole } from '../../src/nn/network';
import type { HostVariables } from '../../src/nn/network';
import { whitenInput, whitening } from '../../src/nn/whiten';
import { lookaheadAction, updateLookahead } from '../../src/optim/lookahead';
import type { Lookahead } from '../../src/optim/lookahead';
import { hyperSchedule } from '../../src/optim/hyper';
import { initVelocity } from '../../src/optim/optimiser';
import { piecewiseLinear } from '../../src/optim/schedule';
import { residentSplit, residentTables } from '../../src/train/batches';
import type { StepFeed } from '../../src/train/calls';
import { createStages } from '../../src/train/stages';
import type { Stage } from '../../src/train/stages';
import { emptyTotals } from '../../src/train/steps';
import type { FoldStep, Model } from '../../src/train/steps';
import { viewedLogits } from '../../src/train/test-time';
import { trainStepOf } from '../../src/train/trainer-steps';
import type { TrainingState } from '../../src/train/training';
import { expectClose } from '../expect-close';
import type { Numbers } from '../expect-close';
import { engines } from './engine';
import type { Engine } from './engine';

/**
 * Runs five steps of each airbench recipe with the library's own steps and the catalogue's numbers, and compares them with
 * the fixture, for which `make.py` evaluated the published formulas in float64.
 */
const folder = join(__dirname, '../fixtures/airbench');

interface Plan {
  readonly order: readonly number[];
  readonly crop_y: readonly number[];
  readonly crop_x: readonly number[];
  readonly flip: readonly number[];
  readonly shift?: readonly number[];
  readonly scale?: readonly number[];
}

interface Recipe {
  /** Factor on the recipe's epochs; a step is an epoch. */
  readonly time: number;
  readonly plans: readonly Plan[];
  readonly lookahead?: { readonly every: number; readonly from_step: number };
  readonly muon: {
    readonly rescale: 'every-step' | { readonly first: number; readonly growth: number };
  };
}

const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as {
  readonly widths: readonly [number, number, number];
  readonly batch: number;
  readonly recipes: Readonly<Record<string, Recipe>>;
};
const { tensors } = readSafetensors(join(folder, 'golden.safetensors'));

function stored(name: string): Numbers {
  const found = tensors.get(name);
  if (found === undefined || found.dtype === 'I64') {
    throw new Error(`airbench: the fixture has no numbers "${name}".`);
  }
  return found;
}

/** Tensors of the fixture below a prefix, by the rest of their names. */
function storedUnder(prefix: string): Record<string, HostTensor> {
  const names = [...tensors.keys()].filter((name) => name.startsWith(`${prefix}/`));
  return Object.fromEntries(
    names.map((name) => {
      const { shape, data } = stored(name);
      return [name.slice(prefix.length + 1), { shape, data: Float32Array.from(data) }];
    }),
  );
}

/** The constants of the published scripts, which differ from the library's in the fifth digit. */
const images = normalise(Uint8Array.from(stored('images').data), {
  mean: [0.4914 * 255, 0.4822 * 255, 0.4465 * 255],
  std: [0.247 * 255, 0.2435 * 255, 0.2616 * 255],
});
const labels = stored('labels').data;
const views = 12;

/**
 * The catalogue's optimiser, adapted to the fixture's batch size, length and weight decay. Learning rates of the mean loss
 * scale with the batch size; Muon's do not.
 */
function optimOf({ optim, data }: Experiment, recipe: Recipe): OptimConfig {
  const share = golden.batch / data.batchSize;
  const { groups, lr, weightDecay, lookahead, ...rest } = stretchOptim(optim, recipe.time);
  const scaledBy = ({ knots, vals }: OptimConfig['lr']): OptimConfig['lr'] =>
    piecewiseLinear(
      knots,
      vals.map((val) => val * share),
    );
  return {
    ...rest,
    lr: scaledBy(lr),
    weightDecay: 100 * weightDecay,
    groups: groups.map((group) => ({
      ...group,
      ...(group.lr === undefined || group.rule === 'muon' ? {} : { lr: scaledBy(group.lr) }),
      ...(group.muon === undefined
        ? {}
        : { muon: { ...group.muon, rescale: recipe.muon.rescale } }),
    })),
    ...(lookahead === undefined || recipe.lookahead === undefined
      ? {}
      : {
          lookahead: {
            ...lookahead,
            every: recipe.lookahead.every,
            from: recipe.lookahead.from_step,
          },
        }),
  };
}

/** Stores a step's outcome and gradients in the state, from where the test reads them. */
const remember: FoldStep = ({ extra, outcome, gradients = {} }) => ({
  extra: {
    ...extra,
    ...(outcome === undefined ? {} : { logits: outcome.logits, loss: outcome.loss }),
    ...Object.fromEntries(
      Object.entries(gradients).map(([path, value]) => [`gradient/${path}`, value]),
    ),
  },
});

/** The state before the first step; a nudge above 0 multiplies every initial value by 1 + e, |e| up to 2^-23. */
function stateOf(
  name: string,
  { graph }: Model,
  hasAverage: boolean,
  nudge: number,
): TrainingState {
  const rng = createRng(nudge, 'nudge');
  const moved = (x: number): number => x * (1 + (2 * rng.uniform() - 1) * 2 ** -23);
  const start = Object.entries(storedUnder(`${name}/start`)).map(
    ([path, { shape, data }]) =>
      [path, { shape, data: nudge === 0 ? data : Float32Array.from(data, moved) }] as const,
  );
  const network: HostVariables = {
    // The scales of norms, which are not trained, are not in the fixture.
    ...initNetwork(graph, createRng(1)),
    ...Object.fromEntries(start),
  };
  const learning = Object.fromEntries(
    pathsByRole(graph, 'trainable').map((path) => [path, network[path]]),
  );
  const split = residentSplit(images, labels, 3);
  return {
    network,
    velocity: initVelocity(learning),
    ema: hasAverage ? network : {},
    totals: emptyTotals(),
    extra: {
      logits: filled([golden.batch, 10], 0),
      loss: filled([golden.batch], 0),
      ...Object.fromEntries(
        Object.entries(learning).map(([path, value]) => [`gradient/${path}`, value]),
      ),
    },
    train: split,
    valid: split,
    tables: residentTables(gatherTables([crop(32, 32), flipLR()], [32, 32], 2)),
    validTables: residentTables(gatherTables([], [32, 32], 0)),
  };
}

function batchOf(plan: Plan): StepFeed['batch'] {
  const int = (values: readonly number[]): Int32Array => Int32Array.from(values);
  const zeros = new Int32Array(golden.batch);
  return {
    order: int(plan.order),
    cropY: int(plan.crop_y),
    cropX: int(plan.crop_x),
    flip: int(plan.flip),
    boxY: zeros,
    boxX: zeros,
    ...(plan.shift === undefined || plan.scale === undefined
      ? {}
      : { shift: Float32Array.from(plan.shift), scale: Float32Array.from(plan.scale) }),
  };
}

/** Updates the lookahead average after a step, and with it the network. */
async function follow(
  session: Session<TrainingState>,
  lookahead: Lookahead | undefined,
  step: number,
): Promise<void> {
  if (lookahead === undefined) return;
  const action = lookaheadAction(lookahead, step, 1);
  if (action === 'nothing') return;
  const run = session.capture(
    `average after ${step}`,
    (state) => {
      if (action === 'start') return { state: { ema: { ...state.network } } };
      const slow = updateLookahead(lookahead, state.ema, state.network);
      return { state: { ema: slow, network: slow } };
    },
    {},
  );
  await run({});
}

/** All results of the library for a recipe, by the fixture's names. */
async function measured(
  experiment: Experiment,
  recipe: Recipe,
  engine: Engine,
  nudge: number,
): Promise<Map<string, Numbers>> {
  const { name, net, run } = experiment;
  if (net.model !== 'airbench') throw new Error(`airbench: ${name} has another network.`);
  const [block1, block2, block3] = golden.widths;
  const narrow: Experiment = {
    ...experiment,
    net: { ...net, channels: { block1, block2, block3 } },
  };
  const model: Model = { graph: networkOf(narrow), loss: lossOf(narrow) };
  const { transforms, pad, sizes = [] } = stretchData(experiment.data, recipe.time);
  const { rule, groups, lookahead, ...schedules } = optimOf(experiment, recipe);
  const optimiser = { rule, groups };
  const trainable = pathsByRole(model.graph, 'trainable');
  const stageAt = createStages({ optimiser, sizes, trainable, stepsPerEpoch: 1 });
  const steps = recipe.plans.length;
  const counts = { batchSize: golden.batch, stepsPerEpoch: 1, steps };
  const hyperAt = hyperSchedule({ ...optimiser, ...schedules }, counts);
  const tables = gatherTables(transforms, [32, 32], pad);
  const session = engine.open<TrainingState>(stateOf(name, model, lookahead !== undefined, nudge));
  const training = { model, optimiser, extraSteps: [remember] };
  const captured = new Map<Stage, Run<StepFeed, Record<string, never>>>();
  const found = new Map<string, Numbers>();
  const keep = (prefix: string, values: HostVariables): void => {
    for (const [path, value] of Object.entries(values)) {
      found.set(`${name}/${prefix}/${path}`, value);
    }
  };
  try {
    for (const [index, plan] of recipe.plans.entries()) {
      const step = index + 1;
      const feed: StepFeed = { batch: batchOf(plan), hyper: hyperAt(step), step };
      const stage = stageAt(step);
      const train =
        captured.get(stage) ??
        session.capture(`train ${stage.key}`, trainStepOf(training, tables, stage), feed);
      captured.set(stage, train);
      await train(feed);
      await follow(session, lookahead, step);
      const now = await session.read('network', 'extra', 'velocity');
      keep(`step${step}`, now.extra);
      keep(`step${step}/network`, now.network);
      if (step === steps) keep('velocity', now.velocity);
    }
    const look = session.capture(
      'views',
      (state) => {
        const input = state.valid.pixels.reshape<tf.Tensor4D>([-1, 32, 32, 3]).slice(0, views);
        return { outputs: { logits: viewedLogits(model, state.network, input, run.tta) } };
      },
      {},
    );
    keep('views', await look({}));
  } finally {
    session.dispose();
  }
  return found;
}

const names = Object.keys(golden.recipes);

test('the fixture has every published recipe', () => {
  const published = speedrunExperiments.filter((each) => each.published !== undefined);
  expect(names).toEqual(published.map(({ name }) => name));
});

test.each(names)('%s starts from the whitening of its images', (name) => {
  const found = whitening(
    { shape: [64, 32, 32, 3], data: images },
    { size: 2, epsilon: 5e-4, hasBothSigns: true },
  );
  const path = 'whiten/conv/weight';
  const start = storedUnder(`${name}/start`);
  expectClose(path, whitenInput(start, found, 'whiten/conv')[path], start[path], 1e-5);
});

describe.each(engines.map((engine) => [engine.mode, engine] as const))('%s', (_, engine) => {
  test.each(names)('five steps of %s: logits, losses, gradients, weights, views', async (name) => {
    const experiment = speedrunExperiments.find((each) => each.name === name);
    if (experiment === undefined) throw new Error(`airbench: no experiment "${name}".`);
    const expected = [...tensors.keys()].filter(
      (key) => key.startsWith(`${name}/`) && !key.startsWith(`${name}/start/`),
    );
    expect(expected.length).toBeGreaterThan(100);
    // Two inputs of a max pool may differ by less than rounding. Muon amplifies such a tie, which the last bit of the initial
    // values decides; a fault persists. See networkSubject.
    let failure: unknown;
    for (let nudge = 0; nudge <= 8; nudge++) {
      const found = await measured(experiment, golden.recipes[name], engine, nudge);
      try {
        for (const key of expected) {
          const value = found.get(key);
          if (value === undefined) throw new Error(`${key}: the library has no such value.`);
          expectClose(key, value, stored(key));
        }
        return;
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  });
});
