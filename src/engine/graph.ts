import { CaptureError, EngineError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostArray, HostTensor } from '../base/host-tensor';
import { loadGraphAddon } from './native';
import { parseRunMetadata } from './profile';
import type { NodeTime } from './profile';
import type { GraphAddon, NativeFeed, NativeGraph, OutputRef } from './native';
import type { OpAttribute } from './backend';
import { loadTensorflow } from './tensorflow';

/** TensorFlow's numbers for the element types that the engine uses. */
export const dataType = {
  float32: 1,
  int32: 3,
  uint8: 4,
  string: 7,
  complex64: 8,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  float16: 19,
  resource: 20,
} as const;

/** TensorFlow's numbers for the kinds of attributes that the engine sets itself. */
export const attributeType = {
  string: 0,
  int: 1,
  bool: 3,
  type: 4,
  shape: 5,
  tensor: 6,
  function: 8,
} as const;

/** A value in a graph: where it comes from, its element type and its shape. */
export interface Value {
  readonly ref: OutputRef;
  readonly dtype: number;
  readonly shape: readonly number[];
}

/** One node as it was added, for printing and counting. */
export interface GraphEntry {
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: readonly OpAttribute[];
}

/** How TensorFlow runs a graph. */
export interface GraphOptions {
  /** Whether XLA compiles the regions that it supports, at their first run; our own convolutions stay outside. */
  readonly xla?: boolean;
  /** Whether XLA compiles each step as one program, or all steps of a loop together: they are functions. */
  readonly isCompiled?: boolean;
}

/** A growing TensorFlow graph, and the session that runs it. */
export interface TensorGraph {
  readonly entries: readonly GraphEntry[];
  /**
   * Adds a node.
   *
   * @throws Error if TensorFlow rejects the node, CaptureError if the shape of an output is not known before a run
   */
  add(
    op: string,
    inputs: readonly Value[],
    attributes?: readonly OpAttribute[],
    controls?: readonly number[],
    /** Shapes of the outputs that TensorFlow cannot infer: of our own operations, and of calls of functions. */
    shapes?: readonly (readonly number[])[],
  ): GraphEntry;
  /**
   * Makes a function of another graph and returns its name, by which nodes of this graph call it. `inputs` are
   * placeholders of `body`. The nodes are copied, so `body` may be closed afterwards.
   *
   * @throws Error if TensorFlow rejects it
   */
  addFunction(body: TensorGraph, inputs: readonly Value[], outputs: readonly Value[]): string;
  constant(value: {
    readonly dtype: number;
    readonly shape: readonly number[];
    readonly data: ArrayBufferView;
  }): Value;
  placeholder(dtype: number, shape: readonly number[]): Value;
  cast(value: Value, dtype: number): Value;
  /**
   * Runs the nodes that the fetches and targets need, off the JavaScript thread, one run at a time in the order of the
   * calls. Copies the feeds before it returns. Rejects with TensorFlow's message.
   */
  run(
    feeds: readonly (readonly [value: Value, host: HostTensor])[],
    fetches: readonly Value[],
    targets: readonly number[],
  ): Promise<HostTensor[]>;
  /** Like `run`, but synchronous on the JavaScript thread: for short measurements in a graph with no other runs. */
  runSync(fetches: readonly Value[], targets: readonly number[]): HostTensor[];
  /** Times every node of the runs that are started before `action` settles, which slows them a little. */
  profile<T>(action: () => Promise<T>): Promise<{ readonly result: T; readonly nodes: NodeTime[] }>;
  /** Frees the graph once all runs started so far have ended. */
  close(): void;
}

/** The element type of a host tensor. */
export function dataTypeOf(data: HostArray): number {
  if (data instanceof Float32Array) return dataType.float32;
  return data instanceof Int32Array ? dataType.int32 : dataType.bool;
}

/** The name of an element type, such as `float32`. */
export function dataTypeName(dtype: number): string {
  return Object.entries(dataType).find(([, number]) => number === dtype)?.[0] ?? `type ${dtype}`;
}

/** The addon's part of each graph, needed when the graph becomes a function of another one. */
const natives = new WeakMap<TensorGraph, NativeGraph>();

