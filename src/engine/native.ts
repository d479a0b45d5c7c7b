import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EngineError } from '../base/errors';
import type { OpAttribute } from './backend';

/** An output of a node of a TensorFlow graph: the node's id and the output's place. */
export type OutputRef = readonly [node: number, index: number];

/** A graph with its session, in the memory of the addon. */
export interface NativeGraph {
  readonly native: unique symbol;
}

/** A node as TensorFlow took it, with the types and shapes that it inferred. */
export interface AddedNode {
  readonly id: number;
  readonly outputs: readonly {
    /** A TF_DataType. */
    readonly dtype: number;
    /** -1 for an extent that is not known before the graph runs, null for a shape that is not. */
    readonly shape: readonly number[] | null;
  }[];
}

/** A value for a run. The bytes are copied. */
export interface NativeFeed {
  readonly output: OutputRef;
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** A value from a run. */
export interface NativeResult {
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly data: ArrayBuffer;
}

/** The values of a run; of one that is timed also what TensorFlow measured, a serialised `RunMetadata`. */
export interface NativeResults extends Array<NativeResult> {
  readonly metadata?: ArrayBuffer;
}

/** TensorFlow's graphs and sessions; `native/graph.cc` says what each call does. */
export interface GraphAddon {
  create(config: Uint8Array): NativeGraph;
  addNode(
    graph: NativeGraph,
    op: string,
    name: string,
    inputs: readonly (OutputRef | readonly OutputRef[])[],
    attributes: readonly OpAttribute[],
    controls: readonly number[],
  ): AddedNode;
  run(
    graph: NativeGraph,
    feeds: readonly NativeFeed[],
    fetches: readonly OutputRef[],
    targets: readonly number[],
    isTimed: boolean,
  ): Promise<NativeResults>;
  runSync(
    graph: NativeGraph,
    feeds: readonly NativeFeed[],
    fetches: readonly OutputRef[],
    targets: readonly number[],
  ): NativeResult[];
  setShape(graph: NativeGraph, output: OutputRef, shape: readonly number[]): void;
  /** Makes a function of `body`, a graph of its own, for nodes of `graph` to call by its name. */
  addFunction(
    graph: NativeGraph,
    body: NativeGraph,
    name: string,
    inputs: readonly OutputRef[],
    outputs: readonly OutputRef[],
  ): void;
  /**
   * The algorithms of our own that this processor has for a pass of a 3x3 convolution: 0 forward, 1 the gradient by the
   * input, 2 by the kernel. The shape is `[N, H, W, Ci, Co, OH, OW]`.
   */
  convAlgorithms(pass: 0 | 1 | 2, isBfloat16: boolean, shape: readonly number[]): string[];
  /** Whether this processor has the instructions of our own operations between convolutions. */
  hasElementwise(): boolean;
  /** Whether our own kernels can use AMX tiles: the processor may lack them, the system may refuse them. */
  amx(): 'missing' | 'refused' | 'usable';
  close(graph: NativeGraph): void;
}

/**
 * Loads the addon. TensorFlow must have been loaded before, so that its settings are in place.
 *
 * @throws EngineError if it was not built
 */
export function loadGraphAddon(): GraphAddon {
  const path = join(resolve(__dirname, '../..'), 'native/graph.node');
  if (!existsSync(path)) {
    throw new EngineError(`engine: ${path} is missing. Run ./kernel-setup.sh, which builds it.`);
  }
  return require(path) as GraphAddon;
}
