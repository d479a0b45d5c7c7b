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

/** TensorFlow's threads: one setting for the whole process, fixed when the library is loaded. */
export interface ThreadOptions {
  /**
   * Threads within one operation, a positive integer. Default: the environment variable `TF_NUM_INTRAOP_THREADS`, else the
   * number of processors available to this process. The last bits of results depend on it, as sums are split among them.
   */
  readonly intraOpThreads?: number;
  /** Operations that run at the same time. Default: TensorFlow's choice. Results do not depend on it. */
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
 * Loads TensorFlow into this process, once; later calls return the same object.
 *
 * Prepares everything that must be in place before the library is opened: enables oneDNN's kernels (TensorFlow does so by
 * itself only on CPUs with AVX-512 VNNI; an AVX2 machine trains about twice as fast with them), limits its log to errors,
 * restores for TF.js the functions that Node 23 removed from `util`, and redirects standard error, so that the messages of
 * its static initialisers are shown only if loading fails. Environment variables set by the user take precedence, except
 * over the threads requested here.
 *
 * @throws EngineError if the addon is missing or does not load, with the library's output in the message; also if it was
 *   loaded before with another number of threads within an operation
 */
export function loadTensorflow(options: ThreadOptions = {}): Tensorflow {
  const { intraOpThreads } = options;
  if (loaded !== undefined) {
    if (intraOpThreads !== undefined && intraOpThreads !== loaded.intraOpThreads) {
      throw new EngineError(
        `engine: ${intraOpThreads} threads were requested, but TensorFlow already runs with ${loaded.intraOpThreads} in this ` +
          'process. Set the number of threads before the first computation, or use a separate process.',
      );
    }
    return loaded;
  }
  const threads = setThreads(options);
  process.env['TF_ENABLE_ONEDNN_OPTS'] ??= '1';
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  // Makes XLA available on a CPU to sessions that request it; others are not affected.
  process.env['TF_XLA_FLAGS'] ??= '--tf_xla_cpu_global_jit';
  // TensorFlow would otherwise take all of a GPU's memory at once.
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  Object.assign(util, {
    isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
    isArray: Array.isArray,
  });

  const tf = quietly(() => require('@tensorflow/tfjs-node-gpu') as typeof tfjs);
  // The backend of tfjs-node declares `binding` private; NodeBackend declares everything that we read of it.
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
 * Sets the number of threads of TensorFlow and of our own kernels, and returns it.
 *
 * A session's own configuration does not work: all sessions of a process share the thread pool of the first, which is
 * TF.js's. Nor does TensorFlow's default, which ignores a container's share of the processors.
 */
function setThreads({ intraOpThreads, interOpThreads }: ThreadOptions): number {
  const fromEnvironment = Number(process.env['TF_NUM_INTRAOP_THREADS']);
  const threads =
    intraOpThreads ??
    (Number.isInteger(fromEnvironment) && fromEnvironment > 0
      ? fromEnvironment
      : availableParallelism());
  for (const count of [threads, interOpThreads ?? 1]) {
    if (!Number.isInteger(count) || count < 1) {
      throw new EngineError(
        `engine: the number of threads must be a positive integer; got ${count}.`,
      );
    }
  }
  process.env['TF_NUM_INTRAOP_THREADS'] = String(threads);
  if (interOpThreads !== undefined) {
    process.env['TF_NUM_INTEROP_THREADS'] = String(interOpThreads);
  }
  return threads;
}

/** Runs `load` with standard error redirected to a temporary file; an error contains what was written there. */
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
 * Opens a temporary file and unlinks it, so that nothing remains however the process ends. Returns `undefined` if no folder
 * is writable; TensorFlow's messages are then printed.
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
