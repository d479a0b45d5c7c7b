import type * as tf from '@tensorflow/tfjs-core';
import { tidy } from '@tensorflow/tfjs-core';
import { CaptureError } from '../base/errors';
import { entries, mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import type { OpAttribute } from './backend';
import type { Algorithms } from './conv-algorithm';
import { addCompiledCall, addLoop } from './function-call';
import { attributeType, dataType, dataTypeName, dataTypeOf, openGraph } from './graph';
import type { GraphEntry, TensorGraph, Value } from './graph';
import type { Precision } from './hardware';
import { record } from './recording';
import type { Recorder } from './recording';
import { isSlot, matchSlots, separator } from './slot';
import type { Slot } from './slot';
import { checkResult, isFeed, isTensor, toHostTensor } from './step';
import type { Feed, NamedValue, Recording, Step } from './step';
import { assignVariable, readVariable } from './variable';

/** The parts of a session that capturing a step needs. */
export interface CaptureContext {
  readonly graph: TensorGraph;
  readonly precision: Precision;
  readonly algorithms: Algorithms;
  /** The slots of the state, nested like the state, and the same slots by path. */
  readonly held: Tree<Slot>;
  readonly slots: ReadonlyMap<string, Slot>;
}

/** A step of any state and inputs. */
export type AnyStep = Step<never, never, Tree<tf.Tensor>>;

/** An input of a step: its value in the session's graph, and the same value in the graph that the step is recorded into. */
export interface Parameter {
  readonly given: Value;
  readonly value: Value;
}

/** What a run of a step requests from TensorFlow, and how its outputs are nested. */
export interface Call {
  readonly fetches: readonly Value[];
  readonly targets: readonly number[];
  readonly nesting: Tree<number>;
}

/** A captured step, and how to run it. */
export interface Captured {
  readonly recording: Recording;
  readonly feeds: ReadonlyMap<string, Parameter>;
  readonly call: Call;
}

/** The graph that a step is recorded into, and how state and feeds enter it. */
interface Place {
  readonly body: TensorGraph;
  readonly read: (slot: Slot) => Parameter;
  /** Adds a feed of this type and shape; `use` is the value that the step sees. */
  readonly feed: (dtype: number, shape: readonly number[]) => Parameter & { readonly use: Value };
}

/** A step in the graph that it was recorded into. */
interface Recorded {
  readonly feeds: ReadonlyMap<string, Parameter>;
  readonly reads: ReadonlyMap<string, Parameter>;
  readonly writes: ReadonlyMap<string, Value>;
  readonly outputs: readonly NamedValue[];
  readonly nesting: Tree<number>;
  readonly nodes: readonly GraphEntry[];
}

/** Element types that can be returned as a host tensor. */
const returnable: ReadonlySet<number> = new Set([
  dataType.float32,
  dataType.int32,
  dataType.bool,
  dataType.uint8,
]);

/** Captures a step whose nodes are added to the session's graph. */
export function captureInline(
  context: CaptureContext,
  name: string,
  step: AnyStep,
  example: Tree<Feed>,
): Captured {
  const { graph } = context;
  const same = (value: Value): Parameter => ({ given: value, value });
  const recorded = recordStep(context, name, step, example, {
    body: graph,
    read: (slot) => same(readVariable(graph, slot)),
    feed: (dtype, shape) => {
      const value = graph.placeholder(dtype, shape);
      return { ...same(value), use: value };
    },
  });
  return finish(context, name, recorded, 1, {
    fetches: recorded.outputs.map(({ value }) => value),
    written: [...recorded.writes],
    reads: [...recorded.reads.values()],
  });
}

/** Captures a step as a function, recorded into a separate graph, which XLA compiles as one program. */
export function captureCompiled(
  context: CaptureContext,
  name: string,
  step: AnyStep,
  example: Tree<Feed>,
): Captured {
  const { graph } = context;
  const body = openGraph();
  try {
    const recorded = recordStep(context, name, step, example, {
      body,
      read: ({ read }) => inBody(body, read),
      feed: (dtype, shape) => {
        const parameter = inBody(body, graph.placeholder(dtype, shape));
        return { ...parameter, use: parameter.value };
      },
    });
    const { outputs, writes, feeds } = recorded;
    const read = neededReads(recorded, false).map(([, parameter]) => parameter);
    const parameters = [...read, ...feeds.values()];
    const results = addCompiledCall(
      graph,
      {
        graph: body,
        inputs: parameters.map(({ value }) => value),
        outputs: [...outputs.map(({ value }) => value), ...writes.values()],
      },
      parameters.map(({ given }) => given),
    );
    return finish(context, name, recorded, 1, {
      fetches: results.slice(0, outputs.length),
      written: [...writes.keys()].map((key, index) => [key, results[outputs.length + index]]),
      reads: read,
    });
  } finally {
    body.close();
  }
}

/** Captures `count` runs of a step as one call: a loop over a function, recorded into a separate graph. */
export function captureLoop(
  context: CaptureContext,
  name: string,
  step: AnyStep,
  example: Tree<Feed>,
  { count, isCompiled }: { readonly count: number; readonly isCompiled: boolean },
): Captured {
  const { graph } = context;
  const body = openGraph();
  try {
    const counter = body.placeholder(dataType.int32, []);
    const recorded = recordStep(context, name, step, example, {
      body,
      read: ({ read }) => inBody(body, read),
      feed: (dtype, shape) => {
        const parameter = inBody(body, graph.placeholder(dtype, [count, ...shape]));
        return { ...parameter, use: rowOf(body, parameter.value, counter) };
      },
    });
    const { outputs, writes, feeds } = recorded;
    if (outputs.length > 0) {
      throw new CaptureError(
        `capture: "${name}" runs ${count} times per call and must not return outputs; it returns "${outputs[0].path}". ` +
          'Accumulate it in the state and read that.',
      );
    }
    const read = neededReads(recorded, true);
    const parameters = [...read.map(([, parameter]) => parameter), ...feeds.values()];
    const left = [
      ...read.map(([key, { value }]) => writes.get(key) ?? value),
      ...[...feeds.values()].map(({ value }) => value),
    ];
    const results = addLoop(
      graph,
      { graph: body, inputs: [counter, ...parameters.map(({ value }) => value)], outputs: left },
      parameters.map(({ given }) => given),
      { count, isCompiled },
    );
    return finish(context, name, recorded, count, {
      fetches: [],
      written: read.flatMap(([key], index) =>
        writes.has(key) ? [[key, results[index]] as const] : [],
      ),
      reads: read.map(([, parameter]) => parameter),
    });
  } finally {
    body.close();
  }
}

/** Runs the step's function once and records its operations into the graph of `place`. */
function recordStep(
  { precision, algorithms, held, slots }: CaptureContext,
  name: string,
  step: AnyStep,
  example: Tree<Feed>,
  { body, ...place }: Place,
): Recorded {
  const feeds = new Map<string, Parameter>();
  const outputs: NamedValue[] = [];
  const reads = new Map<string, Parameter>();
  const writes = new Map<string, Value>();
  let nesting: Tree<number> = {};
  record(body, name, precision, algorithms, (recorder) =>
    tidy(() => {
      const state = mapTree(held, isSlot, (slot, path) => {
        const read = place.read(slot);
        reads.set(path.join(separator), read);
        return recorder.tensor(read.value);
      });
      const inputs = mapTree(example, isFeed, (feed, path) => {
        const { shape, data } = toHostTensor(feed);
        const { use, ...parameter } = place.feed(dataTypeOf(data), shape);
        feeds.set(path.join(separator), parameter);
        return recorder.tensor(use);
      });
      // State and inputs are nested as their types say, but the compiler cannot infer that from `mapTree`.
      const result = step(state as never, inputs as never);
      checkResult(name, result);
      const changed = [...entries((result.state ?? {}) as Tree<tf.Tensor>, isTensor)].map(
        ([path, tensor]) => [path, full(body, recorder, tensor)] as const,
      );
      for (const [, value, key] of matchSlots(slots, changed, (value) => value, `step "${name}"`)) {
        if (value.ref.join() !== reads.get(key)?.value.ref.join()) writes.set(key, value);
      }
      nesting = mapTree<tf.Tensor, number>(result.outputs ?? {}, isTensor, (tensor, keys) => {
        const path = keys.join('/');
        const value = fetchable(body, full(body, recorder, tensor));
        if (!returnable.has(value.dtype)) {
          throw new CaptureError(
            `capture: "${name}" returns "${path}" of type ${dataTypeName(value.dtype)}, which has no JavaScript ` +
              'array type. Cast it to float32 or int32, or return its parts.',
          );
        }
        return outputs.push({ path, value }) - 1;
      });
    }),
  );
  const nodes = neededFor(body, [...outputs.map(({ value }) => value), ...writes.values()]);
  return { feeds, reads, writes, outputs, nesting, nodes };
}

/** The reads that a function takes as parameters: those that its nodes use and, for a loop, those that it writes. */
function neededReads(
  { nodes, reads, writes }: Recorded,
  isLoop: boolean,
): (readonly [key: string, parameter: Parameter])[] {
  const needed = new Set(nodes.map(({ id }) => id));
  return [...reads].filter(
    ([key, { value }]) => needed.has(value.ref[0]) || (isLoop && writes.has(key)),
  );
}

/** Adds the assignments of the state that a step changes, each after all of its reads. */
function finish(
  { graph, slots }: CaptureContext,
  name: string,
  { feeds, reads, writes, outputs, nesting, nodes }: Recorded,
  runs: number,
  results: {
    readonly fetches: readonly Value[];
    readonly written: readonly (readonly [key: string, value: Value])[];
    readonly reads: readonly Parameter[];
  },
): Captured {
  const before = results.reads.map(({ given }) => given.ref[0]);
  const targets = results.written.map(([key, value]) =>
    assignVariable(graph, (slots.get(key) as Slot).handle, value, before),
  );
  return {
    recording: {
      name,
      runs,
      nodes,
      inputs: named(valuesOf(feeds)),
      outputs,
      reads: named(valuesOf(reads)),
      writes: named(writes),
    },
    feeds,
    call: { fetches: results.fetches, targets, nesting },
  };
}

function inBody(body: TensorGraph, given: Value): Parameter {
  return { given, value: body.placeholder(given.dtype, given.shape) };
}

/** The row of a loop's feed for the current run. */
function rowOf(graph: TensorGraph, rows: Value, counter: Value): Value {
  const axis = graph.constant({ dtype: dataType.int32, shape: [], data: Int32Array.of(0) });
  const type = (name: string, value: number): OpAttribute => ({
    name,
    type: attributeType.type,
    value,
  });
  return graph.add(
    'GatherV2',
    [rows, counter, axis],
    [type('Tparams', rows.dtype), type('Tindices', dataType.int32), type('Taxis', dataType.int32)],
  ).outputs[0];
}

function valuesOf(parameters: ReadonlyMap<string, Parameter>): Map<string, Value> {
  return new Map([...parameters].map(([key, { value }]) => [key, value]));
}

/** The value of a tensor that leaves the step, cast to fp32 if it is in low precision. */
function full(graph: TensorGraph, recorder: Recorder, tensor: tf.Tensor): Value {
  const value = recorder.value(tensor);
  const isLow = value.dtype === dataType.bfloat16 || value.dtype === dataType.float16;
  return isLow ? graph.cast(value, dataType.float32) : value;
}

/** The nodes that values are computed from, each after those that it reads. */
function neededFor(graph: TensorGraph, values: readonly Value[]): GraphEntry[] {
  const needed = new Set<number>();
  const open = [...values];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const [id] = value.ref;
    if (needed.has(id)) continue;
    needed.add(id);
    open.push(...graph.entries[id].inputs);
  }
  return graph.entries.filter(({ id }) => needed.has(id));
}

function named(values: ReadonlyMap<string, Value>): NamedValue[] {
  return [...values].map(([key, value]) => ({ path: key.replaceAll(separator, '/'), value }));
}

/** TensorFlow cannot fetch a value that is fed: an input that is also an output passes through an Identity node. */
function fetchable(graph: TensorGraph, value: Value): Value {
  if (graph.entries[value.ref[0]].op !== 'Placeholder') return value;
  return graph.add(
    'Identity',
    [value],
    [{ name: 'T', type: attributeType.type, value: value.dtype }],
  ).outputs[0];
}
