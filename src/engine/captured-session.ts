import type * as tf from '@tensorflow/tfjs-core';
import { tidy } from '@tensorflow/tfjs-core';
import { CaptureError, EngineError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import { entries, mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import type { Algorithms } from './conv-algorithm';
import { attributeType, dataType, dataTypeName, dataTypeOf, openGraph } from './graph';
import type { GraphEntry, GraphOptions, TensorGraph, Value } from './graph';
import type { Precision } from './hardware';
import { record } from './recording';
import type { Recorder } from './recording';
import { checkCount, checkResult, isFeed, isHost, isTensor, toHostTensor } from './step';
import { addVariable, assignVariable, readVariable } from './variable';
import type { Feed, NamedValue, Recording, Run, Session, Step } from './step';
import type { OpAttribute } from './backend';
import { addCompiledCall, addLoop } from './function-call';

/** How captured steps are run. */
export interface CapturedOptions extends GraphOptions {
  /** Has XLA make one program of each step, and of all steps of a loop. */
  readonly isCompiled?: boolean;
}

/** A part of the state in the graph's session: a variable, how to fill it and how to read it. */
interface Slot {
  readonly handle: Value;
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly given: Value;
  /** Node that puts `given` into the variable. */
  readonly assign: number;
  readonly read: Value;
}

/** What a step is given: a value of the session's graph, and the same value in the graph that the step is recorded into. */
interface Parameter {
  readonly given: Value;
  readonly value: Value;
}

/** What a run of a step asks of TensorFlow, and how what it gives is nested. */
interface Call {
  readonly fetches: readonly Value[];
  readonly targets: readonly number[];
  readonly nesting: Tree<number>;
}

const separator = '\u0000';

/** Element types that come back as a {@link HostTensor}. */
const returnable: ReadonlySet<number> = new Set([
  dataType.float32,
  dataType.int32,
  dataType.bool,
  dataType.uint8,
]);

/**
 * Opens a session whose steps are recorded as a TensorFlow graph and replayed, each with one call.
 *
 * The state lives in variables of the graph's session. A step that is captured adds its nodes to the same graph, so all
 * steps share one state and none of them is built twice; TensorFlow itself runs on a thread of its own.
 */
export function createCapturedSession<S extends Tree<HostTensor>>(
  initial: S,
  precision: Precision,
  algorithms: Algorithms,
  { isCompiled = false, ...options }: CapturedOptions,
): Session<S> {
  const graph = openGraph(options);
  const slots = new Map<string, Slot>();
  const recordings: Recording[] = [];
  /** Ends when everything that was written so far is on the device; fails for good if that cannot be. */
  let written: Promise<unknown> = Promise.resolve();
  let isDisposed = false;

  /** Puts values into variables, all in one call; the numbers are copied before this returns. */
  const put = (
    writes: readonly (readonly [slot: Slot, host: HostTensor, ...rest: unknown[]])[],
  ): void => {
    const done = graph.run(
      writes.map(([{ given }, host]) => [given, host] as const),
      [],
      writes.map(([{ assign }]) => assign),
    );
    written = Promise.all([written, done]);
    // Whoever runs or reads next is told.
    written.catch(() => undefined);
  };

  const first: (readonly [slot: Slot, host: HostTensor])[] = [];
  // The nesting of the state, without its numbers: those are the graph's.
  const held = mapTree<HostTensor, Slot>(initial, isHost, (host, path) => {
    checkSize('createSession()', path, host);
    // Two paths may read the same: the number keeps their variables apart.
    const slot = makeSlot(graph, `${first.length}:${path.join('/')}`, host);
    slots.set(path.join(separator), slot);
    first.push([slot, host]);
    return slot;
  });
  put(first);

  const alive = (what: string): void => {
    if (isDisposed) {
      throw new CaptureError(`session: ${what} was called after dispose(). Open a new session.`);
    }
  };

  /** Runs after everything that was written and called before; the place in that order is taken before this returns. */
  const run = async (
    what: string,
    ...call: Parameters<TensorGraph['run']>
  ): Promise<HostTensor[]> => {
    const result = graph.run(...call);
    try {
      await Promise.all([written, result]);
    } catch (cause) {
      const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
      throw new EngineError(
        `session: ${what} failed in TensorFlow: ${reason}. A part of its changes may be in the state already.`,
        { cause },
      );
    }
    return result;
  };

  /** The slots of the values that `update` holds, by path; every one must exist and keep its type and shape. */
  const match = <T>(
    update: readonly (readonly [path: readonly string[], value: T])[],
    describe: (value: T) => Pick<Slot, 'dtype' | 'shape'>,
    where: string,
  ): (readonly [slot: Slot, value: T, key: string])[] =>
    update.map(([path, value]) => {
      const key = path.join(separator);
      const slot = slots.get(key);
      const name = path.join('/');
      if (slot === undefined) {
        const known = [...slots.keys()].map((other) => other.replaceAll(separator, '/'));
        throw new CaptureError(
          `session: ${where} sets "${name}", which the state does not hold.${nearestHint(name, known)} ` +
            'Put it into the state that the session starts with.',
        );
      }
      const { dtype, shape } = describe(value);
      if (dtype !== slot.dtype || shape.join() !== slot.shape.join()) {
        throw new CaptureError(
          `session: ${where} sets "${name}" to ${dataTypeName(dtype)} [${shape.join()}]; it is ` +
            `${dataTypeName(slot.dtype)} [${slot.shape.join()}] and keeps its shape. Open a new session for another shape.`,
        );
      }
      return [slot, value, key] as const;
    });

  /**
   * Records a step and returns its run. With `count`, a run is so many steps, one after the other.
   *
   * A step is recorded into the graph itself, or into one of its own that becomes a function: where it is called more
   * than once, and where XLA is to make one program of it.
   */
  const capture = <I extends Tree<Feed>>(
    name: string,
    step: Step<S, I, Tree<tf.Tensor>>,
    example: I,
    count?: number,
  ): Run<I, Tree<tf.Tensor>> => {
    alive(`capture("${name}")`);
    const isPart = count === undefined && !isCompiled;
    const body = isPart ? graph : openGraph();
    try {
      const feeds = new Map<string, Parameter>();
      const outputs: NamedValue[] = [];
      const reads = new Map<string, Parameter>();
      const writes = new Map<string, Value>();
      let nesting: Tree<number> = {};
      /** The value of a parameter in the graph that the step is recorded into. */
      const parameter = (given: Value): Parameter => ({
        given,
        value: isPart ? given : body.placeholder(given.dtype, given.shape),
      });
      const counter = count === undefined ? undefined : body.placeholder(dataType.int32, []);
      record(body, name, precision, algorithms, (recorder) =>
        tidy(() => {
          const state = mapTree(held, isSlot, (slot, path) => {
            const read = parameter(isPart ? readVariable(graph, slot) : slot.read);
            reads.set(path.join(separator), read);
            return recorder.tensor(read.value);
          });
          const inputs = mapTree(example, isFeed, (feed, path) => {
            const { shape, data } = toHostTensor(feed);
            const all = count === undefined ? shape : [count, ...shape];
            const fed = parameter(graph.placeholder(dataTypeOf(data), all));
            feeds.set(path.join(separator), fed);
            return recorder.tensor(
              counter === undefined ? fed.value : rowOf(body, fed.value, counter),
            );
          });
          // The nesting of state and inputs is that of their types, which a walk cannot tell the compiler.
          const result = step(state as never, inputs as never);
          checkResult(name, result);
          const changed = [...entries((result.state ?? {}) as Tree<tf.Tensor>, isTensor)].map(
            ([path, tensor]) => [path, full(body, recorder, tensor)] as const,
          );
          for (const [, value, key] of match(changed, (value) => value, `step "${name}"`)) {
            if (value.ref.join() !== reads.get(key)?.value.ref.join()) writes.set(key, value);
          }
          nesting = mapTree<tf.Tensor, number>(result.outputs ?? {}, isTensor, (tensor, keys) => {
            const path = keys.join('/');
            const value = fetchable(body, full(body, recorder, tensor));
            if (!returnable.has(value.dtype)) {
              throw new CaptureError(
                `capture: "${name}" gives back "${path}" of type ${dataTypeName(value.dtype)}, which JavaScript has ` +
                  'no array for. Cast it to float32 or int32, or give back its parts.',
              );
            }
            return outputs.push({ path, value }) - 1;
          });
        }),
      );
      if (count !== undefined && outputs.length > 0) {
        throw new CaptureError(
          `capture: "${name}" is to run ${count} times a call and gives back "${outputs[0].path}", of which there would ` +
            'be as many. Add it up in the state, and read that.',
        );
      }
      const nodes = neededFor(body, [...outputs.map(({ value }) => value), ...writes.values()]);
      recordings.push({
        name,
        runs: count ?? 1,
        nodes,
        inputs: named(valuesOf(feeds)),
        outputs,
        reads: named(valuesOf(reads)),
        writes: named(writes),
      });
      const needed = new Set(nodes.map(({ id }) => id));
      const read = [...reads].filter(
        ([key, { value }]) =>
          needed.has(value.ref[0]) || (counter !== undefined && writes.has(key)),
      );
      const parameters = [...read.map(([, parameter]) => parameter), ...feeds.values()];
      const given = parameters.map((parameter) => parameter.given);
      const inputs = parameters.map(({ value }) => value);
      let fetches = outputs.map(({ value }) => value);
      let written = [...writes];
      if (counter !== undefined && count !== undefined) {
        const left = [
          ...read.map(([key, { value }]) => writes.get(key) ?? value),
          ...[...feeds.values()].map(({ value }) => value),
        ];
        const results = addLoop(
          graph,
          { graph: body, inputs: [counter, ...inputs], outputs: left },
          given,
          { count, isCompiled },
        );
        written = read.flatMap(([key], index) =>
          writes.has(key) ? [[key, results[index]] as [string, Value]] : [],
        );
      } else if (!isPart) {
        const left = [...fetches, ...writes.values()];
        const results = addCompiledCall(graph, { graph: body, inputs, outputs: left }, given);
        fetches = results.slice(0, fetches.length);
        written = [...writes.keys()].map((key, index) => [key, results[fetches.length + index]]);
      }
      // All of the step reads what the state was before any of it is replaced.
      const before = (isPart ? [...reads.values()] : read.map(([, parameter]) => parameter)).map(
        (parameter) => parameter.given.ref[0],
      );
      const targets = written.map(([key, value]) =>
        assignVariable(graph, (slots.get(key) as Slot).handle, value, before),
      );
      return callOf(name, feeds, { fetches, targets, nesting });
    } finally {
      if (!isPart) body.close();
    }
  };

  /** The run of a step that was recorded. */
  const callOf = <I extends Tree<Feed>>(
    name: string,
    feeds: ReadonlyMap<string, Parameter>,
    { fetches, targets, nesting }: Call,
  ): Run<I, Tree<tf.Tensor>> => {
    return async (given) => {
      alive(`step "${name}"`);
      const values = [...entries(given, isFeed)].map(([path, feed]) => {
        const host = toHostTensor(feed);
        const value = feeds.get(path.join(separator))?.given;
        if (
          value === undefined ||
          value.shape.join() !== host.shape.join() ||
          value.dtype !== dataTypeOf(host.data)
        ) {
          const recorded =
            value === undefined
              ? 'without it'
              : `for ${dataTypeName(value.dtype)} [${value.shape.join()}]`;
          throw new CaptureError(
            `capture: "${name}" was recorded ${recorded} and called with "${path.join('/')}" ` +
              `${dataTypeName(dataTypeOf(host.data))} [${host.shape.join()}]. Record a second step for it, or set dropLast.`,
          );
        }
        checkSize(`step "${name}"`, path, host);
        return [value, host] as const;
      });
      if (values.length < feeds.size) {
        const present = new Set([...entries(given, isFeed)].map(([path]) => path.join(separator)));
        const missing = [...feeds.keys()].filter((key) => !present.has(key));
        throw new CaptureError(
          `capture: "${name}" was called without ${missing.map((key) => `"${key.replaceAll(separator, '/')}"`).join(', ')}. ` +
            'Feed everything that the example held.',
        );
      }
      const results = await run(`step "${name}"`, values, fetches, targets);
      return mapTree(nesting, isIndex, (index) => results[index]) as never;
    };
  };

  return {
    mode: 'captured',
    recordings,
    algorithms: algorithms.rows,
    capture: (name, step, example) => capture(name, step as never, example) as never,
    captureLoop(name, count, step, example) {
      checkCount(name, count);
      return capture(name, step as never, example, count) as never;
    },
    async profile(action) {
      alive('profile()');
      return graph.profile(action);
    },
    async read(...names) {
      alive('read()');
      const parts = names.map((name) => {
        const part = held[name];
        if (part === undefined) {
          throw new CaptureError(
            `session: the state holds no "${name}".${nearestHint(name, Object.keys(held))}`,
          );
        }
        return [name, part] as const;
      });
      const fetches: Value[] = [];
      const places = mapTree<Slot, number>(
        Object.fromEntries(parts),
        isSlot,
        ({ read }) => fetches.push(read) - 1,
      );
      const results = await run('read()', [], fetches, []);
      return mapTree(places, isIndex, (index) => results[index]) as never;
    },
    write(values) {
      alive('write()');
      const given = [...entries<HostTensor>(values as Tree<HostTensor>, isHost)];
      const describe = ({ data, shape }: HostTensor): Pick<Slot, 'dtype' | 'shape'> => ({
        dtype: dataTypeOf(data),
        shape,
      });
      for (const [path, host] of given) checkSize('write()', path, host);
      put(match(given, describe, 'write()'));
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      graph.close();
    },
  };
}

/** Values of a tree of slots are slots or trees, never numbers: whatever the parts of the state are called. */
function isSlot(node: Slot | Tree<Slot>): node is Slot {
  return typeof node['dtype'] === 'number';
}

/** One of the rows of what is fed to all calls of a loop. */
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

function isIndex(node: number | Tree<number>): node is number {
  return typeof node === 'number';
}

/** The value of a tensor that leaves the step: low precision is brought back to fp32. */
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

/** TensorFlow gives nothing back that it was fed: an input that is an output as well goes through a node. */
function fetchable(graph: TensorGraph, value: Value): Value {
  if (graph.entries[value.ref[0]].op !== 'Placeholder') return value;
  return graph.add(
    'Identity',
    [value],
    [{ name: 'T', type: attributeType.type, value: value.dtype }],
  ).outputs[0];
}

function checkSize(where: string, path: readonly string[], { shape, data }: HostTensor): void {
  if (data.length === sizeOf(shape)) return;
  throw new CaptureError(
    `session: ${where} was given "${path.join('/')}" [${shape.join()}] with ${data.length} numbers; ` +
      `that shape takes ${sizeOf(shape)}.`,
  );
}

function makeSlot(graph: TensorGraph, name: string, { data, shape }: HostTensor): Slot {
  const dtype = dataTypeOf(data);
  const handle = addVariable(graph, name, dtype, shape);
  const given = graph.placeholder(dtype, shape);
  const assign = assignVariable(graph, handle, given, []);
  return { handle, dtype, shape, given, assign, read: readVariable(graph, { handle, dtype }) };
}