/** Opens an empty graph. Close it to free its memory, which belongs to the addon. */
export function openGraph({ xla = false, isCompiled = false }: GraphOptions = {}): TensorGraph {
  const addon = loadGraphAddon();
  const native = addon.create(sessionConfig(xla, isCompiled));
  const entries: GraphEntry[] = [];
  let functions = 0;
  const graph: TensorGraph = {
    entries,
    ...createNodes(addon, native, entries),
    ...createRuns(addon, native),
    addFunction(body, inputs, outputs) {
      const name = `Function_${functions++}`;
      const refs = (values: readonly Value[]): OutputRef[] => values.map(({ ref }) => ref);
      addon.addFunction(
        native,
        natives.get(body) as NativeGraph,
        name,
        refs(inputs),
        refs(outputs),
      );
      return name;
    },
  };
  natives.set(graph, native);
  return graph;
}

/** Functions that add nodes, each of which is appended to `entries`. */
function createNodes(
  addon: GraphAddon,
  native: NativeGraph,
  entries: GraphEntry[],
): Pick<TensorGraph, 'add' | 'constant' | 'placeholder' | 'cast'> {
  const casts = new Map<string, Value>();
  const nodes: Pick<TensorGraph, 'add' | 'constant' | 'placeholder' | 'cast'> = {
    add(op, inputs, attributes = [], controls = [], knownShapes = []) {
      const { id, outputs } = addon.addNode(
        native,
        op,
        `${op}_${entries.length}`,
        groupInputs(
          op,
          inputs.map(({ ref }) => ref),
        ),
        attributes,
        controls,
      );
      const entry = {
        id,
        op,
        inputs,
        attributes,
        outputs: outputs.map(({ dtype, shape }, index): Value => {
          const knownShape = knownShapes[index];
          if (knownShape !== undefined) {
            addon.setShape(native, [id, index], knownShape);
            return { ref: [id, index], dtype, shape: knownShape };
          }
          return { ref: [id, index], dtype, shape: isOpaque(op, index) ? [0] : (shape ?? [-1]) };
        }),
      };
      entries.push(entry);
      entry.outputs.forEach(checkShape);
      return entry;
    },
    constant(value) {
      return nodes.add(
        'Const',
        [],
        [
          { name: 'dtype', type: attributeType.type, value: value.dtype },
          { name: 'value', type: attributeType.tensor, value },
        ],
      ).outputs[0];
    },
    placeholder(dtype, shape) {
      return nodes.add(
        'Placeholder',
        [],
        [
          { name: 'dtype', type: attributeType.type, value: dtype },
          { name: 'shape', type: attributeType.shape, value: shape },
        ],
      ).outputs[0];
    },
    cast(value, dtype) {
      if (value.dtype === dtype) return value;
      const key = `${value.ref.join(':')} ${dtype}`;
      const found =
        casts.get(key) ??
        nodes.add(
          'Cast',
          [value],
          [
            { name: 'SrcT', type: attributeType.type, value: value.dtype },
            { name: 'DstT', type: attributeType.type, value: dtype },
          ],
        ).outputs[0];
      casts.set(key, found);
      return found;
    },
  };
  return nodes;
}

/** @throws CaptureError for an output whose shape is not known before a run */
function checkShape({ ref, shape }: Value): void {
  if (!shape.includes(-1)) return;
  throw new CaptureError(
    `the shape of output ${ref[1]} depends on values ([${shape.join()}]), which are unknown while recording. ` +
      'Use operations whose output shapes depend only on input shapes.',
  );
}

/** Runs a graph, one run at a time in the order of the calls. */
function createRuns(
  addon: GraphAddon,
  native: NativeGraph,
): Pick<TensorGraph, 'run' | 'runSync' | 'profile' | 'close'> {
  let last: Promise<unknown> = Promise.resolve();
  let queued = 0;
  let timed: NodeTime[] | undefined;
  return {
    runSync(fetches, targets) {
      const refs = fetches.map(({ ref }) => ref);
      return addon
        .runSync(native, [], refs, targets)
        .map(({ dtype, shape, data }) => ({ shape, data: toHostArray(dtype, data) }));
    },
    run(feeds, fetches, targets) {
      if (fetches.length + targets.length === 0) return Promise.resolve([]);
      const isIdle = queued === 0;
      // The addon copies the feeds when a run starts. A run that has to wait copies them here: the caller may overwrite them.
      const given = feeds.map(([{ ref, dtype }, { shape, data }]): NativeFeed => {
        return { output: ref, dtype, shape, data: isIdle ? data : data.slice() };
      });
      const refs = fetches.map(({ ref }) => ref);
      const into = timed;
      const start = async (): Promise<HostTensor[]> => {
        const results = await addon.run(native, given, refs, targets, into !== undefined);
        if (results.metadata !== undefined) into?.push(...parseRunMetadata(results.metadata));
        return results.map(({ dtype, shape, data }) => ({ shape, data: toHostArray(dtype, data) }));
      };
      queued += 1;
      const result = (isIdle ? start() : last.then(start)).finally(() => {
        queued -= 1;
      });
      last = result.then(ignore, ignore);
      return result;
    },
    async profile(action) {
      if (timed !== undefined) {
        throw new EngineError(
          'session: profile() was called inside another profile(). Profiles cannot be nested.',
        );
      }
      const nodes: NodeTime[] = [];
      timed = nodes;
      try {
        return { result: await action(), nodes };
      } finally {
        timed = undefined;
      }
    },
    close() {
      const close = (): void => addon.close(native);
      if (queued === 0) close();
      else void last.then(close);
    },
  };
}

