import { closeSync, existsSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import util from 'node:util';
import type * as tfjs from '@tensorflow/tfjs-core';
import { EngineError } from '../base/errors';
import type { NodeBackend } from './backend';
import { registerRawKernels } from './raw/register';

/** TensorFlow, loaded: its version, whether it found a GPU, and the backend that runs its operations. */
export interface Tensorflow {
  readonly version: string;
  readonly gpu: boolean;
  readonly backend: NodeBackend;
}

interface StderrAddon {
  redirect(fd: number): number;
  restore(saved: number): void;
}

let loaded: Tensorflow | undefined;

/**
 * Loads TensorFlow into this process, once; later calls return the same.
 *
 * Everything that has to be in place before the library is opened is done here: oneDNN's kernels are switched on
 * (TensorFlow does so by itself only on CPUs with AVX-512 VNNI; an AVX2 machine trains about twice as fast with them),
 * its log is set to errors only, the functions that Node 23 removed from `util` are given back to TF.js, and standard
 * error is moved aside so that the notes of its static initialisers reach nobody unless loading fails. Settings that
 * the user has made in the environment win.
 *
 * @throws EngineError if the addon is missing or does not load; the message holds what the library said.
 */
export function loadTensorflow(): Tensorflow {
  if (loaded !== undefined) return loaded;
  process.env['TF_ENABLE_ONEDNN_OPTS'] ??= '1';
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  // TensorFlow would otherwise take all of a GPU's memory at once.
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  Object.assign(util, {
    isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
    isArray: Array.isArray,
  });

  const tf = quietly(() => require('@tensorflow/tfjs-node-gpu') as typeof tfjs);
  // The backend of tfjs-node declares `binding` private; everything that we read of it is in NodeBackend.
  const backend = tf.backend() as unknown as NodeBackend;
  registerRawKernels(backend);
  loaded = { version: backend.binding.TF_Version, gpu: backend.isUsingGpuDevice, backend };
  return loaded;
}

/** Runs `load` with standard error moved to a temporary file; a failure carries what was written there. */
function quietly<T>(load: () => T): T {
  const root = resolve(__dirname, '../..');
  const addon = join(root, 'native/stderr.node');
  const isSetUp = existsSync(addon);
  const path = join(tmpdir(), `cifar10-fast-${process.pid}-${Date.now()}.log`);
  const fd = openSync(path, 'w+', 0o600);
  const stderr = isSetUp ? (require(addon) as StderrAddon) : undefined;
  const saved = stderr?.redirect(fd);
  try {
    return load();
  } catch (cause) {
    const said = readFileSync(path, 'utf8').trim();
    throw new EngineError(
      `engine: TensorFlow could not be loaded: ${cause instanceof Error ? cause.message.trim() : String(cause)}` +
        `${said === '' ? '' : `\n${said}\n`} Run ./kernel-setup.sh to install it, or ` +
        './kernel-setup.sh --check --deep to see what is wrong.',
      { cause },
    );
  } finally {
    if (stderr !== undefined && saved !== undefined) stderr.restore(saved);
    closeSync(fd);
    unlinkSync(path);
  }
}
