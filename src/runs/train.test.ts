import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InterruptedError, RunError, TrainError } from '../base/errors';
import { createRng } from '../base/rng';
import { classes } from '../data/cifar10';
import type { Cifar10, Split } from '../data/cifar10';
import { piecewiseLinear } from '../optim/schedule';
import { readCheckpoint } from './checkpoint';
import type { EpochRow } from '../train/training';
import { findExperiment } from '../catalogue/catalogue';
import type { Experiment } from '../catalogue/experiment';
import { scaled } from '../catalogue/scale';
import type { FinishedRun } from './run';
import { runJson } from './run-file';
import { resumeRun, trainExperiment } from './train';
import type { ResumeOptions, TrainOptions } from './train';

/** What the tests change in `run.json`. */
type RunFile = FinishedRun & { readonly record: string };

const root = mkdtempSync(join(tmpdir(), 'cifar10-fast-train-'));
const long = 180_000;

function made(count: number): Split {
  const rng = createRng(count, 'images');
  return {
    images: Uint8Array.from({ length: count * 3072 }, () => rng.integer(256)),
    labels: Uint8Array.from({ length: count }, () => rng.integer(10)),
  };
}

const data: Cifar10 = { train: made(48), valid: made(32), classes, source: 'made here' };

/** Three epochs of three batches, and two of validation; everything that a session can hold is in use. */
const smoke = scaled(findExperiment('demo'), 'smoke');
const small: Experiment = {
  ...smoke,
  data: { ...smoke.data, subset: { train: 48, valid: 32 }, batchSize: 16 },
  optim: { ...smoke.optim, ema: { momentum: 0.9, updateFreq: 2 } },
  run: { ...smoke.run, epochs: 3 },
};

/** Stops after so many batches, of training and of validation. */
function stopAfter(batches: number): Pick<TrainOptions, 'signal' | 'clock' | 'onProgress'> {
  let [now, told] = [0, 0];
  const controller = new AbortController();
  return {
    // It ticks when it is read, so that progress is told after each batch.
    clock: () => ++now,
    signal: controller.signal,
    onProgress: () => {
      told += 1;
      if (told === batches) controller.abort();
    },
  };
}

/** Rows without times, which no seed gives. */
const figures = (rows: readonly EpochRow[]): unknown[] =>
  rows.map(({ epoch, lr, train, valid }) => {
    return [epoch, lr, train.loss, train.acc, valid.loss, valid.acc];
  });
const bits = ({ rows, state }: FinishedRun): unknown => ({ rows: figures(rows), state });
const path = (...names: string[]): string => join(root, ...names);
const fileOf = (folder: string): RunFile =>
  JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as RunFile;