function ignore(): void {
  // The caller of a run gets its result or its error; the next run only waits for its end.
}

/** Inputs as TensorFlow groups them: some operations take a list, before or after a single input. */
function groupInputs(
  op: string,
  refs: readonly OutputRef[],
): readonly (OutputRef | readonly OutputRef[])[] {
  switch (op) {
    case 'AddN':
    case 'Pack':
    case 'IdentityN':
    case 'PartitionedCall':
    case 'StatelessWhile':
    case 'Einsum':
      return [refs];
    case 'ConcatV2':
      return [refs.slice(0, -1), refs[refs.length - 1]];
    case 'Concat':
      return [refs[0], refs.slice(1)];
    default:
      return refs;
  }
}

/** The reserve of a fused batch norm, which only its gradient reads; the kernel chooses its shape. */
function isOpaque(op: string, output: number): boolean {
  return op === 'FusedBatchNormV3' && output === 5;
}

function toHostArray(dtype: number, data: ArrayBuffer): HostArray {
  switch (dtype) {
    case dataType.float32:
      return new Float32Array(data);
    case dataType.int32:
      return new Int32Array(data);
    case dataType.bool:
    case dataType.uint8:
      return new Uint8Array(data);
    default:
      throw new CaptureError(
        `capture: a value of TensorFlow type ${dtype} cannot be returned. Cast it to float32 or int32.`,
      );
  }
}

/**
 * A serialised ConfigProto; field numbers as in tensorflow/core/protobuf/config.proto and rewriter_config.proto. It sets:
 *
 * - gpu_options.allow_growth: a GPU's memory is allocated as needed.
 * - graph_options.rewrite_options, the graph optimiser: off on a CPU (disable_meta_optimizer), where it makes no recording
 *   faster and takes up to a quarter of the start-up time; one pass (meta_optimizer_iterations = ONE) on a GPU, and for
 *   functions that XLA compiles, from which it removes what is not used.
 * - graph_options.optimizer_options.global_jit_level = ON_1 with XLA.
 */
function sessionConfig(xla: boolean, isCompiled: boolean): Uint8Array {
  const message = (field: number, content: readonly number[]): readonly number[] => [
    (field << 3) | 2,
    content.length,
    ...content,
  ];
  const growth = message(6, [4 << 3, 1]);
  // The tag of disable_meta_optimizer takes two bytes.
  const rewrites = isCompiled || loadTensorflow().gpu ? [12 << 3, 1] : [0x98, 0x01, 1];
  const jit = xla ? message(10, message(3, [5 << 3, 1])) : [];
  return Uint8Array.from([...growth, ...message(10, message(10, rewrites)), ...jit]);
}

/** The size of a value in bytes. */
export function byteSizeOf({ dtype, shape }: Pick<Value, 'dtype' | 'shape'>): number {
  const width: Readonly<Record<number, number>> = {
    [dataType.float32]: 4,
    [dataType.int32]: 4,
    [dataType.bfloat16]: 2,
    [dataType.float16]: 2,
    [dataType.int64]: 8,
  };
  return (width[dtype] ?? 1) * sizeOf(shape);
}

/** A shape as TensorFlow's operations take it: one int32 per axis. */
export function shapeConstant(graph: TensorGraph, shape: readonly number[]): Value {
  const data = Int32Array.from(shape);
  return graph.constant({ dtype: dataType.int32, shape: [shape.length], data });
}
