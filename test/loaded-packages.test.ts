import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { cliIn, linkLibrary } from './cli-process';

const folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-loaded-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
linkLibrary(folder);
const { main, run } = cliIn(folder);

/** Prints the names of the loaded packages on exit; the library itself lies in `node_modules/.cache`. */
const listing = join(folder, 'listing.cjs');
writeFileSync(
  listing,
  String.raw`process.on('exit', () => {
    const found = Object.keys(require.cache).flatMap((path) => {
      return /.*node_modules\/((?:@[^/]+\/)?[^/.][^/]*)\//.exec(path)?.[1] ?? [];
    });
    process.stderr.write('loaded: ' + JSON.stringify([...new Set(found)].sort()) + '\n');
  });`,
);

async function packagesOf(args: readonly string[]): Promise<unknown> {
  const { code, stderr } = await run(process.execPath, ['--require', listing, main, ...args]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(/^loaded: (.*)$/m.exec(stderr)?.[1] ?? 'null');
}

const results = resolve(__dirname, '../results');

// No TensorFlow, no sharp, no charts and no TypeScript compiler: each of them takes longer to load than the rest.
test.each([
  { args: ['--version'], packages: [] },
  { args: ['--help'], packages: [] },
  { args: ['list'], packages: [] },
  { args: ['list', '--json'], packages: [] },
  { args: ['kernel', '--help'], packages: [] },
  { args: ['data', '--help'], packages: [] },
  { args: ['show', 'demo'], packages: ['zod'] },
  { args: ['runs', '--log-dir', results], packages: ['zod'] },
])('$args loads only $packages', async ({ args, packages }) => {
  expect(await packagesOf(args)).toEqual(['fastest-levenshtein', ...packages]);
});

test('the listing sees what a heavier command loads', async () => {
  const packages = await packagesOf(['export', '--help']);
  expect(packages).toContain('@tensorflow/tfjs-core');
  expect(packages).not.toContain('sharp');
});
