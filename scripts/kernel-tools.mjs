// The Python tools of `npm run test:kernel` and `npm run bench:kernel`, installed into .venv-kernel.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const venv = join(root, '.venv-kernel');
const stamp = join(venv, 'lock.sha256');
const lockFile = join(root, 'setup/lock-kernel-tests.txt');

/** The Python of the environment. {@link installTools} creates it. */
export const python = join(venv, 'bin/python');

const run = (command, args, options = {}) =>
  spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });

/** The first Python on the PATH that is new enough and can create virtual environments. */
function findPython() {
  const probe = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))';
  const names = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const found = names.find((name) => run(name, ['-c', probe]).status === 0);
  if (found === undefined) {
    throw new Error(
      'no Python 3.9 or later with venv was found. On Debian: apt-get install python3 python3-venv',
    );
  }
  return found;
}

/** Installs the packages of setup/lock-kernel-tests.txt and verifies their hashes; does nothing if they are up to date. */
export function installTools() {
  const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const base = findPython();
  console.log(
    'Tools that execute notebooks, into .venv-kernel: 25 MB to download, 160 MB on disk.',
  );
  rmSync(venv, { recursive: true, force: true });
  mkdirSync(venv);
  // Git ignores the folder.
  writeFileSync(join(venv, '.gitignore'), '*\n');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  const locked = ['--require-hashes', '--no-deps', '--only-binary=:all:', '-r', lockFile];
  for (const [command, args] of [
    [base, ['-m', 'venv', venv]],
    [python, [...pip, ...locked]],
  ]) {
    if (run(command, args, { stdio: 'inherit' }).status !== 0) {
      throw new Error(
        `${command} ${args[1]} failed, see above. Run it again; it starts from the beginning.`,
      );
    }
  }
  writeFileSync(stamp, wanted);
}
