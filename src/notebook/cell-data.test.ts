import { expect, test } from 'vitest';
import { loadCifar10 } from '../data/cifar10';
import { cellData } from './cell-data';

test('cellData is CIFAR-10, read once for several trainings, and again for another cache folder', async () => {
  const { signal } = new AbortController();
  const data = await cellData(signal);
  expect(await cellData(signal)).toBe(data);
  const whole = await loadCifar10();
  expect(data.source).toBe(whole.source);
  expect(Buffer.compare(data.valid.images, whole.valid.images)).toBe(0);
  expect([data.train.labels.length, data.valid.labels.length]).toEqual([50_000, 10_000]);
  const reason = new Error('stopped');
  await expect(cellData(AbortSignal.abort(reason))).rejects.toBe(reason);

  const before = process.env['CIFAR10_FAST_CACHE'];
  process.env['CIFAR10_FAST_CACHE'] = '/dev/null/nowhere';
  try {
    await expect(cellData(signal)).rejects.toThrow('/dev/null/nowhere');
  } finally {
    if (before === undefined) delete process.env['CIFAR10_FAST_CACHE'];
    else process.env['CIFAR10_FAST_CACHE'] = before;
  }
  expect(await cellData(signal)).toBe(data);
});
