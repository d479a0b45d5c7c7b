import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ExperimentError, InterruptedError, NotebookError } from '../base/errors';
import { provideKernelHost } from '../base/kernel-host';
import type { DisplayMessage, KernelHost } from '../base/kernel-host';
import { configOf } from '../runs/run';
import { findExperiment } from '../catalogue/catalogue';
import { overridden } from '../catalogue/override';
import { scaled } from '../catalogue/scale';
import type { FinishedRun, PlannedRun } from '../runs/run';
import { keepCheckpoint, readCheckpoint } from '../runs/checkpoint';
import { openRunFolder } from '../runs/folder';
import { comparison, epochRows, recordedRuns } from './compare-runs';
import * as preparation from '../runs/prepare';
import * as trainings from '../runs/train';
import * as scale from './notebook-scale';
import { isShown } from '../base/interrupt';
import { resumeLive, trainLive } from './train-live';
import { noise, noiseData } from '../../test/noise-data';
import { backbone, bits } from '../../test/small-run';

const data = noiseData(128, 32);
/** An experiment with a network that is quick to capture. */
const demo = backbone(findExperiment('demo'));

let seen: DisplayMessage[] = [];
let controller = new AbortController();
let logDir = '';

beforeEach(() => {
  seen = [];
  controller = new AbortController();
  logDir = mkdtempSync(join(tmpdir(), 'cifar10-fast-live-'));
  provideKernelHost({
    display: (message: DisplayMessage) => void seen.push(message),
    interruptSignal: () => controller.signal,
  } as unknown as KernelHost);
});

afterEach(() => {
  provideKernelHost(undefined as unknown as KernelHost);
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(logDir, { recursive: true });
});

const textOf = (message: Pick<DisplayMessage, 'data'> | undefined): string =>
  message?.data['text/plain'] as string;

/** The final output below the cell: the last content of each display, in the order of the displays. */
function screen(): DisplayMessage[] {
  const ids = [...new Set(seen.map(({ id }) => id))];
  return ids.map((id) => seen.findLast((message) => message.id === id)!);
}

