// Runs the steps whose result is missing, and the two other modes: --check and --clean.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
} from 'node:fs';
import { join } from 'node:path';
import { TENSORFLOW } from './context.mjs';
import { directorySize } from './disk.mjs';
import { takeLock } from './lock.mjs';
import { SetupError, print, secondsSince } from './output.mjs';
import { endChildren } from './process.mjs';
import { readStamp, writeStamp } from './stamps.mjs';
import * as addons from './steps/addons.mjs';
import * as data from './steps/data.mjs';
import * as jupyter from './steps/jupyter.mjs';
import * as library from './steps/library.mjs';
import * as packages from './steps/packages.mjs';
import * as tensorflow from './steps/tensorflow.mjs';
import * as tools from './steps/tools.mjs';

/** Every step after the tools that the options include, in order. */
const stepsOf = ({ options }) => [
  packages,
  tensorflow,
  addons,
  library,
  ...(options.data ? [data] : []),
  ...(options.jupyter ? [jupyter] : []),
];

const missingOf = (context) => stepsOf(context).flatMap((step) => step.missing(context) ?? []);

function summary({ variant, options }) {
  const parts = [`TensorFlow ${TENSORFLOW} (${variant.toUpperCase()})`];
  if (options.data) parts.push('CIFAR-10');
  if (options.jupyter) parts.push('Jupyter');
  return parts.join(', ');
}

/** Creates .setup/. @throws SetupError if the checkout cannot be written, for instance because another user owns it */
function makeStamps({ root, stamps }) {
  try {
    mkdirSync(stamps, { recursive: true });
    accessSync(stamps, constants.W_OK);
  } catch {
    throw new SetupError(
      `the checkout ${root} cannot be written.`,
      'Set it up as the user who owns it, or clone it to a folder of your own.',
    );
  }
}

/** Sets up what is missing. Each step writes its stamp last, so set-up may be killed at any time. */
export async function install(context) {
  const start = performance.now();
  const { root, stamps, scratch, decision, options } = context;
  if (missingOf(context).length === 0) {
    if (readStamp(context, 'variant') !== decision) writeStamp(context, 'variant', decision);
    print(`set up: ${summary(context)}; nothing to do`);
    return;
  }
  makeStamps(context);
  await takeLock(context, 'checkout', join(stamps, 'lock'), root);
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch);
  context.ownsScratch = true;
  packages.adopt(context);
  tools.run(context);
  writeStamp(context, 'variant', decision);
  try {
    for (const step of stepsOf(context)) {
      // From here on nothing else needs .venv, so pip can run in the background until the last step.
      if (step === addons && options.jupyter && !jupyter.isDone(context)) jupyter.begin(context);
      // Checked again: another set-up may have completed the step meanwhile.
      if (!step.isDone(context)) await step.run(context);
    }
  } catch (error) {
    await endChildren();
    throw error;
  }
  print(`set up: ${summary(context)}, in ${secondsSince(start)} s`);
}

/** Prints what is missing and changes nothing; `deep` also compares hashes and computes. @returns the exit code */
export function check(context) {
  const missing = missingOf(context);
  if (missing.length > 0) {
    for (const line of missing) print(`missing: ${line}`);
    print('Run ./kernel-setup.sh to set it up.');
    return 1;
  }
  if (context.options.deep) {
    const { root, site } = context;
    const hashes = ['--check', '--quiet', '.sha256'];
    const compared = spawnSync('sha256sum', hashes, { cwd: site, stdio: 'inherit' });
    if (compared.status !== 0)
      throw new SetupError(
        `files in ${site} have changed since they were unpacked.`,
        `rm -r '${site}' && ./kernel-setup.sh   (downloads them again)`,
      );
    const count = readFileSync(join(site, '.sha256'), 'utf8').trim().split('\n').length;
    print(`files: ${count} in ${site}, each with the right hash`);
    const command = ['setup/self-check.cjs', '--deep'];
    if (spawnSync('node', command, { cwd: root, stdio: 'inherit' }).status !== 0) return 1;
  }
  tools.warnOfNode(context);
  print(`set up: ${summary(context)}`);
  return 0;
}

/** Removes what set-up made, path by path: other files in the folder that CIFAR10_FAST_CACHE names stay. */
export async function clean(context) {
  const { root, cache, stamps, venv, batches } = context;
  makeStamps(context);
  await takeLock(context, 'checkout', join(stamps, 'lock'), root);
  const built = readdirSync(join(root, 'native')).filter((name) => name.endsWith('.node'));
  const paths = [
    join(root, 'node_modules'),
    venv,
    join(root, 'dist'),
    ...built.map((name) => join(root, 'native', name)),
    stamps,
    join(cache, 'tensorflow'),
    batches,
  ].filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
  const row = (size, text) => print(`${String(size).padStart(7)} MB  ${text}`);
  let total = 0;
  for (const path of paths) {
    const size = directorySize(path);
    row(size, path);
    total += size;
  }
  row(total, 'in total; other checkouts have to download the shared cache again');
  for (const path of paths) rmSync(path, { recursive: true, force: true });
  try {
    rmdirSync(cache);
  } catch {
    // It holds other things, or does not exist.
  }
  print('removed');
}
