import * as tf from '@tensorflow/tfjs-core';
import { CaptureError } from '../base/errors';
import { isHostTensor } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import { entries, mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import { loadTensorflow } from './tensorflow';

/** What is fed to a step: a number is a float32 scalar, an Int32Array or Float32Array a vector. */
export type Feed = number | Int32Array | Float32Array | HostTensor;

/** The same nesting with tensors on the device in the place of feeds or host tensors. */
export type OnDevice<T> = T extends Feed ? tf.Tensor : { readonly [K in keyof T]: OnDevice<T[K]> };

/** The same nesting with host tensors in the place of tensors on the device. */
export type OnHost<T> = T extends tf.Tensor
  ? HostTensor
  : { readonly [K in keyof T]: OnHost<T[K]> };

/** Any part of a nesting. */
export type Part<T> = T extends HostTensor | tf.Tensor
  ? T
  : { readonly [K in keyof T]?: Part<T[K]> };

/** What a step gives back: the parts of the state that it changed, and values for the caller. */
export interface StepResult<S, O> {
  readonly state?: Part<OnDevice<S>>;
  readonly outputs?: O;
}

/**
 * One step of a computation: a pure function of nested records of tensors. It returns new tensors for the parts of the
 * state that change, reads no value, draws no random number, and disposes nothing.
 */
export type Step<S, I, O> = (state: OnDevice<S>, inputs: OnDevice<I>) => StepResult<S, O>;

/** Runs a captured step once: feeds in, the step's outputs back on the host. */
export type Run<I, O> = (inputs: I) => Promise<OnHost<O>>;

/**
 * Owns a state on the device and runs steps on it, one at a time.
 *
 * The state never leaves the device between steps; {@link Session.read} copies the parts that are asked for. Sessions
 * hold memory until {@link Session.dispose}.
 */
export interface Session<S> {
  /** How the steps are executed. */
  readonly mode: 'eager';
  /** Makes a step runnable. `example` has the shapes with which it will be called. */
  capture<I extends Tree<Feed>, O extends Tree<tf.Tensor> = Record<string, never>>(
    name: string,
    step: Step<S, I, O>,
    example: I,
  ): Run<I, O>;
  /** A copy of the top-level records of the state that are named. */
  read<K extends keyof S & string>(...names: K[]): Promise<Pick<S, K>>;
  /** Replaces the parts of the state that `values` holds; shapes must be what they were. */
  write(values: Part<S>): void;
  dispose(): void;
}

/** Feeds and host tensors are values of a tree; everything else is a record. */
function isFeed(node: Feed | Tree<Feed>): node is Feed {
  return typeof node === 'number' || ArrayBuffer.isView(node) || isHostTensor(node);
}

function isTensor(node: tf.Tensor | Tree<tf.Tensor>): node is tf.Tensor {
  return node instanceof tf.Tensor;
}

function isHost(node: HostTensor | Tree<HostTensor>): node is HostTensor {
  return isHostTensor(node);
}

function toTensor(feed: Feed): tf.Tensor {
  if (typeof feed === 'number') return tf.scalar(feed, 'float32');
  const { data, shape } = isHostTensor(feed) ? feed : { data: feed, shape: [feed.length] };
  const dtype =
    data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'bool';
  return tf.tensor(data, shape as number[], dtype);
}

async function toHost(tensor: tf.Tensor): Promise<HostTensor> {
  return { shape: [...tensor.shape], data: await tensor.data() };
}

async function readTree(tree: Tree<tf.Tensor>): Promise<Tree<HostTensor>> {
  const values = new Map<tf.Tensor, HostTensor>();
  for (const [, tensor] of entries(tree, isTensor)) values.set(tensor, await toHost(tensor));
  return mapTree(tree, isTensor, (tensor) => values.get(tensor) as HostTensor);
}

/**
 * Opens a session on `initial`: nested records of host tensors, copied to the device.
 *
 * Steps run eagerly: TF.js executes them kernel by kernel.
 *
 * @throws CaptureError if a step returns a part of the state that does not exist or has another shape.
 */
export function createSession<S extends Tree<HostTensor>>(initial: S): Session<S> {
  loadTensorflow();
  let state: Tree<tf.Tensor> = mapTree(initial, isHost, toTensor);
  let isDisposed = false;

  /** Puts the tensors of `update` in the place of those of `old`; what is replaced is disposed. */
  const replace = (
    old: Tree<tf.Tensor>,
    update: Tree<tf.Tensor>,
    where: string,
  ): Tree<tf.Tensor> => {
    const result: Record<string, tf.Tensor | Tree<tf.Tensor>> = { ...old };
    for (const [key, next] of Object.entries(update)) {
      const before = old[key];
      if (before === undefined) {
        throw new CaptureError(
          `session: ${where} sets "${key}", which the state does not hold.` +
            `${nearestHint(key, Object.keys(old))} Put it into the state that the session starts with.`,
        );
      }
      if (isTensor(next) && isTensor(before)) {
        if (next.dtype !== before.dtype || next.shape.join() !== before.shape.join()) {
          throw new CaptureError(
            `session: ${where} sets "${key}" to ${next.dtype} [${next.shape.join()}]; it is ` +
              `${before.dtype} [${before.shape.join()}] and keeps its shape. Open a new session for another shape.`,
          );
        }
        if (next !== before) before.dispose();
        result[key] = next;
      } else if (!isTensor(next) && !isTensor(before)) {
        result[key] = replace(before, next, `${where} in "${key}"`);
      } else {
        throw new CaptureError(
          `session: ${where} sets "${key}", and only one of the new and the old value is a tensor. ` +
            'Return the nesting that the state has.',
        );
      }
    }
    return result;
  };

  const alive = (what: string): void => {
    if (isDisposed) {
      throw new CaptureError(`session: ${what} was called after dispose(). Open a new session.`);
    }
  };

  return {
    mode: 'eager',
    capture(name, step) {
      alive(`capture("${name}")`);
      return async (inputs) => {
        alive(`step "${name}"`);
        const result = tf.tidy(() => {
          const fed = mapTree(inputs, isFeed, toTensor);
          // The nesting of state and inputs is that of their types, which a walk cannot tell the compiler.
          return step(state as never, fed as never) as tf.TensorContainer;
        }) as { readonly state?: Tree<tf.Tensor>; readonly outputs?: Tree<tf.Tensor> };
        state = replace(state, result.state ?? {}, `step "${name}"`);
        const outputs = await readTree(result.outputs ?? {});
        for (const [, tensor] of entries(result.outputs ?? {}, isTensor)) tensor.dispose();
        // Lets timers, displays and signals in between two steps.
        await new Promise((resolve) => setImmediate(resolve));
        return outputs as never;
      };
    },
    async read(...names) {
      alive('read()');
      const parts = names.map((name) => {
        const part = state[name];
        if (part === undefined) {
          throw new CaptureError(
            `session: the state holds no "${name}".${nearestHint(name, Object.keys(state))}`,
          );
        }
        return [name, part] as const;
      });
      return (await readTree(Object.fromEntries(parts))) as never;
    },
    write(values) {
      alive('write()');
      state = replace(state, mapTree(values as Tree<HostTensor>, isHost, toTensor), 'write()');
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      for (const [, tensor] of entries(state, isTensor)) tensor.dispose();
    },
  };
}
