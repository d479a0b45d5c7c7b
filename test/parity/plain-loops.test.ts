import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { expectClose } from '../expect-close';
import type { Numbers } from '../expect-close';
import { readFixture } from './fixture';
import { trainPlainly } from './plain-loops';
import type { Plain } from './plain-loops';

/**
 * The plain loops reproduce the reference's numbers, so they can replace it for other networks. They differ only by the
 * rounding of the stored initial values: 4e-6 after four steps of post 8's recipe, below 1e-6 elsewhere.
 */
test.each(['backbone_maxpool', 'baseline_dawn_net', 'bag_of_tricks'])(
  'plain loops equal the reference: %s',
  (name) => {
    const fixture = readFixture(resolve(__dirname, '../fixtures/reference'), name);
    if (fixture.kind !== 'network') throw new Error(`${name} is no network`);
    const { spec, tensors } = fixture;
    const wide = (key: string): Plain => {
      const { shape, data } = tensors.get(key) as Numbers;
      return { shape, data: Float64Array.from(data) };
    };
    const batch = (key: string): { readonly input: Plain; readonly target: Float64Array } => ({
      input: wide(`${key}/input`),
      target: wide(`${key}/target`).data,
    });
    const init = [...tensors.keys()].filter((key) => key.startsWith('init/'));
    const found = trainPlainly(
      spec,
      new Map(init.map((key) => [key.slice('init/'.length), wide(key)])),
      spec.lr_per_step.map((_, index) => batch(`step${index + 1}`)),
      batch('eval'),
    );
    for (const [key, expected] of tensors) {
      expectClose(key, found.get(key) ?? { shape: [], data: [] }, expected, 1e-5);
    }
    expect(tensors.size).toBeGreaterThan(60);
  },
  60_000,
);
