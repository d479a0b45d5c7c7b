import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

test('examples/train-csv.mjs learns the last column of a CSV file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-csv-'));
  try {
    const rows = Array.from({ length: 200 }, (_, row) => {
      const [a, b] = [Math.sin(row), Math.cos(3 * row)];
      return [a, b, 2 * a - b].join();
    });
    const path = join(folder, 'rows.csv');
    writeFileSync(path, ['a,b,target', ...rows].join('\n'));
    const script = resolve(__dirname, '../../examples/train-csv.mjs');
    const said = execFileSync(process.execPath, [script, path, '15'], {
      encoding: 'utf8',
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [, first, last] = /validation loss (\S+) -> (\S+)/.exec(said) ?? [];
    expect(Number(last)).toBeLessThan(0.2);
    expect(Number(last)).toBeLessThan(Number(first) / 2);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
