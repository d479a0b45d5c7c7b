import { copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createRng } from '../base/rng';
import { readSafetensors, writeSafetensors } from '../data/safetensors';
import { initNetwork } from '../nn/network';
import { keepCheckpoint } from './checkpoint';
import type { RunFolder } from './folder';
import { emptyTotals } from '../train/steps';
import { findExperiment } from '../catalogue/catalogue';
import { exported } from './exported';
import { predictSplit, readPredictions, writePredictions } from './predictions';
import { networkOf } from '../catalogue/network';
import { scaled } from '../catalogue/scale';
import { readTrained } from './trained-network';
import type { EpochRow } from '../train/training';

function rowsTo(epoch: number): EpochRow[] {
  const figures = { time: 1, loss: 1.5, acc: 0.5 };
  return Array.from({ length: epoch }, (_, i) => {
    return { epoch: i + 1, lr: 0.1, train: figures, valid: figures, 'total time': i + 1 };
  });
}

const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-trained-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Writes a run's folder whose checkpoints hold the initial weights of the given seeds. */
async function leaveRun(
  name: string,
  record: string,
  checkpoints: Readonly<Record<string, number>>,
  more: object = {},
): Promise<string> {
  const path = join(scratch, name);
  mkdirSync(path);
  const experiment = scaled(findExperiment(record), 'smoke');
  const hardware = { cpu: 'AMD EPYC', cores: 2, memoryBytes: 2 ** 34, cpuFlags: [], gpus: [] };
  const about = { record, scale: 'smoke', seed: 4, started: '2026-11-23', mode: 'captured' };
  writeFileSync(
    join(path, 'run.json'),
    JSON.stringify({ ...about, precision: 'fp32', experiment, hardware, ...more }),
  );
  for (const [place, seed] of Object.entries(checkpoints)) {
    const [epoch, batches = 0] = place.split('-').map(Number);
    const [network, ema] = [seed, seed + 1].map((each) =>
      initNetwork(networkOf(experiment), createRng(each, 'init')),
    );
    const learnt = { network, ema, velocity: {}, extra: {} };
    const unfinished = { batches, timeSec: 1, totals: emptyTotals() };
    const snapshot = { epoch, totalSec: 1, learnt, ...(batches === 0 ? {} : { unfinished }) };
    const write = (name: string, content: string | Uint8Array): Promise<void> => {
      writeFileSync(join(path, name), content);
      return Promise.resolve();
    };
    const folder = { path, write } as Partial<RunFolder> as RunFolder;
    await keepCheckpoint(
      folder,
      { snapshot, rows: rowsTo(snapshot.epoch), config: 'of a test' },
      'all',
    );
  }
  return path;
}

const result = { epochs: 2, accPercent: 10, loss: 2.3, trainSec: 4, imagesPerSec: 512 };

const weightOf = (record: string, seed: number): unknown =>
  initNetwork(networkOf(scaled(findExperiment(record), 'smoke')), createRng(seed, 'init'))[
    'prep/conv/weight'
  ];

