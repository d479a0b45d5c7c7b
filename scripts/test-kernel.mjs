// Tests the Jupyter kernel through its clients, and writes the conformance table of docs/kernel.md.
//
//   node scripts/test-kernel.mjs
//
// test/kernel holds the tests: our own, the public conformance suite against this kernel and against stock tslab, and tests
// with nbclient, nbconvert, papermill, nbmake, nbval and the console. The last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { installTools, python, root } from './kernel-tools.mjs';
import { writeSection } from './sections.mjs';
import { optionsOf } from './options.mjs';

optionsOf(import.meta.url);

const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-kernel-test-'));
const conformance = join(scratch, 'conformance.json');
const report = join(scratch, 'report.json');

function runTests() {
  const vitest = createRequire(import.meta.url).resolve('vitest/package.json');
  const options = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const env = { ...process.env, KERNEL_TOOLS: python, KERNEL_CONFORMANCE: conformance };
  const main = join(dirname(vitest), 'vitest.mjs');
  const { status } = spawnSync(process.execPath, [main, 'run', ...options, 'test/kernel'], {
    cwd: root,
    stdio: 'inherit',
    env,
  });
  const {
    numPassedTests: passed,
    numFailedTests,
    numFailedTestSuites,
  } = JSON.parse(readFileSync(report, 'utf8'));
  const isBad = status !== 0 || numFailedTestSuites > 0 || passed === 0;
  return { passed, failed: Math.max(numFailedTests, isBad ? 1 : 0) };
}

function table({ ours, stock }) {
  const cell = (found) => found?.state ?? 'not run';
  const count = (results, state) =>
    Object.values(results).filter((found) => found.state === state).length;
  const total = (results) => ['pass', 'fail', 'skip'].map((state) => count(results, state));
  return [
    '| test | this kernel | stock tslab |',
    '| --- | --- | --- |',
    ...Object.keys(ours)
      .filter((name) => cell(ours[name]) !== 'pass' || cell(stock[name]) !== 'pass')
      .map((name) => `| ${name} | ${cell(ours[name])} | ${cell(stock[name])} |`),
    `| **pass / fail / skip** | **${total(ours).join(' / ')}** | ${total(stock).join(' / ')} |`,
  ].join('\n');
}

try {
  installTools();
  const { passed, failed } = runTests();
  const found = JSON.parse(readFileSync(conformance, 'utf8'));
  await writeSection('docs/kernel.md', 'conformance', table(found));
  console.log(`\n${table(found)}\n\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
