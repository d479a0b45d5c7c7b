// Runs test suites one after the other and adds up what passed and failed.
//
//   node scripts/test.mjs            everything that `npm test` covers
//   node scripts/test.mjs check      the suites named: all, source, check, parity, kernel, notebooks
//
// The last line is `N passed, N failed`; the exit code is 1 if anything failed, or if a suite ran no test.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-test-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** The executable script of a package, to be run by this Node. */
function script(name, bin = name) {
  const manifest = require.resolve(`${name}/package.json`);
  const { bin: bins } = JSON.parse(readFileSync(manifest, 'utf8'));
  return join(dirname(manifest), typeof bins === 'string' ? bins : bins[bin]);
}

function run(...args) {
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** Runs checks that need one core each in parallel. Each is [name, script, ...arguments] and counts as one test. */
const together = (...checks) => ({
  name: checks.map(([name]) => name).join(', '),
  run: async () => {
    const results = await Promise.all(
      checks.map(
        ([name, ...args]) =>
          new Promise((settle) => {
            const child = spawn(process.execPath, args, { cwd: root });
            let output = '';
            for (const stream of [child.stdout, child.stderr])
              stream.setEncoding('utf8').on('data', (text) => (output += text));
            child.on('close', (status) => {
              if (status !== 0) console.log(`${name} failed:\n${output.trimEnd()}`);
              settle(status === 0);
            });
          }),
      ),
    );
    const passed = results.filter(Boolean).length;
    return { passed, failed: results.length - passed };
  },
});

/** A single check, which counts as one test. */
const one = (name, ...args) => together([name, ...args]);

/** Runs test files with vitest and counts by its report; a run without a report or a test is a failure. */
const vitest = (name, ...args) => ({
  name,
  run: () => {
    const report = join(scratch, `${name}.json`);
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const isGood = run(script('vitest'), 'run', ...reporters, ...args);
    try {
      const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(
        readFileSync(report, 'utf8'),
      );
      const failed = Math.max(numFailedTests, numFailedTestSuites > 0 || !isGood ? 1 : 0);
      return { passed: numPassedTests, failed: numPassedTests + failed === 0 ? 1 : failed };
    } catch {
      return { passed: 0, failed: 1 };
    }
  },
});

/** A script that prints its own counts in its last line. */
const counting = (name, ...args) => ({
  name,
  run: () => {
    const { status, stdout } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    process.stdout.write(stdout);
    const [, passed = '0', failed = '1'] = /(\d+) passed, (\d+) failed\s*$/.exec(stdout) ?? [];
    const isGood = status === 0 && passed !== '0';
    return { passed: Number(passed), failed: Math.max(Number(failed), isGood ? 0 : 1) };
  },
});

const tsc = 'node_modules/typescript-native/bin/tsc';
const source = together(
  ['format', script('prettier'), '--check', '--log-level=warn', '.'],
  ['lint', script('oxlint'), '--type-aware', '--max-warnings=0', '--threads=1'],
  // Stricter than the check below, which sees all files: exports need explicit types here.
  ['types of the build', tsc, '-p', 'tsconfig.json', '--noEmit', '--incremental', 'false'],
  ['types', tsc, '-p', 'tsconfig.check.json'],
  ['types of the page', tsc, '-p', 'page/tsconfig.json'],
);
const notebooks = [
  one('kept outputs', 'scripts/notebooks.mjs', 'check'),
  counting('smoke', 'scripts/test-notebooks.mjs'),
];
const projects = (...names) => vitest(names.join('-'), ...names.map((name) => `--project=${name}`));

const suites = {
  // One run of vitest shares its workers among all files. Tests that need Python tools are left to `npm run test:kernel`.
  all: [source, projects('unit', 'alone', 'parity', 'kernel'), ...notebooks],
  source: [source],
  check: [source, projects('unit', 'alone')],
  parity: [projects('parity')],
  kernel: [projects('kernel')],
  notebooks,
};

const { words: named } = optionsOf(
  import.meta.url,
  {},
  {
    mostWords: Infinity,
    read: ({ words }) => {
      const unknown = words.find((name) => !(name in suites));
      if (unknown === undefined) return { words };
      const known = Object.keys(suites).join(', ');
      throw new TypeError(`there is no suite "${unknown}". Suites are: ${known}.`);
    },
  },
);

const rows = [];
for (const name of named.length > 0 ? named : ['all']) {
  for (const step of suites[name]) {
    console.log(`\n== ${name}: ${step.name}`);
    const start = performance.now();
    const counts = await step.run();
    rows.push({
      name: `${name}: ${step.name}`,
      sec: (performance.now() - start) / 1000,
      ...counts,
    });
  }
}
console.log();
for (const { name, sec, passed, failed } of rows) {
  console.log(
    `${name.padEnd(20)} ${sec.toFixed(1).padStart(7)} s  ${passed} passed, ${failed} failed`,
  );
}
const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
console.log(`${total('passed')} passed, ${total('failed')} failed`);
process.exitCode = total('failed') === 0 ? 0 : 1;
