import type { NodeTime } from './profile';
import * as tf from '@tensorflow/tfjs-core';
import { CaptureError } from '../base/errors';
import { isHostTensor } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { entries, mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import type { GraphEntry, Value } from './graph';
import type { AlgorithmRow } from './conv-algorithm';

/** An input of a step: a number is a float32 scalar, an Int32Array or Float32Array a vector. */
export type Feed = number | Int32Array | Float32Array | HostTensor;

/** The same nesting with tensors on the device instead of feeds or host tensors. */
export type OnDevice<T> = T extends Feed ? tf.Tensor : { readonly [K in keyof T]: OnDevice<T[K]> };

/** The same nesting with host tensors instead of tensors on the device. */
export type OnHost<T> = T extends tf.Tensor
  ? HostTensor
  : { readonly [K in keyof T]: OnHost<T[K]> };

/** Any part of a nesting. */
export type Part<T> = T extends HostTensor | tf.Tensor
  ? T
  : { readonly [K in keyof T]?: Part<T[K]> };

/** What a step returns: the parts of the state that it changed, and values for the caller. */
export interface StepResult<S, O> {
  readonly state?: Part<OnDevice<S>>;
  readonly outputs?: O;
}

/**
 * One step of a computation: a pure function of trees of tensors. It returns new tensors for the parts of the state that
 * change, reads no value, draws no random number, and disposes nothing.
 */
export type Step<S, I, O> = (state: OnDevice<S>, inputs: OnDevice<I>) => StepResult<S, O>;

/** Runs a captured step once: feeds in, the step's outputs back on the host. */
export type Run<I, O> = (inputs: I) => Promise<OnHost<O>>;

/** The graph of a captured step: every node that a run needs. */
export interface Recording {
  readonly name: string;
  /** How often a call runs the nodes, in sequence: 1 except in a loop. */
  readonly runs: number;
  /** Each node after those that it reads. */
  readonly nodes: readonly GraphEntry[];
  /** The step's inputs, by path. */
  readonly inputs: readonly NamedValue[];
  /** The step's outputs, by path. */
  readonly outputs: readonly NamedValue[];
  /** The parts of the state that the step reads, each with its value before the run. */
  readonly reads: readonly NamedValue[];
  /** The parts of the state that the step replaces, each with its new value. */
  readonly writes: readonly NamedValue[];
}

/** A value of a graph and its name outside the graph: keys, joined by slashes. */
export interface NamedValue {
  readonly path: string;
  readonly value: Value;
}

/** `captured`: recorded once and replayed as one TensorFlow call. `eager`: kernel by kernel from JavaScript, the reference. */
export type SessionMode = 'captured' | 'eager';

/**
 * Owns a state on the device and runs steps on it, one at a time.
 *
 * The state never leaves the device between steps; {@link Session.read} copies the requested parts to the host. Sessions
 * hold memory until {@link Session.dispose}.
 */
export interface Session<S> {
  /** How the steps are executed. */
  readonly mode: SessionMode;
  /** The measured choices of algorithms for the steps captured so far; stored with a run. */
  readonly algorithms: readonly AlgorithmRow[];
  /** Captures a step. `example` has the shapes of every later call. */
  capture<I extends Tree<Feed>, O extends Tree<tf.Tensor> = Record<string, never>>(
    name: string,
    step: Step<S, I, O>,
    example: I,
  ): Run<I, O>;
  /**
   * Captures `count` runs of a step, in sequence, as one call. Every feed of a call has one axis more than in `example`,
   * `[count,…]`, with a row for each run. The step must not return outputs, only state.
   *
   * @throws CaptureError if `count` is not a positive integer, or if the step has outputs
   */
  captureLoop<I extends Tree<Feed>>(
    name: string,
    count: number,
    step: Step<S, I, Record<string, never>>,
    example: I,
  ): Run<Tree<HostTensor | Int32Array | Float32Array>, Record<string, never>>;
  /** The graphs of the captured steps, in order, for `printGraph` and `summariseGraph`; empty in eager mode. */
  readonly recordings: readonly Recording[];
  /**
   * Times every operation of the steps called before `action` settles, which slows them a little.
   *
   * @throws EngineError in eager mode, and within another profile
   */
  profile<T>(action: () => Promise<T>): Promise<{ readonly result: T; readonly nodes: NodeTime[] }>;
  /** Copies the named top-level parts of the state to the host. */
  read<K extends keyof S & string>(...names: K[]): Promise<Pick<S, K>>;
  /** Replaces the parts of the state that are in `values`; shapes must not change. */
  write(values: Part<S>): void;
  /** Frees the state. Every later call fails, except another `dispose`. */
  dispose(): void;
}

/** Feeds are leaves of a tree; everything else is a subtree. */
export function isFeed(node: Feed | Tree<Feed>): node is Feed {
  return typeof node === 'number' || ArrayBuffer.isView(node) || isHostTensor(node);
}

/** Tensors are leaves of a tree; everything else is a subtree. */
export function isTensor(node: tf.Tensor | Tree<tf.Tensor>): node is tf.Tensor {
  return node instanceof tf.Tensor;
}

/** Host tensors are leaves of a tree; everything else is a subtree. */
export function isHost(node: HostTensor | Tree<HostTensor>): node is HostTensor {
  return isHostTensor(node);
}

/** Converts any feed to a host tensor. */
export function toHostTensor(feed: Feed): HostTensor {
  if (typeof feed === 'number') return { shape: [], data: new Float32Array([feed]) };
  return isHostTensor(feed) ? feed : { shape: [feed.length], data: feed };
}

/**
 * Stacks the feeds of several runs, all of the same nesting and shapes, into the feed of a loop: new arrays `[runs,…]`.
 */
export function stackFeeds(feeds: readonly Tree<Feed>[]): Tree<HostTensor> {
  const all = feeds.map((feed) =>
    [...entries<Feed>(feed, isFeed)].map(([, value]) => toHostTensor(value)),
  );
  let next = 0;
  return mapTree<Feed, HostTensor>(feeds[0], isFeed, () => {
    const rows = all.map((values) => values[next]);
    next += 1;
    const [{ shape, data: first }] = rows;
    const data = first.slice(0, 0);
    const stacked = new (data.constructor as new (size: number) => typeof data)(
      rows.length * first.length,
    );
    for (const [index, row] of rows.entries()) stacked.set(row.data, index * first.length);
    return { shape: [rows.length, ...shape], data: stacked };
  });
}

/** @throws CaptureError if the number of runs of a loop is not a positive integer */
export function checkCount(name: string, count: number): void {
  if (Number.isInteger(count) && count >= 1) return;
  throw new CaptureError(
    `capture: the number of runs per call of "${name}" must be a positive integer; got ${count}.`,
  );
}

/**
 * Rejects a promise as the result of a step: TypeScript reports it, a notebook may not.
 *
 * @throws CaptureError naming the step
 */
export function checkResult(name: string, result: unknown): void {
  if (!(result instanceof Promise)) return;
  // Prevents an unhandled rejection.
  result.catch(() => undefined);
  throw new CaptureError(
    `capture: "${name}" returned a promise; steps must be synchronous. Remove "async" from the function.`,
  );
}