const rowsOf = (folder: string): EpochRow[] =>
  readFileSync(join(folder, 'log.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as EpochRow);
const namesOf = (folder: string): string[] =>
  readdirSync(folder).map((name) => (name.startsWith('events.out.') ? 'events' : name));
/** How many events of a run's first and last tag are there, whatever file they are in. */
const eventsOf = (folder: string): number =>
  readdirSync(folder)
    .filter((name) => name.startsWith('events.out.'))
    .map((name) => readFileSync(join(folder, name), 'latin1').split('time/total').length - 1)
    .reduce((sum, count) => sum + count, 0);

let whole: FinishedRun;

beforeAll(async () => {
  whole = await trainExperiment(small, { data, seed: 3, logDir: path('whole') });
}, long);

afterAll(() => rmSync(root, { recursive: true }));

/** A run that was stopped after so many batches, and what it said. */
async function stopped(
  logDir: string,
  batches: number,
  more: Partial<TrainOptions> = {},
): Promise<{ readonly folder: string; readonly said: string }> {
  const options = { data, seed: 3, logDir: path(logDir), ...stopAfter(batches), ...more };
  const error = await trainExperiment(small, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InterruptedError);
  return { folder: path(logDir, 'demo-smoke-3'), said: (error as Error).message };
}

const resume = (folder: string, more: Partial<ResumeOptions> = {}): Promise<FinishedRun> =>
  resumeRun(folder, { data, ...more });

describe('a run that came to its end', () => {
  test('is in its folder: what was run, rows, the last checkpoints', () => {
    const folder = path('whole', 'demo-smoke-3');
    expect(whole.path).toBe(folder);
    expect(namesOf(folder).toSorted()).toEqual([
      'checkpoint-2.safetensors',
      'checkpoint-3.safetensors',
      'events',
      'log.jsonl',
      'logs.tsv',
      'net.svg',
      'run.json',
    ]);
    expect(rowsOf(folder)).toEqual(whole.rows);
    const { result, rows } = whole;
    expect(fileOf(folder)).toEqual(JSON.parse(runJson(whole)) as unknown);
    expect(whole).toMatchObject({
      name: 'demo',
      scale: 'smoke',
      seed: 3,
      mode: 'captured',
      experiment: small,
      dataSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(result).toMatchObject({ epochs: 3, accPercent: 100 * rows[2].valid.acc });
    const { load } = fileOf(folder);
    expect(load).toMatchObject({ cores: expect.any(Number) as number });
    expect(load?.cpuSec).toBeGreaterThan(0);
    expect(load?.wallSec).toBeGreaterThan(0);
    const { snapshot, rows: kept } = readCheckpoint(join(folder, 'checkpoint-3.safetensors'));
    expect(snapshot).toEqual({
      epoch: 3,
      totalSec: rows[2]['total time'],
      learnt: whole.state,
    });
    expect(kept).toEqual(rows);
    expect(eventsOf(folder)).toBe(3);
  });

  test('cannot be resumed', async () => {
    const folder = path('whole', 'demo-smoke-3');
    await expect(resume(folder)).rejects.toThrow(
      new RunError(
        `run: ${folder} is finished: 3 epochs, ${whole.result.accPercent.toFixed(2)} % test accuracy. ` +
          'Train it further with --epochs +N, or demo again with another seed.',
      ),
    );
  });

  test(
    'keeps nothing without a folder, and as many checkpoints as it is told to',
    async () => {
      const before = readdirSync(root);
      const run = await trainExperiment(small, { data, seed: 3 });
      expect(bits(run)).toEqual(bits(whole));
      expect(run).not.toHaveProperty('path');
      expect(readdirSync(root)).toEqual(before);
      const checkpointsOf = async (
        checkpoints: NonNullable<TrainOptions['checkpoints']>,
      ): Promise<string[]> => {
        const logDir = path('checkpoints');
        const run = await trainExperiment(small, { data, seed: 3, logDir, checkpoints });
        return readdirSync(run.path ?? '').filter((name) => name.startsWith('checkpoint'));
      };
      expect(await checkpointsOf('all')).toEqual(
        [1, 2, 3].map((epoch) => `checkpoint-${epoch}.safetensors`),
      );
      expect(await checkpointsOf(1)).toEqual(['checkpoint-3.safetensors']);
      expect(await checkpointsOf(0)).toEqual([]);
    },
    long,
  );
});

describe('a run that was stopped goes on to the same bits', () => {
  // Five batches an epoch: three of training, two of validation.
  test.each([
    [2, 'epoch 1, before step 3 of 3 (train)', ['checkpoint-0-2.safetensors']],
    [4, 'epoch 1, before step 2 of 2 (valid)', ['checkpoint-0-3.safetensors']],
    [5, 'epoch 2, before step 1 of 3 (train)', ['checkpoint-1.safetensors']],
    [
      11,
      'epoch 3, before step 2 of 3 (train)',
      ['checkpoint-2.safetensors', 'checkpoint-2-1.safetensors'],
    ],
  ])(
    'after %i batches: in %s',
    async (batches, where, checkpoints) => {
      const logDir = `stopped-${batches}`;
      const { folder, said } = await stopped(logDir, batches);
      expect(said).toBe(
        `train: stopped in ${where}. Everything trained so far is kept. ` +
          `Resume with: npx cifar10-fast train --resume ${folder}`,
      );
      const names = readdirSync(folder).filter((name) => name.startsWith('checkpoint'));
      expect(names.toSorted()).toEqual(checkpoints.toSorted());
      const before = existsSync(join(folder, 'log.jsonl')) ? rowsOf(folder) : [];
      const starts: unknown[] = [];
      const loadBefore = fileOf(folder).load;
      const run = await resume(folder, {
        onStart: ({ rows }) => void starts.push(rows),
        onNotice: (text) => expect(text).toBe(''),
      });
      expect(bits(run)).toEqual(bits(whole));
      expect(starts).toEqual([before]);
      expect(fileOf(folder).load?.wallSec).toBeGreaterThan(loadBefore?.wallSec ?? Infinity);
      expect(rowsOf(folder)).toEqual(run.rows);
      expect(run.rows.slice(0, before.length)).toEqual(before);
      // Seconds count on: the total is the sum of all epochs, those before among them.
      const seconds = run.rows.reduce((sum, { train }) => sum + train.time, 0);
      expect(run.rows[2]['total time']).toBeCloseTo(seconds, 6);
      expect(eventsOf(folder)).toBe(3);
      const { resumed, result, started } = fileOf(folder);
      expect(resumed).toEqual([
        {
          at: expect.any(String) as string,
          epoch: before.length,
          batches: batches === 5 ? 0 : Math.min(3, batches % 5),
        },
      ]);
      expect(result).toEqual(run.result);
      expect(started).toBe(run.started);
    },
    long,
  );

  test(
    'more than once, and kernel by kernel',
    async () => {
      const engine = { mode: 'eager' } as const;
      const eager = await trainExperiment(small, { data, seed: 3, engine });
      const { folder } = await stopped('eager', 2, { engine });
      await expect(resume(folder, stopAfter(4))).rejects.toThrow(/epoch 2, before step 2 of 3/);
      await expect(resume(folder, stopAfter(3))).rejects.toThrow(/epoch 2, before step 2 of 2/);
      const run = await resume(folder);
      expect(bits(run)).toEqual(bits(eager));
      expect(fileOf(folder).resumed).toMatchObject([
        { epoch: 0, batches: 2 },
        { epoch: 1, batches: 1 },
        { epoch: 1, batches: 3 },
      ]);
    },
    long,
  );

  test(
    'from the last checkpoint, where the logs say more',
    async () => {
      const { folder } = await stopped('behind', 11);
      for (const name of ['checkpoint-2', 'checkpoint-2-1']) {
        cpSync(join(folder, `${name}.safetensors`), path(`${name}.kept`));
        rmSync(join(folder, `${name}.safetensors`));
      }
      cpSync(folder, path('begun'), { recursive: true });
      // Nothing is left but the beginning: two epochs in the logs go.
      const anew = await resume(path('begun'), {
        onStart: ({ rows }) => {
          expect(rows).toEqual([]);
          expect(existsSync(path('begun', 'log.jsonl'))).toBe(false);
          expect(eventsOf(path('begun'))).toBe(0);
        },
      });
      expect(bits(anew)).toEqual(bits(whole));
      cpSync(path('checkpoint-2.kept'), join(folder, 'checkpoint-2.safetensors'));
      writeFileSync(join(folder, 'log.jsonl'), 'nonsense');
      expect(bits(await resume(folder))).toEqual(bits(whole));
      expect(eventsOf(folder)).toBe(3);
    },
    long,
  );

  test(
    'from the one before the last, where that is damaged',
    async () => {
      const { folder } = await stopped('damaged', 11);
      const file = join(folder, 'checkpoint-2-1.safetensors');
      const bytes = readFileSync(file);
      bytes[bytes.length - 100] ^= 4;
      writeFileSync(file, bytes);
      const notices: string[] = [];
      const run = await resume(folder, { onNotice: (text) => notices.push(text) });
      expect(notices).toEqual([
        'checkpoint-2-1.safetensors is damaged and renamed to checkpoint-2-1.safetensors.damaged: checkpoint: what it ' +
          'holds does not have the SHA-256 with which it was written. Take another one, or another copy. ' +
          'Resuming from checkpoint-2.safetensors.',
      ]);
      expect(bits(run)).toEqual(bits(whole));
      expect(readdirSync(folder)).toContain('checkpoint-2-1.safetensors.damaged');
    },
    long,
  );

  test(
    'after its last epoch, if only the result was missing',
    async () => {
      const folder = path('unsigned');
      cpSync(path('whole', 'demo-smoke-3'), folder, { recursive: true });
      const { result, ...file } = fileOf(folder);
      writeFileSync(join(folder, 'run.json'), JSON.stringify(file));
      const run = await resume(folder);
      const { resumed, load } = fileOf(folder);
      expect(run).toEqual({ ...whole, path: folder, resumed, load });
      expect(fileOf(folder).result).toEqual(result);
    },
    long,
  );
});

describe('resuming is refused', () => {
  let folder: string;

  beforeAll(async () => {
    ({ folder } = await stopped('refused', 5));
  }, long);

  /** A copy of the run with something in its `run.json` changed. */
  function changed(name: string, change: (file: RunFile) => unknown): string {
    const copy = path(name);
    cpSync(folder, copy, { recursive: true });
    writeFileSync(join(copy, 'run.json'), JSON.stringify(change(fileOf(copy))));
    return copy;
  }

  test('without a run', async () => {
    await expect(resume(path('none'))).rejects.toThrow(/none cannot be read: it is not there/);
    await expect(resume(root)).rejects.toThrow(
      `run: ${root} has no run.json. Train the experiment again.`,
    );
  });

  test.each([
    ['text', () => 'text', 'it is "text"; expected an object: a run.'],
    ['null', () => null, 'it is null; expected an object: a run.'],
    [
      'a seed that is a text',
      (file: RunFile) => ({ ...file, seed: '3' }),
      '"seed" is "3"; expected a whole number of at least 0.',
    ],
    [
      'an unknown model',
      (file: RunFile) => ({ ...file, experiment: { ...file.experiment, net: { model: 'x' } } }),
      '"experiment.net',
    ],
  ])('with %s in its run.json', async (what, change, fault) => {
    const copy = changed(what, change);
    await expect(resume(copy)).rejects.toThrow(`run: ${join(copy, 'run.json')}: ${fault}`);
  });

  test('with a run.json of a version that wrote less', async () => {
    const copy = changed('older', (file) => ({ ...file, environment: undefined }));
    await expect(resume(copy)).rejects.toThrow(
      `run: ${join(copy, 'run.json')} lacks "environment", which older versions did not write. Train the experiment again.`,
    );
  });

  test('with a run.json that was cut off', async () => {
    const copy = changed('cut', (file) => file);
    const text = readFileSync(join(copy, 'run.json'));
    writeFileSync(join(copy, 'run.json'), text.subarray(0, text.length / 2));
    await expect(resume(copy)).rejects.toThrow(/run\.json is not JSON/);
  });

  test('with the checkpoint of another run', async () => {
    const copy = changed('other', (file) => ({ ...file, seed: 4 }));
    const before = readdirSync(copy);
    await expect(resume(copy)).rejects.toThrow(
      `run: checkpoint-1.safetensors in ${copy} belongs to another run than run.json there. `,
    );
    expect(readdirSync(copy)).toEqual(before);
  });

  test('with no checkpoint that is whole', async () => {
    const copy = changed('broken', (file) => file);
    writeFileSync(join(copy, 'checkpoint-1.safetensors'), 'broken');
    await expect(resume(copy)).rejects.toThrow(/no checkpoint in .* is whole.*Remove them/);
  });

  test('with other data', async () => {
    const other = { ...data, valid: made(33) };
    await expect(resumeRun(folder, { data: other })).rejects.toThrow(
      /would not give a bit-identical result: the data is [0-9a-f]{64}, was [0-9a-f]{64}\. Undo that/,
    );
  });

  test(
    'twice at the same time',
    async () => {
      const copy = changed('twice', (file) => file);
      const both = await Promise.allSettled([resume(copy), resume(copy)]);
      const [lost, won] = both.toSorted((a, b) => (a.status > b.status ? -1 : 1));
      expect(lost).toMatchObject({
        reason: new RunError(
          `run: ${copy} is being trained by another process. Wait until it ends, or stop it.`,
        ),
      });
      expect(won.status).toBe('fulfilled');
    },
    long,
  );

  test(
    'on another machine, unless that is allowed, and then it is recorded',
    async () => {
      const copy = changed('elsewhere', (file) => ({
        ...file,
        versions: { ...file.versions, tensorflow: '2.9.1' },
        hardware: { ...file.hardware, cpu: 'Zuse Z3', cores: 99 },
        environment: { ...file.environment, ONEDNN_MAX_CPU_ISA: 'SSE41' },
      }));
      const differences = [
        `TensorFlow is ${whole.versions.tensorflow}, was 2.9.1`,
        `the processor is ${whole.hardware.cpu}, was Zuse Z3`,
        'ONEDNN_MAX_CPU_ISA is nothing, was SSE41',
      ];
      await expect(resume(copy)).rejects.toThrow(
        new RunError(
          `run: ${copy} would not give a bit-identical result: ${differences.join('; ')}. ` +
            'Undo that, or resume with --inexact, which run.json records.',
        ),
      );
      const run = await resume(copy, { isInexact: true });
      expect(run.rows).toHaveLength(3);
      const file = fileOf(copy);
      expect(file.resumed).toMatchObject([{ epoch: 1, batches: 0, differences }]);
      expect(file.versions).toEqual(whole.versions);
    },
    long,
  );

  test(
    'with another choice of algorithms than the one that can be had here',
    async () => {
      const gone = { pass: 'forward', shape: 'bf16 1x1x1 1->1', candidates: [], chosen: 'direct' };
      const copy = changed('algorithms', (file) => ({
        ...file,
        algorithms: [...file.algorithms, gone],
      }));
      await expect(resume(copy)).rejects.toThrow(
        /algorithms are .*, were .*direct for the forward of bf16 1x1x1 1->1\. Undo that/,
      );
    },
    long,
  );
});

describe('a loss that is NaN', () => {
  const wild: Experiment = {
    ...small,
    optim: { ...small.optim, lr: piecewiseLinear([0, 1, 1.1, 3], [0, 0.1, 1e30, 1e30]) },
  };

  test(
    'stops the run with epoch and step, and names the checkpoint from before',
    async () => {
      const run = trainExperiment(wild, { data, seed: 3, logDir: path('wild') });
      const folder = path('wild', 'demo-smoke-3');
      const file = join(folder, 'checkpoint-1.safetensors');
      await expect(run).rejects.toThrow(TrainError);
      await expect(run).rejects.toThrow(
        new RegExp(
          String.raw`^train: the loss is NaN or infinite since epoch 2, step [23]\. Lower the learning rate, or start it ` +
            `lower\\. The last checkpoint before that: ${file}\\.$`,
        ),
      );
      expect(readdirSync(folder).filter((name) => name.startsWith('checkpoint'))).toEqual([
        'checkpoint-1.safetensors',
      ]);
      expect(readCheckpoint(file).rows).toEqual(rowsOf(folder));
      const { failure, result } = fileOf(folder);
      expect(failure).toMatchObject({
        epoch: 2,
        message: expect.stringContaining('NaN') as string,
      });
      expect([2, 3]).toContain(failure?.step);
      expect(result).toBeUndefined();
    },
    long,
  );

  test(
    'ends a run that may diverge with the epochs before',
    async () => {
      const record = { ...wild, run: { ...wild.run, mayDiverge: true } };
      const {
        result,
        rows,
        path: folder = '',
      } = await trainExperiment(record, {
        data,
        seed: 3,
        logDir: path('diverged'),
      });
      expect(rows.map(({ epoch }) => epoch)).toEqual([1]);
      expect(result).toMatchObject({ epochs: 1, divergedIn: 2 });
      expect(fileOf(folder).result).toEqual(result);
    },
    long,
  );
});
