// Step 2: npm packages.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beginStep, endStep } from '../output.mjs';
import { failureFromLog, logTail, run as runCommand } from '../process.mjs';
import { hashOf, readStamp, writeStamp } from '../stamps.mjs';

export const key = ({ root }) => hashOf(join(root, 'package-lock.json'));

export const isDone = (context) =>
  readStamp(context, 'packages') === key(context) && existsSync(join(context.root, 'node_modules'));

export const missing = (context) =>
  isDone(context) ? undefined : 'packages: node_modules is not what package-lock.json asks for';

/** Path -> entry of a lock file, without the checkout itself and without links. */
function packagesOf(file) {
  const { packages } = JSON.parse(readFileSync(file, 'utf8'));
  return new Map(Object.entries(packages).filter(([path, entry]) => path !== '' && !entry.link));
}

/**
 * Whether node_modules is what package-lock.json asks for, by npm's own list. npm writes node_modules/.package-lock.json at
 * the end of an installation. After `npm install NAME` it agrees with the new package-lock.json, and `npm ci` would only
 * install the same files again.
 */
function isInstalled({ root }) {
  try {
    const wanted = packagesOf(join(root, 'package-lock.json'));
    const present = packagesOf(join(root, 'node_modules/.package-lock.json'));
    const isSame = ([path, { version, integrity }]) =>
      wanted.get(path)?.version === version && wanted.get(path)?.integrity === integrity;
    const isHere = ([path, { optional }]) => present.has(path) || optional === true;
    return [...present].every(isSame) && [...wanted].every(isHere);
  } catch {
    // The list is missing or truncated: install.
    return false;
  }
}

/** Accepts what `npm install` has installed. */
export function adopt(context) {
  if (!isDone(context) && isInstalled(context)) writeStamp(context, 'packages', key(context));
}

const npmOptions = [
  '--include=dev',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--no-progress',
  '--loglevel=error',
  // Without a network, npm by default retries for a minute and a half.
  '--fetch-retries=2',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=5000',
];

function offlineOptions(folder) {
  if (folder === '') return [];
  const cache = join(folder, 'npm-cache');
  return existsSync(cache) ? ['--offline', '--cache', cache, '--logs-max=0'] : ['--offline'];
}

export async function run(context) {
  const { root, stamps, options } = context;
  beginStep(2, 'packages', join(root, 'node_modules'));
  rmSync(join(stamps, 'packages'), { force: true });
  rmSync(join(root, 'node_modules/.package-lock.json'), { force: true });
  const args = ['ci', ...npmOptions, ...offlineOptions(options.offline)];
  if (!(await runCommand(context, 'npm', args)).ok)
    throw failureFromLog(context, 'npm ci failed', root);
  writeStamp(context, 'packages', key(context));
  const [count = 'packages'] = /\d+ packages/.exec(logTail(context, 12)) ?? [];
  endStep(`${count} from package-lock.json`);
}
