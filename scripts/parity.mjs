// Compares the library with the reference implementation, tensor by tensor.
//
//   node scripts/parity.mjs            the fixtures of test/fixtures/reference, and one of our own
//   node scripts/parity.mjs FOLDER     any other folder of fixtures in the same format
//
// Prints one line per fixture, with the tensor of the largest error relative to its largest element, then the failures. The
// last line is `N passed, N failed`. The exit code is 1 if anything failed, 2 if there is no fixture.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startVitest } from 'vitest/node';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { words } = optionsOf(import.meta.url, {}, { mostWords: 1 });
const [other] = words;
// npm runs scripts in the package's folder; paths are relative to the folder in which npm was called.
const folder =
  other === undefined
    ? join(root, 'test/fixtures/reference')
    : resolve(process.env.INIT_CWD ?? '', other);
const isFixture = (file) => file.endsWith('.json') || file.endsWith('.safetensors');
const hasFixture = existsSync(folder) && readdirSync(folder).some(isFixture);
if (!hasFixture) {
  console.error(
    `parity: ${folder} holds no fixture. ` +
      'Name a folder with NAME.json and, where the fixture has tensors, NAME.safetensors.',
  );
  process.exit(2);
}

/** Prints everything at the end: the worst tensor of each fixture, then every failure. */
const reporter = {
  onTestRunEnd(modules, errors) {
    const files = new Map();
    const failures = new Set(errors.map(({ message }) => message));
    const remarks = new Set();
    for (const module of modules) {
      for (const { message } of module.errors()) failures.add(message);
      for (const test of module.children.allTests()) {
        const { file, mode, name: what, error, note: remark } = test.meta();
        const name = `${file} ${mode}`;
        const row = files.get(name) ?? { passed: 0, failed: 0, skipped: 0, error: 0, worst: '' };
        files.set(name, row);
        const { state, errors: faults = [], note } = test.result();
        row[state]++;
        if (state === 'failed')
          for (const { message } of faults) failures.add(`${name}: ${message}`);
        if (state === 'skipped') remarks.add(`${name}: ${what} was not compared: ${note}`);
        if (remark !== undefined) remarks.add(`${name}: ${remark}`);
        if (error > row.error) Object.assign(row, { error, worst: what });
      }
    }
    const width = Math.max(0, ...[...files.keys()].map(({ length }) => length));
    for (const [name, { passed, failed, error, worst }] of files) {
      const off = worst === '' ? '' : `, worst ${error.toExponential(1)} in ${worst}`;
      console.log(`${name.padEnd(width)}  ${passed} passed, ${failed} failed${off}`);
    }
    for (const line of [...remarks, ...failures]) console.log(line);
    const total = (key) => [...files.values()].reduce((sum, row) => sum + row[key], 0);
    // A failure outside a test counts, too.
    const failed = Math.max(total('failed'), failures.size > 0 || total('passed') === 0 ? 1 : 0);
    console.log(`${total('passed')} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  },
};

console.log(`parity with ${relative(process.cwd(), folder) || folder}`);
if (other !== undefined) process.env.PARITY_FOLDER = folder;
const vitest = await startVitest('test', ['test/parity/parity.test.ts'], {
  root,
  watch: false,
  reporters: [reporter],
});
await vitest.close();
