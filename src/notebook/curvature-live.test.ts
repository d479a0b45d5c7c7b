import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { momentGradients } from '../analysis/gradients';
import type { Sample } from '../analysis/hessian';
import { lossSurface } from '../analysis/loss-surface';
import { orthonormalBasis, overlap } from '../analysis/overlap';
import { randomDirection, vectorLayout } from '../analysis/vector';
import { InterruptedError, NotebookError } from '../base/errors';
import { provideKernelHost } from '../base/kernel-host';
import type { DisplayMessage, KernelHost } from '../base/kernel-host';
import { createRng } from '../base/rng';
import { build } from '../graph/build';
import { celu } from '../nn/activation';
import { flatten } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { crossEntropyLoss } from '../nn/loss';
import { initNetwork } from '../nn/network';
import type { AnyLayer } from '../nn/network';
import { eigenpairsLive, gradientsLive, surfacesLive } from './curvature-live';

let seen: DisplayMessage[] = [];
let controller = new AbortController();

beforeEach(() => {
  seen = [];
  controller = new AbortController();
  provideKernelHost({
    display: (message: DisplayMessage) => void seen.push(message),
    interruptSignal: () => controller.signal,
  } as unknown as KernelHost);
});

afterEach(() => provideKernelHost(undefined as unknown as KernelHost));

const textOf = (message: DisplayMessage | undefined): string =>
  message?.data['text/plain'] as string;

const graph = build<AnyLayer>({
  conv: conv(1, 2),
  act: celu(0.5),
  flatten: flatten(),
  linear: linear(18, 3),
});

function sample(seed: number): Sample {
  const rng = createRng(seed, 'sample');
  const data = Float32Array.from({ length: 8 * 9 }, () => rng.normal());
  const target = Int32Array.from({ length: 8 }, () => rng.integer(3));
  const batch = {
    input: { shape: [8, 3, 3, 1], data },
    target: { shape: [8], data: target },
  };
  return {
    model: { graph, loss: build<AnyLayer>(crossEntropyLoss()) },
    variables: initNetwork(graph, createRng(seed)),
    batches: [batch],
    isTraining: true,
  };
}

const samples = { one: sample(1), other: sample(2) };

describe('gradientsLive', () => {
  test('finds what momentGradients finds, and shows its progress in one display', async () => {
    const found = await gradientsLive(samples, ['mean', 'variance']);
    expect(Object.keys(found)).toEqual(['one', 'other']);
    const alone = await momentGradients(samples.other, ['variance']);
    expect(found.other.variance).toEqual(alone.variance);
    expect(found.other.skew).toEqual([]);
    expect(seen.filter(({ isUpdate }) => !isUpdate)).toHaveLength(1);
    expect(textOf(seen.at(-1))).toMatch(
      /^gradients of each output's mean, variance\n.*\none +6 of 6 +1 .*\nother +6 of 6 +1 /,
    );
  });

  test('can be stopped, and rejects an empty set of networks', async () => {
    controller.abort();
    await expect(gradientsLive(samples, ['mean'])).rejects.toThrow(InterruptedError);
    await expect(gradientsLive({}, ['mean'])).rejects.toThrow(NotebookError);
  });
});

describe('eigenpairsLive', () => {
  test('finds eigenpairs of each network, adds a row every ten products, and projects vectors out', async () => {
    const options = { count: 3, basisSize: 12 };
    const whole = await eigenpairsLive(samples, options);
    expect(seen.filter(({ isUpdate }) => !isUpdate)).toHaveLength(1);
    const text = textOf(seen.at(-1));
    expect(text).toMatch(/^3 eigenpairs of each, [\d.]+ s per product\n/);
    for (const network of ['one', 'other'] as const) {
      const { products, isConverged } = whole[network];
      expect(isConverged).toBe(true);
      const rows = [...text.matchAll(new RegExp(String.raw`^${network} +(\d+) .*$`, 'gm'))];
      const tens = Array.from({ length: Math.floor(products / 10) }, (_, i) => 10 * (i + 1));
      const expected = products % 10 === 0 ? tens : [...tens, products];
      expect(rows.map(([, count]) => Number(count))).toEqual(expected);
      expect(rows.at(-1)?.[0]).toMatch(/ converged$/);
    }

    const complementOf = {
      one: orthonormalBasis(whole.one.vectors.slice(0, 1)),
      other: orthonormalBasis(whole.other.vectors.slice(0, 2)),
    };
    const projected = await eigenpairsLive(samples, { ...options, complementOf });
    const magnitudes = (values: Float64Array): number[] => [...values].map(Math.abs);
    expect(projected.one.vectors.map((v) => overlap(complementOf.one, v))).toEqual([
      expect.closeTo(0, 6),
      expect.closeTo(0, 6),
      expect.closeTo(0, 6),
    ]);
    // Without the two leading directions, the third is the largest that remains.
    const [third] = magnitudes(whole.other.values).toSorted((a, b) => a - b);
    expect(Math.max(...magnitudes(projected.other.values)) / third).toBeCloseTo(1, 3);
  });

  test('can be stopped, and rejects an empty set of networks', async () => {
    controller.abort();
    await expect(eigenpairsLive(samples, { count: 2 })).rejects.toThrow(InterruptedError);
    await expect(eigenpairsLive({}, { count: 2 })).rejects.toThrow(NotebookError);
  });
});

describe('surfacesLive', () => {
  const { size } = vectorLayout(graph);
  const plane = (seed: number): readonly [Float32Array, Float32Array] => {
    const rng = createRng(seed, 'plane');
    return [randomDirection(size, rng), randomDirection(size, rng)];
  };
  const planes = { one: plane(1), other: plane(2) };
  const grid = { extent: 0.5, points: 3 };

  test('returns the grid points of each plane with its name, and shows its progress in one display', async () => {
    const found = await surfacesLive(samples, planes, grid);
    expect(found.map((place) => place.plane)).toEqual(
      ['one', 'other'].flatMap((name) => Array.from({ length: 9 }, () => name)),
    );
    const alone = await lossSurface(samples.other, planes.other, grid);
    expect(found.slice(9)).toEqual(alone.map((place) => ({ ...place, plane: 'other' })));
    expect(seen.filter(({ isUpdate }) => !isUpdate)).toHaveLength(1);
    expect(textOf(seen.at(-1))).toMatch(
      /^loss around each network\n.*\none +9 of 9 +[\d.]+ *\nother +9 of 9 +[\d.]+/,
    );
  });

  test('can be stopped, and rejects an empty set of networks', async () => {
    controller.abort();
    await expect(surfacesLive(samples, planes, grid)).rejects.toThrow(InterruptedError);
    await expect(surfacesLive({}, {}, grid)).rejects.toThrow(NotebookError);
  });
});
