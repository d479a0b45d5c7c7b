import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { tsv } from './tsv';
import type { TsvRow } from './tsv';

const { tsv: golden } = JSON.parse(
  readFileSync(join(__dirname, '../../test/fixtures/reference/core.json'), 'utf8'),
) as { readonly tsv: { readonly rows: readonly TsvRow[]; readonly text: string } };

test("the reference's bytes", () => {
  expect(tsv(golden.rows)).toBe(golden.text);
});

test('without rows only the titles', () => {
  expect(tsv([])).toBe('epoch\thours\ttop1Accuracy');
});

test('written values are read back to the last decimal', () => {
  const row = fc.record({
    epoch: fc.integer({ min: 1, max: 1000 }),
    'total time': fc.double({ min: 0, max: 1e6, noNaN: true }),
    valid: fc.record({ acc: fc.double({ min: 0, max: 1, noNaN: true }) }),
  });
  fc.assert(
    fc.property(fc.array(row), (rows) => {
      const [, ...lines] = tsv(rows).split('\n');
      expect(lines).toHaveLength(rows.length);
      for (const [at, line] of lines.entries()) {
        expect(line).toMatch(/^\d+\t\d+\.\d{8}\t\d+\.\d{2}$/);
        const [epoch, hours, percent] = line.split('\t').map(Number);
        expect(epoch).toBe(rows[at].epoch);
        expect(Math.abs(hours - rows[at]['total time'] / 3600)).toBeLessThanOrEqual(0.500001e-8);
        expect(Math.abs(percent - 100 * rows[at].valid.acc)).toBeLessThanOrEqual(0.500001e-2);
      }
    }),
  );
});
