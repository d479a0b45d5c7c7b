import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RunError, TrainError } from '../base/errors';
import { piecewiseLinear } from '../optim/schedule';
import { keepCheckpoint, readCheckpoint } from './checkpoint';
import { openRunFolder } from './folder';
import { isTimed } from './load';
import type { Load } from './load';
import type { Experiment } from '../catalogue/experiment';
import { extendRun } from './extend';
import { runJson } from './run-file';
import { trainExperiment } from './train';
import type { TrainOptions } from './train';
import { readTrained } from './trained-network';
import {
  long,
  data,
  small,
  bits,
  fileOf,
  rowsOf,
  namesOf,
  eventsOf,
  resume,
  useRuns,
} from '../../test/small-run';
import { stopAfter } from '../../test/small-training';

const { path, whole, stopped } = useRuns();

describe('a finished run', () => {
  test('has run.json, rows and the last checkpoints in its folder', () => {
    const folder = path('whole', 'demo-smoke-3');
    expect(whole().path).toBe(folder);
    expect(namesOf(folder).toSorted()).toEqual([
      'checkpoint-2.safetensors',
      'checkpoint-3.safetensors',
      'events',
      'log.jsonl',
      'logs.tsv',
      'net.svg',
      'run.json',
    ]);
    expect(rowsOf(folder)).toEqual(whole().rows);
    const { result, rows } = whole();
    expect(fileOf(folder)).toEqual(JSON.parse(runJson(whole())) as unknown);
    expect(whole()).toMatchObject({
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
      learnt: whole().state,
    });
    expect(kept).toEqual(rows);
    expect(eventsOf(folder)).toBe(3);
  });

  test('cannot be resumed', async () => {
    const folder = path('whole', 'demo-smoke-3');
    await expect(resume(folder)).rejects.toThrow(
      new RunError(
        `run: ${folder} is finished: 3 epochs, ${whole().result.accPercent.toFixed(2)} % test accuracy. ` +
          'Train it further with --epochs +N, or demo again with another seed.',
      ),
    );
  });

  test(
    'writes nothing without logDir, and keeps the given number of checkpoints',
    async () => {
      const before = readdirSync(path());
      const run = await trainExperiment(small, { data, seed: 3 });
      expect(bits(run)).toEqual(bits(whole()));
      expect(run).not.toHaveProperty('path');
      expect(readdirSync(path())).toEqual(before);
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

  test.each([
    ['stepsPerCall', 2],
    ['xlaScope', 'step'],
  ])('refuses an option of the engine that its folder would not keep: %s', async (name, value) => {
    const engine = { mode: 'captured', [name]: value } as const;
    await expect(trainExperiment(small, { data, seed: 3, engine })).rejects.toThrow(
      `run: engine.${name} is not kept with a run, so a resumed one would be executed differently. Leave it out`,
    );
  });
});

describe('a stopped run resumes with a bit-identical result', () => {
  // Five batches per epoch: three of training, two of validation.
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
      expect(bits(run)).toEqual(bits(whole()));
      expect(starts).toEqual([before]);
      expect(fileOf(folder).load?.wallSec).toBeGreaterThan(loadBefore?.wallSec ?? Infinity);
      expect(rowsOf(folder)).toEqual(run.rows);
      expect(run.rows.slice(0, before.length)).toEqual(before);
      // The total time is the sum over all epochs, including those before the stop.
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
    'after several stops, in eager mode',
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
    'from the last checkpoint if the logs are ahead of it',
    async () => {
      const { folder } = await stopped('behind', 11);
      for (const name of ['checkpoint-2', 'checkpoint-2-1']) {
        cpSync(join(folder, `${name}.safetensors`), path(`${name}.kept`));
        rmSync(join(folder, `${name}.safetensors`));
      }
      cpSync(folder, path('begun'), { recursive: true });
      // Without a checkpoint the run starts again, so the two epochs in the logs are removed.
      const restarted = await resume(path('begun'), {
        onStart: ({ rows }) => {
          expect(rows).toEqual([]);
          expect(existsSync(path('begun', 'log.jsonl'))).toBe(false);
          expect(eventsOf(path('begun'))).toBe(0);
        },
      });
      expect(bits(restarted)).toEqual(bits(whole()));
      cpSync(path('checkpoint-2.kept'), join(folder, 'checkpoint-2.safetensors'));
      writeFileSync(join(folder, 'log.jsonl'), 'nonsense');
      expect(bits(await resume(folder))).toEqual(bits(whole()));
      expect(eventsOf(folder)).toBe(3);
    },
    long,
  );

  test(
    'from the previous checkpoint if the last one is damaged',
    async () => {
      const { folder } = await stopped('damaged', 11);
      const file = join(folder, 'checkpoint-2-1.safetensors');
      const bytes = readFileSync(file);
      bytes[bytes.length - 100] ^= 4;
      writeFileSync(file, bytes);
      const notices: string[] = [];
      const run = await resume(folder, { onNotice: (text) => notices.push(text) });
      expect(notices).toEqual([
        'checkpoint-2-1.safetensors is damaged and renamed to checkpoint-2-1.safetensors.damaged: checkpoint: its ' +
          'contents do not match its SHA-256. Use another checkpoint, or another copy of this one. ' +
          'Resuming from checkpoint-2.safetensors.',
      ]);
      expect(bits(run)).toEqual(bits(whole()));
      expect(readdirSync(folder)).toContain('checkpoint-2-1.safetensors.damaged');
    },
    long,
  );

  test(
    'after its last epoch, if only the result is missing',
    async () => {
      const folder = path('unsigned');
      cpSync(path('whole', 'demo-smoke-3'), folder, { recursive: true });
      const { result, ...file } = fileOf(folder);
      writeFileSync(join(folder, 'run.json'), JSON.stringify(file));
      const run = await resume(folder);
      const { resumed, load } = fileOf(folder);
      expect(run).toEqual({ ...whole(), path: folder, resumed, load });
      expect(fileOf(folder).result).toEqual(result);
    },
    long,
  );
});

describe('the load of a run that was killed', () => {
  /** Leaves a run as `kill -9` does after epoch 2, with a changed load in its checkpoint. */
  async function killed(logDir: string, change: (load: Load) => Load | undefined): Promise<string> {
    const { folder } = await stopped(logDir, 11);
    rmSync(join(folder, 'checkpoint-2-1.safetensors'));
    const { load: _, ...file } = fileOf(folder);
    writeFileSync(join(folder, 'run.json'), JSON.stringify(file));
    const { load: kept, ...checkpoint } = readCheckpoint(join(folder, 'checkpoint-2.safetensors'));
    const load = change(kept as Load);
    const open = await openRunFolder(folder);
    await keepCheckpoint(open, { ...checkpoint, ...(load === undefined ? {} : { load }) }, 'all');
    open.release();
    return folder;
  }

  test(
    'includes that of the epochs before',
    async () => {
      const disturbed = await killed('killed', (load) => ({ ...load, othersSec: 1000 }));
      const run = await resume(disturbed);
      expect(run.load?.othersSec ?? 1000).toBeGreaterThanOrEqual(1000);
      expect(isTimed(run)).toBe(false);
    },
    long,
  );

  test(
    'is unknown if the checkpoint does not have it, as in older versions',
    async () => {
      const { load } = await resume(await killed('killed-older', () => undefined));
      expect(load?.wallSec).toBeGreaterThan(0);
      expect(load).not.toHaveProperty('othersSec');
    },
    long,
  );
});

describe('a run that keeps no checkpoints', () => {
  const checkpointsOf = (folder: string): string[] =>
    readdirSync(folder).filter((name) => name.startsWith('checkpoint'));

  test(
    'resumes from the one it was given, says so when it is stopped, and leaves none that is not of its end',
    async () => {
      const { folder } = await stopped('given', 2);
      await expect(resume(folder, { checkpoints: 0, ...stopAfter(6) })).rejects.toThrow(
        'No checkpoint was written since, so training resumes from checkpoint-0-2.safetensors. Resume with',
      );
      expect(checkpointsOf(folder)).toEqual(['checkpoint-0-2.safetensors']);
      expect(bits(await resume(folder))).toEqual(bits(whole()));
      expect(checkpointsOf(folder)).toEqual([]);
      await expect(readTrained(folder)).rejects.toThrow('has no checkpoint, so its weights are');
      const { path: longer = '' } = await extendRun(path('whole', 'demo-smoke-3'), {
        data,
        epochs: 1,
        checkpoints: 0,
      });
      expect(checkpointsOf(longer)).toEqual([]);
    },
    long,
  );

  test(
    'starts again from epoch 1, and says so when it is stopped',
    async () => {
      for (const batches of [2, 7]) {
        const { said } = await stopped(`none-${batches}`, batches, { checkpoints: 0 });
        expect(said).toContain('There is no checkpoint, so training starts again from epoch 1. ');
      }
      const signal = AbortSignal.abort();
      const { said } = await stopped('none-0', 0, { checkpoints: 0, signal });
      expect(said).toContain('Nothing was trained yet. Resume');
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
    'stops the run with an error that names epoch, step and the last checkpoint before',
    async () => {
      const run = trainExperiment(wild, { data, seed: 3, logDir: path('wild') });
      const folder = path('wild', 'demo-smoke-3');
      const file = join(folder, 'checkpoint-1.safetensors');
      await expect(run).rejects.toThrow(TrainError);
      await expect(run).rejects.toThrow(
        new RegExp(
          String.raw`^train: the loss became NaN or infinite in epoch 2, step [23]\. Lower the learning rate, or start with ` +
            `a lower one\\. The last checkpoint before that: ${file}\\.$`,
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
    'ends a run that may diverge with the result of the epochs before',
    async () => {
      const experiment = { ...wild, run: { ...wild.run, mayDiverge: true } };
      const {
        result,
        rows,
        path: folder = '',
      } = await trainExperiment(experiment, {
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
