import { closeSync, existsSync, openSync, readSync, unlinkSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import util from 'node:util';
import type * as tfjs from '@tensorflow/tfjs-core';
import { EngineError } from '../base/errors';
import type { NodeBackend } from './backend';
import { registerOwnKernels } from './raw/own-kernels';
import { registerRawKernels } from './raw/register';
import { registerTrimmedConv } from './raw/trimmed-conv';

/** Threads of TensorFlow: one setting for the whole process, made when the library is loaded. */
export interface ThreadOptions {
  /**
   * Threads within one operation, a whole number from 1; where absent, `TF_NUM_INTRAOP_THREADS` of the environment, else
   * the processors that this process may use. The last bits of results depend on it, as sums are divided among them.
   */
  readonly intraOpThreads?: number;
  /** Operations at the same time; where absent, TensorFlow's own choice. Results do not depend on it. */
  readonly interOpThreads?: number;
}

/** TensorFlow, loaded: its version, whether it found a GPU, its threads, and the backend that runs its operations. */
export interface Tensorflow {
  readonly version: string;
  readonly gpu: boolean;
  /** Threads within one operation. */
  readonly intraOpThreads: number;
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
 * the user has made in the environment win, but for threads that are asked for here.
 *
 * @throws EngineError if the addon is missing or does not load; the message holds what the library said. Also if it was
 *   loaded before with another number of threads within an operation
 */
export function loadTensorflow(options: ThreadOptions = {}): Tensorflow {
  const { intraOpThreads } = options;
  if (loaded !== undefined) {
    if (intraOpThreads !== undefined && intraOpThreads !== loaded.intraOpThreads) {
      throw new EngineError(
        `engine: ${intraOpThreads} threads were asked for, and TensorFlow runs with ${loaded.intraOpThreads} in this ` +
          'process already. Ask for them before anything is computed, or in a process of its own.',
      );
    }
    return loaded;
  }
  const threads = setThreads(options);
  process.env['TF_ENABLE_ONEDNN_OPTS'] ??= '1';
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  // Lets sessions that ask for XLA have it on a CPU; the others are left alone.
  process.env['TF_XLA_FLAGS'] ??= '--tf_xla_cpu_global_jit';
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
  registerTrimmedConv(backend);
  registerOwnKernels(backend, threads);
  loaded = {
    version: backend.binding.TF_Version,
    gpu: backend.isUsingGpuDevice,
    intraOpThreads: threads,
    backend,
  };
  return loaded;
}

/**
 * Tells TensorFlow and our own kernels how many threads to use, and returns how many.
 *
 * A session's own configuration would not do: all sessions of a process share the pool of the first, which is that of
 * TF.js. Nor does the library's own count, which knows nothing of a container's share of the processors.
 */
function setThreads({ intraOpThreads, interOpThreads }: ThreadOptions): number {
  const told = Number(process.env['TF_NUM_INTRAOP_THREADS']);
  const threads =
    intraOpThreads ?? (Number.isInteger(told) && told > 0 ? told : availableParallelism());
  for (const count of [threads, interOpThreads ?? 1]) {
    if (!Number.isInteger(count) || count < 1) {
      throw new EngineError(
        `engine: ${count} threads were asked for; expected a whole number of at least 1.`,
      );
    }
  }
  process.env['TF_NUM_INTRAOP_THREADS'] = String(threads);
  if (interOpThreads !== undefined) {
    process.env['TF_NUM_INTEROP_THREADS'] = String(interOpThreads);
  }
  return threads;
}

/** Runs `load` with standard error moved to a temporary file; a failure carries what was written there. */
function quietly<T>(load: () => T): T {
  const root = resolve(__dirname, '../..');
  const addon = join(root, 'native/stderr.node');
  const isSetUp = existsSync(addon);
  const fd = openUnnamed();
  const stderr = isSetUp && fd !== undefined ? (require(addon) as StderrAddon) : undefined;
  const saved = fd === undefined ? undefined : stderr?.redirect(fd);
  try {
    return load();
  } catch (cause) {
    const said = fd === undefined ? '' : textOf(fd);
    throw new EngineError(
      `engine: TensorFlow could not be loaded: ${cause instanceof Error ? cause.message.trim() : String(cause)}` +
        `${said === '' ? '' : `\n${said}\n`} Run ./kernel-setup.sh to install it, or ` +
        './kernel-setup.sh --check --deep to see what is wrong.',
      { cause },
    );
  } finally {
    if (stderr !== undefined && saved !== undefined) stderr.restore(saved);
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * A temporary file that has no name any more, so that nothing is left of it however the process ends; `undefined` if no
 * folder can be written. TensorFlow's messages are then printed.
 */
function openUnnamed(): number | undefined {
  for (const folder of [tmpdir(), '/tmp', '/dev/shm']) {
    const path = join(folder, `cifar10-fast-${process.pid}-${Date.now()}.log`);
    try {
      const fd = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
      return fd;
    } catch {
      continue;
    }
  }
  return undefined;
}

function textOf(fd: number): string {
  const bytes = Buffer.alloc(2 ** 20);
  return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0)).trim();
}
