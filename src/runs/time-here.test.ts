import { expect, test } from 'vitest';
import { findExperiment } from '../catalogue/catalogue';
import { scaled } from '../catalogue/scale';
import { hardwareLine, readHardware } from '../engine/hardware';
import { loadTensorflow } from '../engine/tensorflow';
import { inFastestPrecision } from './run';
import type { Run } from './run';
import { timeHere } from './time-here';
import { data } from '../../test/small-run';

const experiment = scaled(findExperiment('demo'), 'full');

test('averages the undisturbed runs that were executed as a plain run is here', async () => {
  const { precision } = inFastestPrecision();
  const { intraOpThreads: threads, gpu } = loadTensorflow();
  const run = (trainSec: number, changes: Partial<Run> = {}): Run => ({
    name: 'demo',
    scale: 'full',
    seed: 0,
    overrides: [],
    mode: 'captured',
    precision,
    xla: false,
    threads,
    device: gpu ? 'gpu' : 'cpu',
    started: '2026-11-23',
    machine: hardwareLine(readHardware()),
    rows: [],
    alone: true,
    result: { accPercent: 94, trainSec, imagesPerSec: 1000 },
    ...changes,
  });
  const { device: _, ...older } = run(300);
  const others = [
    run(9000, { threads: threads + 1 }),
    run(9000, { xla: true }),
    run(9000, { device: gpu ? 'cpu' : 'gpu' }),
    run(9000, { timer: 'dawnbench' }),
    run(9000, { mode: 'eager' }),
    run(9000, { overrides: ['run.epochs=48'] }),
    run(9000, { load: { wallSec: 10, cpuSec: 10, othersSec: 5, cores: 2 } }),
  ];
  const timeOf = timeHere(data, [run(100), ...others, older]);
  expect(await timeOf(experiment)).toEqual({ sec: 200, runs: 2 });
});
