// Judges whether tests catch a fault: injects it, runs the tests, and reads vitest's report. Used by scripts/mutate.mjs.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/**
 * Runs test files of a checkout: 'pass', 'fail', 'none' (no test ran) or 'no report' (vitest did not finish).
 *
 * 'fail' means a failed test, or a test file that failed as a whole, as when it cannot be imported. The exit code is not
 * used: vitest also ends with another one than 0 if it does not start.
 */
export function testsIn(folder, tests) {
  const report = join(folder, '.mutate-report.json');
  const vitest = join(folder, 'node_modules/vitest/vitest.mjs');
  const reporter = ['--reporter=json', `--outputFile=${report}`];
  const options = ['run', '--bail=1', '--passWithNoTests', ...reporter, ...tests.split(' ')];
  spawnSync(process.execPath, [vitest, ...options], { cwd: folder, stdio: 'ignore' });
  try {
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    if (testResults.some(({ status }) => status === 'failed')) return 'fail';
    return numPassedTests > 0 ? 'pass' : 'none';
  } catch {
    return 'no report';
  } finally {
    rmSync(report, { force: true });
  }
}

/**
 * 'caught', 'NOT CAUGHT', or why that cannot be said.
 *
 * A fault is caught if its tests pass without it and fail with it. A test file that no longer imports counts as a failure: as
 * it imported before, the fault is the reason. A fault that breaks the syntax would always be caught so, and is refused.
 *
 * @param unchanged what {@link testsIn} found without a fault, by test files; the caller keeps it for the next fault
 */
export function outcomeOf(folder, fault, unchanged) {
  const [file, right, wrong, tests = file.replace(/\.ts$/, '.test.ts')] = fault;
  const path = join(folder, file);
  if (!existsSync(path)) return 'NO SUCH FILE';
  const text = readFileSync(path, 'utf8');
  if (text.split(right).length !== 2) return 'DOES NOT FIT';
  const faulty = text.replace(right, () => wrong);
  if (!parses(file, faulty)) return 'DOES NOT PARSE';
  if (!unchanged.has(tests)) unchanged.set(tests, testsIn(folder, tests));
  const before = unchanged.get(tests);
  if (before !== 'pass') return before === 'none' ? 'NO TEST' : 'FAILS WITHOUT IT';
  writeFileSync(path, faulty);
  try {
    const found = testsIn(folder, tests);
    if (found === 'no report') return 'NO REPORT';
    return found === 'fail' ? 'caught' : 'NOT CAUGHT';
  } finally {
    writeFileSync(path, text);
  }
}

/** Whether the syntax of a module is right; true for other files. */
function parses(file, text) {
  if (!/\.m?[jt]s$/.test(file)) return true;
  const { diagnostics } = ts.transpileModule(text, { fileName: file, reportDiagnostics: true });
  return diagnostics.length === 0;
}
