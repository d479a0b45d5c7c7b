// Python packages in a virtual environment of their own, apart from everything else: what the set-up scripts have in common.
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
 * Sets up `.venv-NAME` with exactly what `setup/lock-NAME.txt` says, by version and hash; with `--clean` on the command line
 * removes it. One that is set up, by the same lock, is left alone. Ends the process where that fails.
 *
 * @param url `import.meta.url` of the script, whose head is its help
 * @param name of the environment, its lock, and its npm script `NAME:setup`
 * @param title what is installed, for people
 * @param leastPython as in [3, 10]; PYTHON may name which one to use
 * @param probe a line of Python that imports it and prints its version
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

/** The Python that PYTHON names, else the first on the path that is new enough and can make virtual environments. */
function findPython(least, fail) {
  const probe = `import sys, venv, ensurepip; sys.exit(sys.version_info < (${least.join()}))`;
  const named = process.env.PYTHON;
  const names = named
    ? [named]
    : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const found = names.find((name) => run(name, ['-c', probe]).status === 0);
  if (found === undefined) {
    fail(
      `no Python from ${least.join('.')} on with venv was found (${names.join(', ')}). ` +
        'On Debian: apt-get install python3 python3-venv',
    );
  }
  return found;
}
