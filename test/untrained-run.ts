import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRng } from '../src/base/rng';
import { findExperiment } from '../src/catalogue/catalogue';
import { networkOf } from '../src/catalogue/network';
import { scaled } from '../src/catalogue/scale';
import { initNetwork } from '../src/nn/network';
import { keepCheckpoint } from '../src/runs/checkpoint';
import type { RunFolder } from '../src/runs/folder';
import type { EpochRow } from '../src/train/training';

/** Writes the folder of a run at smoke scale after epoch 2, with an untrained network. */
export async function keepUntrained(path: string, name: string, result?: object): Promise<void> {
  mkdirSync(path, { recursive: true });
  const experiment = scaled(findExperiment(name), 'smoke');
  const network = initNetwork(networkOf(experiment), createRng(0, 'init'));
  const snapshot = {
    epoch: 2,
    totalSec: 1,
    learnt: { network, ema: network, velocity: {}, extra: {} },
  };
  const write = (file: string, content: string | Uint8Array): Promise<void> => {
    writeFileSync(join(path, file), content);
    return Promise.resolve();
  };
  const folder = { path, write } as Partial<RunFolder> as RunFolder;
  await keepCheckpoint(folder, { snapshot, rows: rowsTo(2), config: 'of a test' }, 'all');
  const hardware = { cpu: 'AMD EPYC', cores: 2, memoryBytes: 2 ** 34, cpuFlags: [], gpus: [] };
  const about = { record: name, scale: 'smoke', seed: 0, started: '2026-11-23', mode: 'eager' };
  writeFileSync(
    join(path, 'run.json'),
    JSON.stringify({
      ...about,
      precision: 'fp32',
      experiment,
      hardware,
      ...(result ? { result } : {}),
    }),
  );
}

function rowsTo(epoch: number): EpochRow[] {
  const figures = { time: 1, loss: 1.5, acc: 0.5 };
  return Array.from({ length: epoch }, (_, i) => {
    return { epoch: i + 1, lr: 0.1, train: figures, valid: figures, 'total time': i + 1 };
  });
}