describe('trainLive', () => {
  test('updates two displays in place: progress with a table, and curves that become a chart', async () => {
    const runs = await trainLive('demo', { seeds: [0, 1], scale: 'smoke', data, logDir });
    expect(runs.map(({ name, scale, seed }) => [name, scale, seed])).toEqual([
      ['demo', 'smoke', 0],
      ['demo', 'smoke', 1],
    ]);
    expect(seen.filter(({ isUpdate }) => !isUpdate)).toHaveLength(2);
    const texts = seen.map(textOf);
    const announced = texts.findIndex((text) =>
      /2 runs, 2 epochs of .*\nabout \d+:\d\d on /.test(text),
    );
    const firstRow = texts.findIndex((text) => /^ +seed 0 +1 /m.test(text));
    expect([announced >= 0, announced < firstRow]).toEqual([true, true]);
    const [top, bottom] = screen();
    expect(textOf(top)).toMatch(
      /^Starting run 2 of 2 \(seed 1\) at .*: test accuracy .* % in .* s$/m,
    );
    expect(textOf(top)).toMatch(/test accuracy .* ± .* of 2 runs/);
    expect(textOf(top).match(/^ +seed [01] +[12] /gm)).toHaveLength(4);
    expect(Object.keys(bottom.data)).toEqual([
      'application/vnd.vegalite.v5+json',
      'image/png',
      'text/plain',
    ]);
    expect(textOf(bottom)).toMatch(/demo, smoke scale: seed 0: epoch 2,.*seed 1: epoch 2,/);
    expect(readdirSync(logDir).toSorted()).toEqual(['demo-smoke-0', 'demo-smoke-1']);

    expect(
      epochRows(runs).map(({ record, scale, seed, epoch }) => [record, scale, seed, epoch]),
    ).toEqual([
      ['demo', 'smoke', 0, 1],
      ['demo', 'smoke', 0, 2],
      ['demo', 'smoke', 1, 1],
      ['demo', 'smoke', 1, 2],
    ]);
    expect(epochRows(runs)[3]['valid_acc']).toBe(runs[1].rows[1].valid.acc);
    const table = (await comparison(runs)).bundle['text/plain'];
    expect(table).toMatch(/^demo\n.*test accuracy %/);
    expect(table).toMatch(/this notebook, 2 runs +smoke +[\d.]+ ± [\d.]+/);
    expect(table).toMatch(/published +full +94.08 +79.0 +V100; /);
  });

  test('prepares a trainer once for all seeds of an experiment', async () => {
    const prepare = vi.spyOn(preparation, 'prepareRun');
    const shared = await trainLive(demo, { seeds: [0, 1], scale: 'smoke', data, logDir });
    expect(prepare).toHaveBeenCalledTimes(1);
    const alone = await trainLive(demo, { seeds: [1], scale: 'smoke', data, logDir });
    expect(prepare).toHaveBeenCalledTimes(2);
    expect(bits(shared[1])).toEqual(bits(alone[0]));
  });

  test('says where a run diverged, and tells long names apart by their endings', async () => {
    const stress = overridden(scaled(findExperiment('post7-stress-no-norm'), 'smoke'), 'optim.lr', {
      knots: [0, 1, 1.01],
      vals: [0.01, 0.01, 1e9],
    });
    const again = { ...stress, name: 'post7-stress-with-another-name' };
    await trainLive([stress, again], { data, logDir });
    const [top, bottom] = screen();
    expect(textOf(top)).toMatch(
      /^Starting run 2 of 2 \(post7-stress-with-another-name\) at .*: diverged in epoch 2$/m,
    );
    // The bar is full although epochs are missing, and the last line says why.
    expect(top.data['text/html']).toContain('height:6px;width:100.0%');
    expect(textOf(top)).toMatch(/^2 runs, .* in all; 2 diverged: the loss was NaN or infinite$/m);
    const { hconcat } = bottom.data['application/vnd.vegalite.v5+json'] as {
      hconcat: { encoding: { color: { legend: object } } }[];
    };
    expect(hconcat[0].encoding.color.legend).toEqual({
      title: 'post7-stress-…',
      titleLimit: 320,
      labelExpr: 'slice(datum.label, 13)',
    });
  });

  test('stops on an interrupt, says where, and resumes to the same figures', async () => {
    const options = { seeds: [0, 1], scale: 'smoke', data } as const;
    const whole = await trainLive(demo, { ...options, logDir: join(logDir, 'whole') });
    const stopAt = (pattern: RegExp): void => {
      seen = [];
      controller = new AbortController();
      provideKernelHost({
        display: (message: DisplayMessage) => {
          seen.push(message);
          if (pattern.test(textOf(message))) controller.abort(new InterruptedError('Interrupted.'));
        },
        interruptSignal: () => controller.signal,
      } as unknown as KernelHost);
    };
    await expect(resumeLive()).rejects.toThrow(/no training was stopped/);

    // Stops in the second run, after its first epoch; then again, before it has resumed.
    stopAt(/^ +seed 1 +1 /m);
    const stopped: unknown = await trainLive(demo, { ...options, logDir }).catch(
      (error: unknown) => error,
    );
    expect(stopped).toBeInstanceOf(InterruptedError);
    // The screen shows the reason, so our kernel prints no traceback.
    expect(isShown(stopped)).toBe(true);
    expect(textOf(screen()[0])).toMatch(
      /stopped in epoch 2, before step 1 of 2.* In a notebook, resume with: import \{ resumeLive \} from 'cifar10-fast'; await resumeLive\(\);/,
    );
    stopAt(/Resuming run 2 of 2/);
    await expect(resumeLive()).rejects.toThrow(InterruptedError);
    stopAt(/never/);
    const runs = await resumeLive();
    expect(runs.map(({ seed }) => seed)).toEqual([0, 1]);
    const accuracies = (all: typeof runs): number[] =>
      all.flatMap(({ rows }) =>
        rows.flatMap(({ train, valid }) => [train.loss, valid.loss, valid.acc]),
      );
    expect(accuracies(runs)).toEqual(accuracies(whole));
    expect(textOf(screen()[0]).match(/^ +seed [01] +[12] /gm)).toHaveLength(4);
    expect(Object.keys(screen()[1].data)).toContain('application/vnd.vegalite.v5+json');
    expect(readdirSync(logDir).toSorted()).toEqual(['demo-smoke-0', 'demo-smoke-1', 'whole']);
    await expect(resumeLive()).rejects.toThrow(NotebookError);
  });

  test('uses a smaller scale if that of the machine would take too long, and leaves no folder of it', async () => {
    vi.spyOn(scale, 'notebookScale').mockReturnValue('pocket');
    vi.spyOn(scale, 'wantedScale').mockReturnValue(undefined);
    const record = { ...demo, data: { ...demo.data, batchSize: 64 } };
    const [run] = await trainLive(record, { data, logDir, limitSec: 1e-9 });
    expect(run.scale).toBe('smoke');
    expect(textOf(screen()[0])).toMatch(/pocket scale would take .* Using smoke scale/);
    expect(readdirSync(logDir)).toEqual(['demo-smoke-0']);
  });

  test('an experiment that has its scale is trained at it, however long it takes, without a remark', async () => {
    const own = overridden(scaled(demo, 'smoke'), 'optim.lr', 0.3);
    const [run] = await trainLive(own, { data, logDir, limitSec: 1e-9 });
    expect(run).toMatchObject({ scale: 'smoke', overrides: ['optim.lr=0.3'] });
    expect(textOf(screen()[0])).not.toMatch(/would take/);
  });

  test('tells experiments apart by name', async () => {
    const narrow = { ...demo, name: 'mine' };
    const runs = await trainLive([demo, narrow], { scale: 'smoke', data, logDir });
    expect(runs.map(({ name }) => name)).toEqual(['demo', 'mine']);
    expect(textOf(screen()[0])).toMatch(/2 runs, .* s of training in all/);
    expect(textOf(screen()[0])).toMatch(/^ +mine +2 /m);
  });

  describe('reuses finished runs', () => {
    const options = { seeds: [0, 1], scale: 'smoke', data } as const;
    /** The summary, and the table below it. */
    const tableOf = (): string => textOf(screen()[0]).replace(/^[^]*?(?=^test accuracy)/m, '');
    const pageOf = (): string => screen()[0].data['text/html'] as string;
    const charted = (): unknown => screen()[1].data['application/vnd.vegalite.v5+json'];
    const folders = (): string[] => readdirSync(logDir).toSorted();
    const pathOf = (name: string): string => join(logDir, name);
    const change = (name: string, edit: (file: PlannedRun) => PlannedRun): void => {
      const path = join(logDir, name, 'run.json');
      const file = JSON.parse(readFileSync(path, 'utf8')) as PlannedRun;
      writeFileSync(path, JSON.stringify(edit(file)));
    };

    test('if it is asked to, and shows and returns what the live run did', async () => {
      const live = await trainLive(demo, { ...options, logDir });
      const [table, chart] = [tableOf(), charted()];
      seen = [];
      vi.stubEnv('CIFAR10_FAST_RUNS', logDir);
      vi.stubEnv('CIFAR10_FAST_REUSE', '1');
      const taken = await trainLive(demo, options);
      expect(folders()).toEqual(['demo-smoke-0', 'demo-smoke-1']);
      expect(taken).toEqual(live);
      expect(tableOf()).toBe(table);
      expect(charted()).toEqual(chart);
      const lines = textOf(screen()[0]).split('\n');
      const { trainSec } = live[1].result;
      expect(lines[0]).toMatch(/^demo, smoke scale: 2 runs, 2 epochs of 256 images/);
      expect(lines[1]).toBe('nothing to train: all runs were finished before');
      expect(lines[2]).toMatch(
        /^seed 0: finished before, started on \d{4}-\d\d-\d\d \(.*, \d+ cores?, .*, \d+ threads?\), [\d.]+ s of training$/,
      );
      expect(lines[3]).toContain(`seed 1: finished before, started on`);
      expect(lines[3]).toContain(`, ${trainSec.toFixed(1)} s of training`);
      expect(pageOf()).toContain('seed 0: finished before, started on');

      vi.stubEnv('CIFAR10_FAST_REUSE', 'yes');
      await expect(trainLive(demo, options)).rejects.toThrow(/CIFAR10_FAST_REUSE is "yes"/);
      vi.stubEnv('CIFAR10_FAST_REUSE', '0');
      seen = [];
      await trainLive(demo, { ...options, seeds: [0] });
      expect(textOf(screen()[0])).not.toContain('finished before');
      expect(folders()).toContain('demo-smoke-0-2');
    });

    test('beside package.json if the variable that names their folder is empty', async () => {
      vi.stubEnv('CIFAR10_FAST_RUNS', '');
      writeFileSync(join(logDir, 'package.json'), '{}');
      const cwd = vi.spyOn(process, 'cwd').mockReturnValue(logDir);
      await trainLive(demo, { ...options, seeds: [0] });
      cwd.mockRestore();
      expect(readdirSync(join(logDir, 'runs'))).toEqual(['demo-smoke-0']);
    });

    test('and trains the missing ones, which resume after a stop', async () => {
      const [first] = await trainLive(demo, { ...options, seeds: [1], logDir });
      provideKernelHost({
        display: (message: DisplayMessage) => {
          seen.push(message);
          if (/^ +seed 0 +1 /m.test(textOf(message))) {
            controller.abort(new InterruptedError('Interrupted.'));
          }
        },
        interruptSignal: () => controller.signal,
      } as unknown as KernelHost);
      const live = trainLive(demo, { ...options, logDir, reuse: true });
      await expect(live).rejects.toThrow(InterruptedError);
      controller = new AbortController();
      provideKernelHost({
        display: (message: DisplayMessage) => void seen.push(message),
        interruptSignal: () => controller.signal,
      } as unknown as KernelHost);
      seen = [];
      const runs = await resumeLive();
      expect(runs.map(({ seed }) => seed)).toEqual([0, 1]);
      expect(runs[1]).toEqual(first);
      expect(folders()).toEqual(['demo-smoke-0', 'demo-smoke-1']);
      expect(textOf(screen()[0])).toMatch(/^seed 1: finished before, started on/m);
      expect(textOf(screen()[0])).not.toMatch(/^seed 0: finished before/m);
      expect(textOf(screen()[0]).match(/^ +seed [01] +[12] /gm)).toHaveLength(4);
    });

    test('of the scale that it finally uses', async () => {
      vi.spyOn(scale, 'notebookScale').mockReturnValue('pocket');
      vi.spyOn(scale, 'wantedScale').mockReturnValue(undefined);
      const record = { ...demo, data: { ...demo.data, batchSize: 64 } };
      await trainLive(record, { seeds: [0], scale: 'pocket', data, logDir });
      await trainLive(record, { seeds: [0, 1], scale: 'smoke', data, logDir });
      seen = [];
      const both = { seeds: [0, 1], data, logDir, limitSec: 1e-9, reuse: true };
      const runs = await trainLive(record, both);
      expect(runs.map(({ scale }) => scale)).toEqual(['smoke', 'smoke']);
      const text = textOf(screen()[0]);
      expect(text).toMatch(/^demo, smoke scale: 2 runs/);
      expect(text).toMatch(/pocket scale would take .* Using smoke scale/);
      expect(text.match(/finished before, started on/g)).toHaveLength(2);
      expect(folders()).toEqual(['demo-pocket-0', 'demo-smoke-0', 'demo-smoke-1']);
    });

    test('but none that differs', async () => {
      const [about] = await trainLive(demo, { ...options, seeds: [0], logDir });
      const wanted = { ...options, seeds: [0], logDir, reuse: true };
      // Only checks whether it would be trained; the other tests here train.
      const training = vi.spyOn(trainings, 'trainExperiment');
      training.mockImplementation((_, { onEpoch }) => {
        for (const row of about.rows) onEpoch?.(row);
        return Promise.resolve(about);
      });
      const trained = async (
        record: Parameters<typeof trainLive>[0],
        more: Parameters<typeof trainLive>[1] = {},
      ): Promise<string> => {
        seen = [];
        training.mockClear();
        await trainLive(record, { ...wanted, ...more });
        return training.mock.calls.length === 0 ? 'taken' : 'trained';
      };
      const { optim } = demo;
      const other = { ...data, valid: noise(32, 2) };
      expect(await trained(demo)).toBe('taken');
      expect(await trained(demo, { seeds: [2] })).toBe('trained');
      const precision = about.precision === 'fp32' ? 'bf16' : 'fp32';
      expect(await trained(demo, { engine: { precision } })).toBe('trained');
      expect(await trained({ ...demo, optim: { ...optim, momentum: 0.8 } })).toBe('trained');
      expect(await trained({ ...demo, name: 'mine' })).toBe('trained');
      expect(await trained(demo, { data: other })).toBe('trained');
      change('demo-smoke-0', (file) => ({ ...file, intraOpThreads: 64 }));
      // The checkpoint belongs to another configuration now.
      expect(await trained(demo)).toBe('trained');
      expect(textOf(screen()[0])).toMatch(
        /^seed 0: finished before, but is trained again: .*is not the final checkpoint of that run/m,
      );
      // With other threads and a matching checkpoint, it counts.
      const threads = { ...about, threads: 64 };
      const folder = await openRunFolder(pathOf('demo-smoke-0'));
      const checkpoint = readCheckpoint(await folder.read('checkpoint-2.safetensors'));
      await keepCheckpoint(folder, { ...checkpoint, config: configOf(threads) }, 2);
      folder.release();
      expect(await trained(demo)).toBe('taken');
      expect(textOf(screen()[0])).toMatch(/^seed 0: finished before, .*, 64 threads\)/m);
    });

    test('and, of several, the newest that still has its weights', async () => {
      const [run] = await trainLive(demo, { ...options, seeds: [0], logDir });
      const again = (): Promise<readonly FinishedRun[]> => {
        seen = [];
        return trainLive(demo, { ...options, seeds: [0], logDir, reuse: true });
      };
      cpSync(run.path!, pathOf('copy'), { recursive: true });
      change('copy', (file) => ({ ...file, started: '2999-01-01T00:00:00.000Z' }));
      const [newer] = await again();
      expect(newer.started).toBe('2999-01-01T00:00:00.000Z');
      // Without checkpoints it is passed over for the older one.
      rmSync(pathOf('copy/checkpoint-2.safetensors'));
      rmSync(pathOf('copy/checkpoint-1.safetensors'));
      expect((await again())[0].path).toBe(run.path);
      rmSync(pathOf('demo-smoke-0/checkpoint-2.safetensors'));
      const [trained] = await again();
      expect(trained.path).toBe(pathOf('demo-smoke-0-2'));
      expect(trained.state).toEqual(run.state);
      expect(textOf(screen()[0])).toMatch(
        /^seed 0: finished before, but is trained again: run: .*copy has no checkpoint/m,
      );
      const bytes = readFileSync(pathOf('demo-smoke-0-2/checkpoint-2.safetensors'));
      bytes[bytes.length - 1] ^= 1;
      writeFileSync(pathOf('demo-smoke-0-2/checkpoint-2.safetensors'), bytes);
      rmSync(pathOf('copy'), { recursive: true });
      await again();
      expect(textOf(screen()[0])).toMatch(/trained again: checkpoint: .*SHA-256/);
      expect(folders()).toContain('demo-smoke-0-3');
    });
  });

  test('rejects an unknown experiment, and an empty list of experiments or seeds', async () => {
    await expect(trainLive('demoo', { data, logDir })).rejects.toThrow(ExperimentError);
    await expect(trainLive([], { data, logDir })).rejects.toThrow(NotebookError);
    await expect(trainLive(demo, { seeds: [], data, logDir })).rejects.toThrow(/nothing to train/);
  });
});

test('recordedRuns returns the runs of the experiment', async () => {
  const runs = await recordedRuns('demo');
  expect(runs.length).toBeGreaterThan(0);
  expect(new Set(runs.map(({ name }) => name))).toEqual(new Set(['demo']));
  await expect(recordedRuns('nothing')).rejects.toThrow(ExperimentError);
});

test('a comparison says for which experiments there is no run', async () => {
  const { bundle } = await comparison([], ['post1-own', 'demo']);
  expect(bundle['text/plain']).toMatch(/^post1-own +stored .*no run of this experiment yet/m);
  expect(bundle['text/plain']).toMatch(/^demo +stored, \d+ runs +pocket/m);
});
