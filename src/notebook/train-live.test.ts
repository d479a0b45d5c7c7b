import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ExperimentError, InterruptedError, NotebookError } from '../base/errors';
import { provideKernelHost } from '../base/kernel-host';
import type { DisplayMessage, KernelHost } from '../base/kernel-host';
import { createRng } from '../base/rng';
import { classes } from '../data/cifar10';
import type { Cifar10, Split } from '../data/cifar10';
import { findExperiment } from '../experiments/catalogue';
import { comparison, epochRows, recordedRuns } from './compare-runs';
import * as scale from './notebook-scale';
import { resumeLive, trainLive } from './train-live';

function split(count: number, seed: number): Split {
  const rng = createRng(seed, 'images');
  return {
    images: Uint8Array.from({ length: count * 3072 }, () => rng.integer(256)),
    labels: Uint8Array.from({ length: count }, () => rng.integer(10)),
  };
}

const data: Cifar10 = { train: split(128, 0), valid: split(32, 1), classes, source: 'noise' };

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

/** What stands below the cell in the end: the last content of each display, in the order of the displays. */
function screen(): DisplayMessage[] {
  const ids = [...new Set(seen.map(({ id }) => id))];
  return ids.map((id) => seen.findLast((message) => message.id === id)!);
}

describe('trainLive', () => {
  test('shows two displays in place: progress with a table, and curves that become a chart', async () => {
    const runs = await trainLive('demo', { seeds: [0, 1], scale: 'smoke', data, logDir });
    expect(runs.map(({ about }) => [about.record, about.scale, about.seed])).toEqual([
      ['demo', 'smoke', 0],
      ['demo', 'smoke', 1],
    ]);
    expect(seen.filter(({ isUpdate }) => !isUpdate)).toHaveLength(2);
    const told = seen.map(textOf);
    const announced = told.findIndex((text) =>
      /2 runs, 2 epochs of .*\nabout \d+:\d\d on /.test(text),
    );
    const firstRow = told.findIndex((text) => /^ +seed 0 +1 /m.test(text));
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
    expect(textOf(bottom)).toMatch(/demo, smoke size: seed 0: epoch 2,.*seed 1: epoch 2,/);
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

  test('stops when it is told to, says where, and goes on to the same figures', async () => {
    const options = { seeds: [0, 1], scale: 'smoke', data } as const;
    const whole = await trainLive('demo', { ...options, logDir: join(logDir, 'whole') });
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
    await expect(resumeLive()).rejects.toThrow(/nothing was stopped/);

    // In the second run, after its first epoch; then again, before it has gone on.
    stopAt(/^ +seed 1 +1 /m);
    await expect(trainLive('demo', { ...options, logDir })).rejects.toThrow(InterruptedError);
    expect(textOf(screen()[0])).toMatch(
      /stopped in epoch 2, before step 1 of 2.* await resumeLive\(\)/,
    );
    stopAt(/Going on with run 2 of 2/);
    await expect(resumeLive()).rejects.toThrow(InterruptedError);
    stopAt(/never/);
    const runs = await resumeLive();
    expect(runs.map(({ about }) => about.seed)).toEqual([0, 1]);
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

  test('takes a smaller size where the one that suits the machine takes too long, and leaves nothing of it', async () => {
    vi.spyOn(scale, 'notebookScale').mockReturnValue('pocket');
    vi.spyOn(scale, 'wantedScale').mockReturnValue(undefined);
    const demo = findExperiment('demo');
    const record = { ...demo, data: { ...demo.data, batchSize: 64 } };
    const [run] = await trainLive(record, { data, logDir, limitSec: 1e-9 });
    expect(run.about.scale).toBe('smoke');
    expect(textOf(screen()[0])).toMatch(/pocket size would take .* smoke size instead/);
    expect(readdirSync(logDir)).toEqual(['demo-smoke-0']);
  });

  test('tells records apart by name', async () => {
    const narrow = { ...findExperiment('demo'), name: 'mine' };
    const runs = await trainLive(['demo', narrow], { scale: 'smoke', data, logDir });
    expect(runs.map(({ about }) => about.record)).toEqual(['demo', 'mine']);
    expect(textOf(screen()[0])).toMatch(/2 runs, .* s of training in all/);
    expect(textOf(screen()[0])).toMatch(/^ +mine +2 /m);
  });

  test('refuses what it cannot train', async () => {
    await expect(trainLive('demoo', { data, logDir })).rejects.toThrow(ExperimentError);
    await expect(trainLive([], { data, logDir })).rejects.toThrow(NotebookError);
    await expect(trainLive('demo', { seeds: [], data, logDir })).rejects.toThrow(
      /nothing to train/,
    );
  });
});

test('recorded runs are those of the record', async () => {
  const runs = await recordedRuns('demo');
  expect(runs.length).toBeGreaterThan(0);
  expect(new Set(runs.map(({ record }) => record))).toEqual(new Set(['demo']));
  await expect(recordedRuns('nothing')).rejects.toThrow(ExperimentError);
});

test('a comparison says where nothing was recorded', async () => {
  const { bundle } = await comparison([], ['post4-final-20', 'demo']);
  expect(bundle['text/plain']).toMatch(/^post4-final-20 +recorded .*no run of this record yet/m);
  expect(bundle['text/plain']).toMatch(/^demo +recorded, 3 runs +pocket/m);
});
