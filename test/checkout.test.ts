import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(__dirname, '..');

describe.skipIf(!existsSync(join(root, '.git')))('a checkout after use', () => {
  const isIgnored = (path: string): boolean =>
    spawnSync('git', ['check-ignore', '--no-index', '-q', path], { cwd: root }).status === 0;

  test.each([
    'logs.tsv',
    'logs-2.tsv',
    'net.svg',
    'runs/demo-pocket-0/run.json',
    'report.html',
    'results/report.html',
    '.ipynb_checkpoints/demo-checkpoint.ipynb',
    'notebooks/.ipynb_checkpoints/demo-checkpoint.ipynb',
    'notebooks/net.svg',
  ])('ignores %s', (path) => {
    expect(isIgnored(path)).toBe(true);
  });

  test.each(['docs/pictures/net.svg', 'results/new.json', 'notebooks/demo.ipynb'])(
    'does not ignore %s',
    (path) => {
      expect(isIgnored(path)).toBe(false);
    },
  );
});

describe('README', () => {
  test('promises bit-identical results only for the same number of threads', () => {
    const text = readFileSync(join(root, 'README.md'), 'utf8').replaceAll(/\s+/g, ' ');
    for (const [sentence] of text.matchAll(/[^.]*\b(?:digit for digit|bit-identical)\b[^.]*\./g)) {
      expect(sentence).toMatch(/\bthreads\b|--resume/);
    }
  });
});
