// Step 1: the tools that the missing steps need, and free disk space. Reports all problems at once.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { which } from '../context.mjs';
import { beginStep, complain, endStep } from '../output.mjs';
import { lookFor } from '../tools.mjs';
import * as addons from './addons.mjs';
import * as data from './data.mjs';
import * as jupyter from './jupyter.mjs';
import * as packages from './packages.mjs';
import * as tensorflow from './tensorflow.mjs';

/** Disk space that a step needs while it runs, in MB. */
const needs = { packages: 800, cpu: 1200, cuda: 5300, data: 400, jupyter: 450 };

const newestTried = 26;

/** Whether the cache can be written; reports it if not. */
function checkCache({ cache }) {
  const probe = join(cache, `.write-test.${process.pid}`);
  try {
    mkdirSync(join(cache, 'tensorflow'), { recursive: true });
    writeFileSync(probe, '');
    rmSync(probe);
    return true;
  } catch (error) {
    complain(
      `the cache folder ${cache} cannot be written: ${error.message.split(', ')[0]}.`,
      'Set CIFAR10_FAST_CACHE to a writable folder, or fix the permissions of this one.',
    );
    return false;
  }
}

/** Free MB and the file system of a folder that may not exist yet; undefined if df does not report them. */
function freeSpace(folder) {
  let parent = folder;
  while (!existsSync(parent)) parent = dirname(parent);
  const { stdout } = spawnSync('df', ['-Pk', '--', parent], { encoding: 'utf8' });
  const [device, , , freeKb, , mount] = (stdout ?? '').trim().split('\n').at(-1).split(/\s+/);
  if (!/^\d+$/.test(freeKb ?? '')) return undefined;
  return { freeMb: Math.floor(Number(freeKb) / 1024), filesystem: `${device}:${mount}` };
}

/** Whether a folder has room for [name, MB] pairs; reports it if not. */
function hasRoom(folder, parts, advice) {
  const needed = parts.reduce((sum, [, mb]) => sum + mb, 0);
  const space = freeSpace(folder);
  if (needed === 0 || space === undefined || space.freeMb >= needed) return true;
  const list = parts.map((part) => part.join(' ')).join(', ');
  complain(`${folder} has ${space.freeMb} MB free, ${needed} MB are needed (${list}).`, advice);
  return false;
}

function checkSpace(context, lacks) {
  const { root, cache, variant } = context;
  const inCache = [];
  const inCheckout = [];
  if (lacks.tensorflow) inCache.push(['TensorFlow', needs[variant]]);
  if (lacks.data) inCache.push(['CIFAR-10', needs.data]);
  if (lacks.packages) inCheckout.push(['npm packages', needs.packages]);
  if (lacks.jupyter) inCheckout.push(['Jupyter', needs.jupyter]);
  // If both are on one disk, it needs room for everything.
  if (freeSpace(cache)?.filesystem === freeSpace(root)?.filesystem)
    inCache.push(...inCheckout.splice(0));
  const cacheAdvice = 'Free some space, or set CIFAR10_FAST_CACHE to a folder on a larger disk.';
  const fits = hasRoom(cache, inCache, cacheAdvice);
  return (
    hasRoom(root, inCheckout, 'Free some space, or move the checkout to a larger disk.') && fits
  );
}

/**
 * Warns about GPUs that the CUDA build cannot use. TensorFlow then runs on the CPU, so set-up continues. CUDA 12 needs driver
 * 525.60.13. For GPUs that TensorFlow ships no machine code for, the driver compiles the intermediate code of CUDA 12.5, which
 * needs R555.
 */
function warnOfGpus({ variant }) {
  if (variant !== 'cuda' || which('nvidia-smi') === undefined) return;
  const query = ['--query-gpu=name,compute_cap,driver_version', '--format=csv,noheader'];
  const { stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8', timeout: 20_000 });
  for (const line of (stdout ?? '').split('\n')) {
    const [name, capability = '', driver = ''] = line.split(',').map((field) => field.trim());
    if (!/^\d+\.\d+$/.test(capability) || !/^\d+\./.test(driver)) continue;
    const needed = Number(capability) < 9 ? 525 : 555;
    if (Number(capability) < 6)
      complain(
        `warning: ${name} has compute capability ${capability}; TensorFlow needs 6.0 or later and will not use it.`,
      );
    else if (Number.parseInt(driver, 10) < needed)
      complain(
        `warning: driver ${driver} of ${name} is too old for CUDA 12; ${needed} or later is needed. Until then TensorFlow runs on the CPU.`,
        'Newer drivers: https://www.nvidia.com/drivers, or the packages of your distribution.',
      );
  }
}

/** Warns about an untested Node version. */
export function warnOfNode({ nodeVersion }) {
  if (Number.parseInt(nodeVersion, 10) > newestTried)
    complain(
      `warning: Node ${nodeVersion} is newer than ${newestTried}, the newest tested version; set-up continues.`,
    );
}

/** Looks for the tools of the missing steps. Reports every problem, then exits with code 1 if there was one. */
export function run(context) {
  const { options, nodeVersion, tools } = context;
  beginStep(1, 'tools');
  const lacks = {
    packages: !packages.isDone(context),
    tensorflow: !tensorflow.isDone(context),
    addons: !addons.isBuilt(context),
    data: options.data && !data.isDone(context),
    jupyter: options.jupyter && !jupyter.isDone(context),
  };
  const names = ['npm', 'machine'];
  if (lacks.tensorflow || lacks.jupyter) names.push('python');
  if (lacks.packages || lacks.addons) names.push('compiler');
  let isGood = lookFor(context, names);
  if (!(lacks.tensorflow || lacks.data) || checkCache(context)) {
    isGood = checkSpace(context, lacks) && isGood;
  } else isGood = false;
  if (!isGood) process.exit(1);
  warnOfNode(context);
  warnOfGpus(context);

  const found = [`Node ${nodeVersion}`];
  if (tools.has('python')) found.push(`Python ${tools.get('python').version}`);
  if (tools.has('compiler')) {
    const { command, version } = tools.get('compiler');
    found.push(`${command.join(' ')} ${version}`);
  }
  found.push(`glibc ${tools.get('libc').version}`);
  endStep(found.join(', '));
}
