// Mutation testing: injects each fault of scripts/faults.mjs, one at a time, and runs the tests that should catch it.
//
//   node scripts/mutate.mjs [FIRST [LAST]]   faults by their place in the list, from 1; default: all
//
// Works in a temporary copy of the checkout (src/, setup/, test/ and so on) that shares this checkout's node_modules and
// native/. Prints one line per fault: caught, NOT CAUGHT, or why it could not be tried; caught means that its tests pass
// without it and fail with it. The exit code is 1 if a fault is not caught. Each fault takes two to sixty seconds, and as
// much again for the first run of its tests.
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outcomeOf } from './fault-outcome.mjs';
import { faults } from './faults.mjs';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const left = new Set(['.git', '.setup', '.venv', 'dist', 'runs', 'node_modules', 'native']);
const linked = ['node_modules', 'native', 'dist', '.venv'];
const [first, last] = optionsOf(
  import.meta.url,
  {},
  {
    mostWords: 2,
    read: ({ words: [from = '1', to = `${faults.length}`] }) =>
      [from, to].map((word) => {
        const place = Number(word);
        if (Number.isInteger(place) && place >= 1 && place <= faults.length) return place;
        throw new TypeError(
          `"${word}" is not a position in the list; give a number from 1 to ${faults.length}.`,
        );
      }),
  },
);

const copy = mkdtempSync(join(tmpdir(), 'cifar10-fast-mutate-'));
for (const name of readdirSync(root))
  if (!left.has(name)) cpSync(join(root, name), join(copy, name), { recursive: true });
for (const name of linked)
  if (existsSync(join(root, name))) symlinkSync(join(root, name), join(copy, name));

/** What the tests do without a fault, by test files. */
const unchanged = new Map();
let caught = 0;
let others = 0;
try {
  for (let number = first; number <= last; number++) {
    const fault = faults[number - 1];
    const outcome = outcomeOf(copy, fault, unchanged);
    if (outcome === 'caught') caught += 1;
    else others += 1;
    console.log(`${String(number).padStart(3)} ${outcome.padEnd(16)} ${fault[0]}: ${fault[1]}`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(`${caught} faults caught, ${others} not`);
process.exitCode = others === 0 ? 0 : 1;