describe('readTrained', () => {
  test('reads the last checkpoint in numerical order', async () => {
    const folder = await leaveRun('demo', 'demo', { 2: 10, 10: 20, '9-3': 30 });
    const { checkpoint, epoch, isEma, tta, variables, name } = await readTrained(folder);
    expect([checkpoint, epoch, isEma, tta, name]).toEqual([
      'checkpoint-10.safetensors',
      10,
      false,
      false,
      'demo',
    ]);
    expect(variables['prep/conv/weight']).toEqual(weightOf('demo', 20));
  });

  test('reads the average if the experiment keeps one', async () => {
    const record = 'post8-final';
    const folder = await leaveRun('ema', record, { 1: 10 });
    const { isEma, tta, variables } = await readTrained(folder);
    expect([isEma, tta]).toEqual([true, true]);
    const path = Object.keys(variables).find((name) => name.endsWith('conv/weight')) as string;
    const graph = networkOf(scaled(findExperiment(record), 'smoke'));
    expect(variables[path]).toEqual(initNetwork(graph, createRng(11, 'init'))[path]);
  });

  test.each([
    [
      'stopped-1',
      { '0-12': 1 },
      {},
      /is not finished: .* for 12 steps \(planned: 2 epochs\)\. Resume/,
    ],
    ['stopped-2', { '1-1': 1 }, {}, /for 1 epoch and 1 step \(planned/],
    [
      'diverged',
      { 1: 1 },
      { failure: { epoch: 2, message: 'NaN' } },
      /diverged in epoch 2; .* after 1 epoch\.$/,
    ],
  ])('warns of %s: not trained to its end', async (name, checkpoints, more, warning) => {
    const trained = await readTrained(await leaveRun(name, 'demo', checkpoints, more));
    expect(trained.warning).toMatch(warning);
  });

  test.each([
    [
      'stale-1',
      { 1: 1 },
      /trained for 2 epochs, but its last checkpoint is from after 1 epoch, so/,
    ],
    ['stale-2', { '1-12': 1 }, /checkpoint is from after 1 epoch and 12 steps, so this is not the/],
  ])('warns of %s: the checkpoint is from before the result', async (name, checkpoints, text) => {
    const trained = await readTrained(await leaveRun(name, 'demo', checkpoints, { result }));
    expect(trained.warning).toMatch(text);
    expect(trained.warning).toContain('train demo --scale smoke --seed 4');
    expect(trained).not.toHaveProperty('accPercent');
  });

  test('does not warn about a finished run', async () => {
    const trained = await readTrained(await leaveRun('finished', 'demo', { 2: 1 }, { result }));
    expect(trained).not.toHaveProperty('warning');
    expect(trained.steps).toBe(0);
  });

  test('suggests a fix if there is no network', async () => {
    await expect(readTrained(join(scratch, 'no'))).rejects.toThrow('no does not exist. Name the');
    mkdirSync(join(scratch, 'bare'));
    await expect(readTrained(join(scratch, 'bare'))).rejects.toThrow('bare has no run.json');
    const open = await leaveRun('open', 'demo', {});
    await expect(readTrained(open)).rejects.toThrow(
      `${open} is not finished and has no checkpoint yet. Resume it with: npx cifar10-fast train --resume ${open}`,
    );
    const empty = await leaveRun('empty', 'demo', {}, { result });
    await expect(readTrained(empty)).rejects.toThrow(
      'empty has no checkpoint, so its weights are lost. Train the experiment again: ' +
        'npx cifar10-fast train demo --scale smoke --seed 4',
    );
  });

  test('names a damaged checkpoint and the damage', async () => {
    const cut = await leaveRun('cut', 'demo', { 2: 1 });
    truncateSync(join(cut, 'checkpoint-2.safetensors'), 9000);
    await expect(readTrained(cut)).rejects.toThrow(
      /checkpoint-2.safetensors is damaged or .* Remove it/,
    );

    const plain = await leaveRun('plain', 'demo', { 2: 1 });
    const data = new Float32Array(3);
    const file = writeSafetensors([['network/prep/bn/bias', { dtype: 'F32', shape: [3], data }]]);
    writeFileSync(join(plain, 'checkpoint-2.safetensors'), file);
    await expect(readTrained(plain)).rejects.toThrow('expected "cifar10-fast checkpoint 1"');

    const other = await leaveRun('other', 'post4-backbone', { 2: 1 });
    const demo = await leaveRun('whole', 'demo', { 2: 1 });
    copyFileSync(join(other, 'checkpoint-2.safetensors'), join(demo, 'checkpoint-2.safetensors'));
    await expect(readTrained(demo)).rejects.toThrow('it has no tensor "network/');
  });
});

describe('exported', () => {
  test('safetensors hold the weights, and about.json describes them', async () => {
    const trained = await readTrained(await leaveRun('out', 'demo', { 2: 1 }));
    const files = exported(trained, 'safetensors');
    expect([...files.keys()]).toEqual(['network.safetensors', 'about.json']);
    const { tensors } = readSafetensors(files.get('network.safetensors') as Uint8Array);
    expect([...tensors.keys()].toSorted()).toEqual(Object.keys(trained.variables).toSorted());
    const { classes, epoch, seed } = JSON.parse(String(files.get('about.json'))) as Record<
      string,
      unknown
    >;
    expect([(classes as string[])[3], epoch, seed]).toEqual(['cat', 2, 4]);
    expect([...exported(trained, 'saved-model').keys()]).toEqual(['saved_model.pb', 'about.json']);
    expect([...exported(trained, 'tfjs').keys()]).toEqual([
      'group1-shard1of1.bin',
      'model.json',
      'about.json',
    ]);
  });
});

describe('predictions', () => {
  const valid = {
    images: Uint8Array.from({ length: 20 * 3072 }, (_, i) => (i * 7919) % 256),
    labels: Uint8Array.from({ length: 20 }, (_, i) => i % 10),
  };

  test('are written and read back', async () => {
    const folder = await leaveRun('predicted', 'demo', { 2: 1 });
    expect(await readPredictions(folder)).toBeUndefined();
    const made = await predictSplit(await readTrained(folder), valid);
    expect(made.losses.every((loss) => loss > 0 && loss < 20)).toBe(true);
    await writePredictions(folder, made);
    const read = await readPredictions(folder);
    expect(read?.predicted).toEqual(made.predicted);
    expect(read?.labels).toEqual(made.labels);
    expect(read?.losses[7]).toBeCloseTo(made.losses[7], 5);
    writeFileSync(
      join(folder, 'predictions.tsv'),
      'image\tlabel\tpredicted\tloss\n0\t3\t12\t0.1\n',
    );
    await expect(readPredictions(folder)).rejects.toThrow('line 2 of');
    rmSync(join(folder, 'predictions.tsv'));
    mkdirSync(join(folder, 'predictions.tsv'));
    await expect(readPredictions(folder)).rejects.toThrow(
      'predictions.tsv cannot be read: it is a',
    );
  });
});
