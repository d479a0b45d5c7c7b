// Installs Python packages into a virtual environment of their own, for the set-up scripts.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (command, args, options = {}) =>
  spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });

/**
 * Installs the exact versions and hashes of `setup/lock-NAME.txt` into `.venv-NAME`, unless an earlier call installed the same
 * lock file. With `--clean` on the command line, removes the environment. Exits with 1 on failure.
 *
 * @param url `import.meta.url` of the script, whose head comment is its help
 * @param name of the environment, its lock file, and its npm script `NAME:setup`
 * @param title a readable name of what is installed
 * @param leastPython the minimum version, as in [3, 10]; the variable PYTHON selects a Python
 * @param probe a line of Python that imports the packages and prints their versions
 */
export function setUpVenv(url, { name, title, leastPython, probe }) {
  const venv = join(root, `.venv-${name}`);
  const stamp = join(venv, `${name}.json`);
  const python = join(venv, 'bin/python');
  const fail = (message) => {
    console.error(`${name}-setup: ${message}`);
    process.exit(1);
  };
  const { clean } = optionsOf(url, { clean: { type: 'boolean' } });
  if (clean) {
    rmSync(venv, { recursive: true, force: true });
    console.log(`.venv-${name} is removed`);
    process.exit(0);
  }
  const lockFile = join(root, `setup/lock-${name}.txt`);
  const lock = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  const before = existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : {};
  if (before.lock !== lock) {
    const base = findPython(leastPython, fail);
    rmSync(venv, { recursive: true, force: true });
    mkdirSync(venv);
    // Git ignores the folder.
    writeFileSync(join(venv, '.gitignore'), '*\n');
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    const steps = [
      [base, ['-m', 'venv', venv]],
      [python, [...pip, '--require-hashes', '--no-deps', '--only-binary=:all:', '-r', lockFile]],
    ];
    for (const [command, args] of steps) {
      if (run(command, args, { stdio: 'inherit' }).status !== 0) {
        fail(
          `${command} ${args.slice(0, 3).join(' ')} failed, see above. Run it again; it starts from the beginning.`,
        );
      }
    }
    const { stdout, stderr, status } = run(python, ['-c', probe]);
    if (status !== 0) fail(`${title} does not load:\n${stderr.trim()}`);
    writeFileSync(stamp, `${JSON.stringify({ lock, version: stdout.trim() })}\n`);
  }
  const { version } = JSON.parse(readFileSync(stamp, 'utf8'));
  console.log(`set up: ${title} ${version} in .venv-${name}`);
}

/** The Python that PYTHON names, else the first on the PATH; it must be new enough and able to create virtual environments. */
function findPython(least, fail) {
  const probe = `import sys, venv, ensurepip; sys.exit(sys.version_info < (${least.join()}))`;
  const named = process.env.PYTHON;
  const names = named
    ? [named]
    : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const found = names.find((name) => run(name, ['-c', probe]).status === 0);
  if (found === undefined) {
    fail(
      `no Python ${least.join('.')} or later with venv was found (${names.join(', ')}). ` +
        'On Debian: apt-get install python3 python3-venv',
    );
  }
  return found;
}
