import { expect, test } from 'vitest';
import { createSession } from './session';

test('XLA compiles regions of a step, which returns the same numbers up to rounding', async () => {
  const data = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i));
  const results = [];
  for (const xla of [false, true]) {
    const session = createSession({ a: { shape: [64, 64], data } }, { xla });
    try {
      const step = session.capture(
        'chain',
        ({ a }) => ({ outputs: { sum: a.mul(2).add(1).sigmoid().mul(a).sub(0.5).square().sum() } }),
        {},
      );
      await step({});
      const { result, nodes } = await session.profile(() => step({}));
      results.push({
        sum: result.sum.data[0],
        compiled: nodes.filter(({ op }) => op.includes('Xla')).length,
        sigmoids: nodes.filter(({ op }) => op === 'Sigmoid').length,
      });
    } finally {
      session.dispose();
    }
  }
  const [plain, compiled] = results;
  expect(plain).toMatchObject({ compiled: 0, sigmoids: 1 });
  expect(compiled.compiled).toBeGreaterThan(0);
  expect(compiled.sigmoids).toBe(0);
  expect(Math.abs(compiled.sum / plain.sum - 1)).toBeLessThan(1e-5);
});
