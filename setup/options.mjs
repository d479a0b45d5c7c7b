// The command line of kernel-setup.sh.
import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

const names = [
  '--cpu',
  '--cuda',
  '--no-jupyter',
  '--no-data',
  '--offline',
  '--check',
  '--deep',
  '--clean',
  '--help',
];

/** Wrong usage: exit code 2. */
export class UsageError extends Error {}

/** Levenshtein distance. Set-up runs before npm ci, so no package can be imported here. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

function nearest(word) {
  const ranked = names.toSorted((a, b) => distance(word, a) - distance(word, b));
  return ranked[0];
}

function offlineFolder(path, cwd) {
  const folder = resolve(cwd, path);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`--offline: ${folder} is not a folder.`);
  return realpathSync(folder);
}

/**
 * Reads the command line.
 *
 * @param args after the script's name
 * @param cwd the folder that a relative --offline starts from
 * @returns mode ('install', 'check', 'clean' or 'help'), deep, variant ('cpu', 'cuda' or ''), offline (a folder or ''),
 *   jupyter and data (whether these steps are wanted)
 * @throws UsageError for an unknown option, or for mutually exclusive options
 */
export function readOptions(args, cwd) {
  const options = {
    mode: 'install',
    deep: false,
    variant: '',
    offline: '',
    jupyter: true,
    data: true,
  };
  const rest = args.flatMap((arg) =>
    arg.startsWith('--offline=') ? ['--offline', arg.slice('--offline='.length)] : [arg],
  );
  while (rest.length > 0) {
    const name = rest.shift();
    if (name === '--help' || name === '-h') return { ...options, mode: 'help' };
    if (name === '--cpu' || name === '--cuda') {
      const variant = name.slice(2);
      if (options.variant !== '' && options.variant !== variant)
        throw new UsageError('--cpu and --cuda are mutually exclusive.');
      options.variant = variant;
    } else if (name === '--no-jupyter') options.jupyter = false;
    else if (name === '--no-data') options.data = false;
    else if (name === '--check') options.mode = 'check';
    else if (name === '--deep') options.deep = true;
    else if (name === '--clean') options.mode = 'clean';
    else if (name === '--offline') {
      if (rest.length === 0) throw new UsageError('--offline needs a folder.');
      options.offline = offlineFolder(rest.shift(), cwd);
    } else throw new UsageError(`unknown option ${name}; nearest: ${nearest(name)}.`);
  }
  if (options.deep && options.mode !== 'check') throw new UsageError('--deep requires --check.');
  return options;
}
