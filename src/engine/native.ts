import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EngineError } from '../base/errors';
import type { OpAttribute } from './backend';

/** An output of a node of a TensorFlow graph: the node's id and the output's index. */
export type OutputRef = readonly [node: number, index: number];

/** A graph with its session, in the memory of the addon. */
export interface NativeGraph {
  readonly native: unique symbol;
}

/** A node that was added, with the types and shapes that TensorFlow inferred. */
export interface AddedNode {
  readonly id: number;
  readonly outputs: readonly {
    /** A TF_DataType. */
    readonly dtype: number;
    /** An extent is -1 if it is not known before the graph runs; the shape is null if not even its rank is known. */
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

/** The values of a run; if it was timed, also TensorFlow's measurements, a serialised `RunMetadata`. */
export interface NativeResults extends Array<NativeResult> {
  readonly metadata?: ArrayBuffer;
}

/** TensorFlow's graphs and sessions; `native/graph.cc` documents each call. */
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
  /** Makes a function of the graph `body`, which nodes of `graph` call by its name. */
  addFunction(
    graph: NativeGraph,
    body: NativeGraph,
    name: string,
    inputs: readonly OutputRef[],
    outputs: readonly OutputRef[],
  ): void;
  /**
   * Our own algorithms that this processor supports for a pass of a 3x3 convolution: 0 forward, 1 the input gradient, 2 the
   * kernel gradient. The shape is `[N, H, W, Ci, Co, OH, OW]`.
   */
  convAlgorithms(pass: 0 | 1 | 2, isBfloat16: boolean, shape: readonly number[]): string[];
  /** Whether this processor has the instructions that our own activations, norms and poolings need. */
  hasElementwise(): boolean;
  /** Whether our own kernels can use AMX tiles: the processor may lack them, or the system may refuse them. */
  amx(): 'missing' | 'refused' | 'usable';
  close(graph: NativeGraph): void;
}

/**
 * Loads the addon. TensorFlow must already be loaded, so that its settings are in place.
 *
 * @throws EngineError if the addon was not built
 */
export function loadGraphAddon(): GraphAddon {
  const path = join(resolve(__dirname, '../..'), 'native/graph.node');
  if (!existsSync(path)) {
    throw new EngineError(`engine: ${path} is missing. Run ./kernel-setup.sh, which builds it.`);
  }
  return require(path) as GraphAddon;
}
