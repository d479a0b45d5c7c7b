// What every step of set-up knows: folders, options, and which TensorFlow this checkout uses.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from './output.mjs';
import { readStamp } from './stamps.mjs';

export const TENSORFLOW = '2.21.0';
/** Increment it when setup/unpack.py extracts other files from the wheels. */
const UNPACKED = 1;

/** The folder of everything that is downloaded once. An empty variable counts as unset. @throws SetupError if there is none */
export function cacheFolder(env, cwd) {
  if (env.CIFAR10_FAST_CACHE) return resolve(cwd, env.CIFAR10_FAST_CACHE);
  if (env.XDG_CACHE_HOME) return resolve(cwd, env.XDG_CACHE_HOME, 'cifar10-fast');
  if (env.HOME) return resolve(cwd, env.HOME, '.cache/cifar10-fast');
  throw new SetupError(
    'neither CIFAR10_FAST_CACHE nor HOME is set; set-up has no folder for its cache.',
    'Set CIFAR10_FAST_CACHE to a writable folder.',
  );
}

/** The path of a program in PATH, or undefined. */
export function which(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

function listsGpu() {
  const { stdout } = spawnSync('nvidia-smi', ['-L'], { encoding: 'utf8', timeout: 20_000 });
  return /^GPU /m.test(stdout ?? '');
}

/**
 * Chooses CPU or CUDA: as requested now, as requested earlier in this checkout, or by what nvidia-smi lists.
 *
 * @returns variant ('cpu' or 'cuda') and decision, the stamp that remembers it
 */
function decideVariant(context) {
  const asked = context.options.variant;
  if (asked !== '') return { variant: asked, decision: `${asked} asked` };
  const stamp = readStamp(context, 'variant');
  const [stored, how] = stamp.split(' ');
  if (how === 'asked') return { variant: stored, decision: stamp };
  const smi = which('nvidia-smi') ?? 'none';
  // nvidia-smi takes up to a second; a GPU that it has listed once is not looked for again.
  const isKnown = stored === 'cuda' && how === smi;
  const variant = isKnown || (smi !== 'none' && listsGpu()) ? 'cuda' : 'cpu';
  return { variant, decision: `${variant} ${smi}` };
}

/** Gathers what the steps need; reads stamps, changes nothing. */
export function makeContext(options, cwd = process.cwd()) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const cache = cacheFolder(process.env, cwd);
  const stamps = join(root, '.setup');
  const venv = join(root, '.venv');
  const context = {
    options,
    root,
    cache,
    stamps,
    scratch: join(stamps, 'scratch'),
    venv,
    package: join(root, 'node_modules/@tensorflow/tfjs-node-gpu'),
    kernelspec: join(venv, 'share/jupyter/kernels/tslab'),
    batches: join(cache, 'cifar-10-batches-bin'),
    // Tests override the version.
    nodeVersion: process.env.KERNEL_SETUP_NODE ?? process.versions.node,
    /** Name -> descriptor of each lock that is held. */
    locks: new Map(),
    /** Tools that were found, name -> { path, version }. */
    tools: new Map(),
  };
  Object.assign(context, decideVariant(context));
  context.site = join(cache, `tensorflow/${TENSORFLOW}-${context.variant}`);
  context.wheels = readFileSync(join(root, `setup/lock-${context.variant}.txt`), 'utf8')
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('#'));
  context.siteMark = [...context.wheels, `unpacked ${UNPACKED}`].join('\n');
  // The library that set-up starts must look in the same folder.
  process.env.CIFAR10_FAST_CACHE = cache;
  return context;
}
