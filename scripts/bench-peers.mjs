// Installs PyTorch, which `npm run bench` compares with, into .venv-peers, separate from the project's own environment.
//
//   node scripts/bench-peers.mjs            installs it, unless it is up to date
//   node scripts/bench-peers.mjs --clean    removes it
//
// Versions and hashes are pinned in setup/lock-peers.txt; docs/setup.md describes how to update that file. For Linux, the
// registry has only the CUDA build of PyTorch, which does not load without the CUDA libraries: 5.5 GB on disk.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const venv = join(root, '.venv-peers');
const stamp = join(venv, 'peers.json');
const lockFile = join(root, 'setup/lock-peers.txt');
const python = join(venv, 'bin/python');
const leastPython = [3, 11];
const neededGB = 9;

function fail(message) {
  console.error(`bench-peers: ${message}`);
  process.exit(1);
}

const run = (command, args, options = {}) =>
  spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });

/** The first Python on the PATH that is new enough and can create virtual environments. */
function findPython() {
  const probe = `import sys, venv, ensurepip; sys.exit(sys.version_info < (${leastPython.join()}))`;
  const names = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11'];
  const found = names.find((name) => run(name, ['-c', probe]).status === 0);
  if (found === undefined) {
    fail(
      `no Python ${leastPython.join('.')} or later with venv was found; PyTorch needs one. ` +
        'On Debian: apt-get install python3 python3-venv',
    );
  }
  return found;
}

function installTorch() {
  const { bavail, bsize } = statfsSync(root);
  const freeGB = (bavail * bsize) / 1e9;
  if (freeGB < neededGB) {
    fail(`${freeGB.toFixed(1)} GB are free; PyTorch and its download take up to ${neededGB} GB.`);
  }
  const base = findPython();
  rmSync(venv, { recursive: true, force: true });
  mkdirSync(venv);
  // Git ignores the folder.
  writeFileSync(join(venv, '.gitignore'), '*\n');
  console.log(
    'PyTorch with its libraries: nearly 3 GB to download, 5.5 GB on disk, two to four minutes.',
  );
  const steps = [
    [base, ['-m', 'venv', venv]],
    [
      python,
      ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes'].concat(
        ['--no-deps', '--only-binary=:all:', '-r', lockFile],
      ),
    ],
  ];
  for (const [command, args] of steps) {
    if (run(command, args, { stdio: 'inherit' }).status !== 0) {
      fail(
        `${command} ${args[1]} ${args[2]} failed, see above. Run it again; it starts from the beginning.`,
      );
    }
  }
}

/** Whether torch.compile works, which needs a C++ compiler; if not, prints the last lines of its error. */
function tryCompiler() {
  const program = 'import torch; torch.compile(lambda x: (2 * x).sin())(torch.ones(1000))';
  const env = { ...process.env, TORCHINDUCTOR_CACHE_DIR: join(venv, 'inductor') };
  const { status, stderr } = run(python, ['-c', program], { env });
  if (status === 0) return true;
  console.error(
    'bench-peers: torch.compile does not work here, so the benchmark leaves its modes out. It needs a C++ compiler ' +
      `with OpenMP; on Debian: apt-get install g++\n${stderr.trim().split('\n').slice(-3).join('\n')}`,
  );
  return false;
}

const { clean } = optionsOf(import.meta.url, { clean: { type: 'boolean' } });
if (clean) {
  rmSync(venv, { recursive: true, force: true });
  console.log('.venv-peers is removed');
  process.exit(0);
}

const lock = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
const before = existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : {};
if (before.lock !== lock) installTorch();
if (before.lock !== lock || !before.compiles) {
  const { stdout, stderr, status } = run(python, ['-c', 'import torch; print(torch.__version__)']);
  if (status !== 0)
    fail(`PyTorch does not load:\n${stderr.trim()}\nnpm run bench:peers -- --clean`);
  const found = { lock, version: stdout.trim(), compiles: tryCompiler() };
  writeFileSync(stamp, `${JSON.stringify(found)}\n`);
}
const { version, compiles } = JSON.parse(readFileSync(stamp, 'utf8'));
console.log(
  `set up: PyTorch ${version} in .venv-peers, torch.compile ${compiles ? 'works' : 'does not'}`,
);
