import { expect, test } from 'vitest';
import { InterruptedError, LayerError, TrainError } from '../base/errors';
import { createRng } from '../base/rng';
import { build } from '../graph/build';
import { softplus } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { flatten } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { crossEntropyLoss } from '../nn/loss';
import { initNetwork } from '../nn/network';
import type { AnyLayer } from '../nn/network';
import type { HostBatch } from './fixed-batches';
import { createHessian } from './hessian';
import type { Sample } from './hessian';
import { lossSurface } from './loss-surface';
import { dot, perturbed, randomDirection, scaled, norm, vectorLayout } from './vector';

function batchOf(seed: number): HostBatch {
  const rng = createRng(seed, 'batch');
  const data = Float32Array.from({ length: 8 * 4 * 4 * 2 }, () => rng.normal());
  const target = Int32Array.from({ length: 8 }, () => rng.integer(3));
  return { input: { shape: [8, 4, 4, 2], data }, target: { shape: [8], data: target } };
}

const graph = build<AnyLayer>({
  input: [null, []],
  conv: conv(2, 3),
  bn: batchNorm(3),
  act: softplus(),
  flat: flatten(),
  linear: linear(48, 3),
});
const sample: Sample = {
  model: { graph, loss: build(crossEntropyLoss()) },
  variables: initNetwork(graph, createRng(0)),
  batches: [batchOf(1), batchOf(2)],
  isTraining: true,
};
const layout = vectorLayout(graph);
const [first, second] = [1, 2].map((seed) => randomDirection(layout.size, createRng(seed)));

test('is the loss of the moved network, row by row', async () => {
  const found = await lossSurface(sample, [first, second], { extent: 0.5, points: 3 });
  expect(found.map((place) => [place.first, place.second])).toEqual(
    [-0.5, 0, 0.5].flatMap((b) => [-0.5, 0, 0.5].map((a) => [a, b])),
  );
  // The corner equals the centre of the surface around the network moved there.
  const half = perturbed(layout, sample.variables, first, 0.5);
  const corner = { ...sample, variables: perturbed(layout, half, second, 0.5) };
  const [, , , , middle] = await lossSurface(corner, [first, second], { extent: 1, points: 3 });
  expect(found[8].loss).toBeCloseTo(middle.loss, 5);
  expect(Math.abs(found[8].loss - found[0].loss)).toBeGreaterThan(0.01);
});

test('its curvature along a direction equals that of the Hessian, for a mean over 8 examples', async () => {
  const hessian = createHessian(sample);
  const unit = scaled(first, 1 / norm(first));
  const curvature = dot(unit, await hessian.product(unit)) / 8;
  hessian.dispose();
  const extent = 0.1;
  const found = await lossSurface(sample, [first, second], { extent, points: 3 });
  const [low, middle, high] = found.slice(3, 6).map(({ loss }) => loss);
  expect((low - 2 * middle + high) / extent ** 2).toBeCloseTo(curvature, 2);
  expect(Math.abs(curvature)).toBeGreaterThan(0.1);
});

test('refuses an empty grid, no batches and a zero direction; a signal stops it', async () => {
  const grid = { extent: 1, points: 3 };
  await expect(lossSurface(sample, [first, second], { ...grid, points: 1 })).rejects.toThrow(
    TrainError,
  );
  await expect(lossSurface({ ...sample, batches: [] }, [first, second], grid)).rejects.toThrow(
    TrainError,
  );
  await expect(lossSurface(sample, [first, first.map(() => 0)], grid)).rejects.toThrow(LayerError);
  const stop = new AbortController();
  const stopping = lossSurface(
    { ...sample, signal: stop.signal },
    [first, second],
    grid,
    (done) => {
      if (done === 4) stop.abort();
    },
  );
  await expect(stopping).rejects.toThrow(
    new InterruptedError('lossSurface: stopped after 4 of 9 places.'),
  );
});
