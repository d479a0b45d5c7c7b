import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outcomeOf, testsIn } from '../scripts/fault-outcome.mjs';

/** scripts/mutate.mjs on a checkout of three modules, of which one test passes, one fails and one cannot be imported. */
const root = mkdtempSync(join(tmpdir(), 'cifar10-fast-mutate-test-'));
const source = `export const double = (n: number): number => 2 * n;
export const limit = 3;
if (limit < 2) throw new Error('too low');
`;

beforeAll(() => {
  symlinkSync(resolve(__dirname, '../node_modules'), join(root, 'node_modules'));
  mkdirSync(join(root, 'src'));
  const files: Readonly<Record<string, string>> = {
    'package.json': '{}',
    'src/own.ts': source,
    'src/own.test.ts': `import { expect, test } from 'vitest';
import { double } from './own';
test('doubles', () => expect(double(3)).toBe(6));`,
    'src/broken.test.ts': `import { test } from 'vitest';
import { double } from './none';
test('never runs', () => double(1));`,
    'src/skipped.test.ts': `import { test } from 'vitest';
test.skip('later', () => undefined);`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const own = 'src/own.ts';

test.each<readonly [outcome: string, fault: readonly string[]]>([
  ['caught', [own, '2 * n', '3 * n']],
  ['NOT CAUGHT', [own, 'limit = 3', 'limit = 4']],
  // The fault throws when the module is imported.
  ['caught', [own, 'limit = 3', 'limit = 1']],
  ['DOES NOT PARSE', [own, '2 * n', '2 * (n']],
  ['DOES NOT FIT', [own, 'triple', 'double']],
  ['NO SUCH FILE', ['src/none.ts', 'a', 'b']],
  // These were reported as caught.
  ['FAILS WITHOUT IT', [own, '2 * n', '3 * n', 'src/broken.test.ts']],
  ['NO TEST', [own, '2 * n', '3 * n', 'src/skipped.test.ts']],
  ['NO TEST', [own, '2 * n', '3 * n', 'src/none.test.ts']],
])('%s: %j', (outcome, fault) => {
  expect(outcomeOf(root, fault, new Map())).toBe(outcome);
  expect(readFileSync(join(root, own), 'utf8')).toBe(source);
});

test('a vitest that does not start catches nothing', () => {
  const config = join(root, 'vitest.config.mts');
  writeFileSync(config, 'throw new Error("no configuration");');
  const unchanged = new Map([['src/own.test.ts', 'pass']]);
  expect(testsIn(root, 'src/own.test.ts')).toBe('no report');
  expect(outcomeOf(root, [own, '2 * n', '3 * n'], unchanged)).toBe('NO REPORT');
  expect(outcomeOf(root, [own, '2 * n', '3 * n'], new Map())).toBe('FAILS WITHOUT IT');
  rmSync(config);
});
