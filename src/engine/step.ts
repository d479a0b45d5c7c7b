import type { NodeTime } from './profile';
import * as tf from '@tensorflow/tfjs-core';
import { CaptureError } from '../base/errors';
import { isHostTensor } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { entries, mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import type { GraphEntry, Value } from './graph';
import type { AlgorithmRow } from './conv-algorithm';

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

/** A captured step as a graph: everything whose value a run needs. */
export interface Recording {
  readonly name: string;
  /** How many times a call runs the nodes, one after the other: 1 except in a loop. */
  readonly runs: number;
  /** Each node after those that it reads. */
  readonly nodes: readonly GraphEntry[];
  /** What is fed, by the paths of the step's inputs. */
  readonly inputs: readonly NamedValue[];
  /** What comes back, by the paths of the step's outputs. */
  readonly outputs: readonly NamedValue[];
  /** The parts of the state that the step reads, each as the value that it has before the run. */
  readonly reads: readonly NamedValue[];
  /** The parts of the state that the step replaces, each with its new value. */
  readonly writes: readonly NamedValue[];
}

/** A value of a graph and what it is called outside of it: keys, joined by slashes. */
export interface NamedValue {
  readonly path: string;
  readonly value: Value;
}

/** `captured`: recorded once and replayed as one TensorFlow call. `eager`: kernel by kernel from JavaScript, the oracle. */
export type SessionMode = 'captured' | 'eager';

/**
 * Owns a state on the device and runs steps on it, one at a time.
 *
 * The state never leaves the device between steps; {@link Session.read} copies the parts that are asked for. Sessions
 * hold memory until {@link Session.dispose}.
 */
export interface Session<S> {
  /** How the steps are executed. */
  readonly mode: SessionMode;
  /** Algorithms chosen by measuring, for the steps captured so far: part of a run's record. */
  readonly algorithms: readonly AlgorithmRow[];
  /** Makes a step runnable. `example` has the shapes with which it will be called. */
  capture<I extends Tree<Feed>, O extends Tree<tf.Tensor> = Record<string, never>>(
    name: string,
    step: Step<S, I, O>,
    example: I,
  ): Run<I, O>;
  /**
   * Makes `count` runs of a step, one after the other, one call: every feed of a call has one axis more than in `example`,
   * `[count,…]`, a row for each run. The step gives nothing back but state.
   *
   * @throws CaptureError if the count is no whole number from 1, or if the step has outputs
   */
  captureLoop<I extends Tree<Feed>>(
    name: string,
    count: number,
    step: Step<S, I, Record<string, never>>,
    example: I,
  ): Run<Tree<HostTensor | Int32Array | Float32Array>, Record<string, never>>;
  /** The graphs of the steps that were captured, in that order, for `printGraph` and `summariseGraph`; none if eager. */
  readonly recordings: readonly Recording[];
  /**
   * Times every operation of the steps that are called until `action` has ended, which it slows a little.
   *
   * @throws EngineError in eager mode, and within another profile
   */
  profile<T>(action: () => Promise<T>): Promise<{ readonly result: T; readonly nodes: NodeTime[] }>;
  /** A copy of the top-level records of the state that are named. */
  read<K extends keyof S & string>(...names: K[]): Promise<Pick<S, K>>;
  /** Replaces the parts of the state that `values` holds; shapes must be what they were. */
  write(values: Part<S>): void;
  /** Frees the state; every later call is an error, but a second `dispose`. */
  dispose(): void;
}

/** Feeds are values of a tree; everything else is a record. */
export function isFeed(node: Feed | Tree<Feed>): node is Feed {
  return typeof node === 'number' || ArrayBuffer.isView(node) || isHostTensor(node);
}

/** Tensors are values of a tree; everything else is a record. */
export function isTensor(node: tf.Tensor | Tree<tf.Tensor>): node is tf.Tensor {
  return node instanceof tf.Tensor;
}

/** Host tensors are values of a tree; everything else is a record. */
export function isHost(node: HostTensor | Tree<HostTensor>): node is HostTensor {
  return isHostTensor(node);
}

/** A feed in the form that all feeds come down to. */
export function toHostTensor(feed: Feed): HostTensor {
  if (typeof feed === 'number') return { shape: [], data: new Float32Array([feed]) };
  return isHostTensor(feed) ? feed : { shape: [feed.length], data: feed };
}

/**
 * What a call of a loop is fed: the feeds of its runs, of one nesting and one shape, as rows `[runs,…]` of new arrays.
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

/** @throws CaptureError if a loop is to run another number of times than a whole one from 1 */
export function checkCount(name: string, count: number): void {
  if (Number.isInteger(count) && count >= 1) return;
  throw new CaptureError(
    `capture: "${name}" was to run ${count} times a call. Give a whole number from 1.`,
  );
}

/**
 * Refuses what a step gave back if that is a promise: TypeScript sees it, a notebook may not.
 *
 * @throws CaptureError naming the step
 */
export function checkResult(name: string, result: unknown): void {
  if (!(result instanceof Promise)) return;
  // Nobody waits for it.
  result.catch(() => undefined);
  throw new CaptureError(
    `capture: "${name}" returned a promise; a step is recorded at once. Make it a function that is not async.`,
  );
}
