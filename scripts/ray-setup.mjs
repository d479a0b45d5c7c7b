// Installs Ray, which `cifar10-fast sweep --ray` and `npm run test:ray` need, in .venv-ray, apart from everything else.
//
//   node scripts/ray-setup.mjs            what is set up already is left alone
//   node scripts/ray-setup.mjs --clean    removes it
//
// Versions and hashes are those of setup/lock-ray.txt; docs/scale.md says how that file is made. A cluster's nodes must
// have the same version of Ray and the same minor version of Python as its driver, so PYTHON may name which one to use.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const venv = join(root, '.venv-ray');
const stamp = join(venv, 'ray.json');
const lockFile = join(root, 'setup/lock-ray.txt');
const python = join(venv, 'bin/python');
const leastPython = [3, 10];

function fail(message) {
  console.error(`ray-setup: ${message}`);
  process.exit(1);
}

const run = (command, args, options = {}) =>
  spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });

/** The Python that PYTHON names, else the first on the path that is new enough and can make virtual environments. */
function findPython() {
  const probe = `import sys, venv, ensurepip; sys.exit(sys.version_info < (${leastPython.join()}))`;
  const named = process.env.PYTHON;
  const names = named
    ? [named]
    : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const found = names.find((name) => run(name, ['-c', probe]).status === 0);
  if (found === undefined) {
    fail(
      `no Python from ${leastPython.join('.')} on with venv was found (${names.join(', ')}). ` +
        'On Debian: apt-get install python3 python3-venv',
    );
  }
  return found;
}

const args = process.argv.slice(2);
if (args.length > 1 || (args.length === 1 && args[0] !== '--clean')) {
  console.error('usage: npm run ray:setup [-- --clean]');
  process.exit(2);
}
if (args[0] === '--clean') {
  rmSync(venv, { recursive: true, force: true });
  console.log('.venv-ray is removed');
  process.exit(0);
}

const lock = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
const before = existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : {};
if (before.lock !== lock) {
  const base = findPython();
  rmSync(venv, { recursive: true, force: true });
  mkdirSync(venv);
  // It ignores itself: whoever lists or commits files does not see it.
  writeFileSync(join(venv, '.gitignore'), '*\n');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  const steps = [
    [base, ['-m', 'venv', venv]],
    [python, [...pip, '--require-hashes', '--no-deps', '--only-binary=:all:', '-r', lockFile]],
  ];
  for (const [command, args] of steps) {
    if (run(command, args, { stdio: 'inherit' }).status !== 0) {
      fail(
        `${command} ${args.slice(0, 3).join(' ')} failed, see above. Start it again: it begins anew.`,
      );
    }
  }
  const { stdout, stderr, status } = run(python, ['-c', 'import ray; print(ray.__version__)']);
  if (status !== 0) fail(`Ray does not load:\n${stderr.trim()}`);
  writeFileSync(stamp, `${JSON.stringify({ lock, version: stdout.trim() })}\n`);
}
console.log(`set up: Ray ${JSON.parse(readFileSync(stamp, 'utf8')).version} in .venv-ray`);
