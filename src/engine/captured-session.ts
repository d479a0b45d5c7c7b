import type * as tf from '@tensorflow/tfjs-core';
import { tidy } from '@tensorflow/tfjs-core';
import { CaptureError, EngineError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import { entries, mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import type { Algorithms } from './algorithms';
import { attributeType, dataType, dataTypeName, dataTypeOf, openGraph } from './graph';
import type { GraphEntry, GraphOptions, TensorGraph, Value } from './graph';
import type { Precision } from './hardware';
import { record } from './recording';
import type { Recorder } from './recording';
import { checkResult, isFeed, isHost, isTensor, toHostTensor } from './step';
import { addVariable, assignVariable, readVariable } from './variable';
import type { NamedValue, Recording, Session } from './step';

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
  options: GraphOptions,
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

  return {
    mode: 'captured',
    recordings,
    algorithms: algorithms.rows,
    capture(name, step, example) {
      alive(`capture("${name}")`);
      const feeds = new Map<string, Value>();
      const targets: number[] = [];
      const outputs: NamedValue[] = [];
      const reads = new Map<string, Value>();
      const writes = new Map<string, Value>();
      let nesting: Tree<number> = {};
      record(graph, name, precision, algorithms, (recorder) =>
        tidy(() => {
          const state = mapTree(held, isSlot, (slot) => recorder.tensor(readVariable(graph, slot)));
          for (const [path, tensor] of entries(state, isTensor)) {
            reads.set(path.join(separator), recorder.value(tensor));
          }
          const inputs = mapTree(example, isFeed, (feed, path) => {
            const { shape, data } = toHostTensor(feed);
            const value = graph.placeholder(dataTypeOf(data), shape);
            feeds.set(path.join(separator), value);
            return recorder.tensor(value);
          });
          // The nesting of state and inputs is that of their types, which a walk cannot tell the compiler.
          const result = step(state as never, inputs as never);
          checkResult(name, result);
          const changed = [...entries((result.state ?? {}) as Tree<tf.Tensor>, isTensor)].map(
            ([path, tensor]) => [path, full(graph, recorder, tensor)] as const,
          );
          for (const [slot, value, key] of match(changed, (value) => value, `step "${name}"`)) {
            const read = reads.get(key) as Value;
            if (value.ref.join() === read.ref.join()) continue;
            writes.set(key, value);
            // All of the step reads what the state was before any of it is replaced.
            targets.push(
              assignVariable(
                graph,
                slot.handle,
                value,
                [...reads.values()].map(({ ref }) => ref[0]),
              ),
            );
          }
          nesting = mapTree<tf.Tensor, number>(result.outputs ?? {}, isTensor, (tensor, keys) => {
            const path = keys.join('/');
            const value = fetchable(graph, full(graph, recorder, tensor));
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
      const fetches = outputs.map(({ value }) => value);
      recordings.push({
        name,
        nodes: neededFor(graph, [...fetches, ...writes.values()]),
        inputs: named(feeds),
        outputs,
        reads: named(reads),
        writes: named(writes),
      });
      return async (given) => {
        alive(`step "${name}"`);
        const values = [...entries(given, isFeed)].map(([path, feed]) => {
          const host = toHostTensor(feed);
          const value = feeds.get(path.join(separator));
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
          const present = new Set(
            [...entries(given, isFeed)].map(([path]) => path.join(separator)),
          );
          const missing = [...feeds.keys()].filter((key) => !present.has(key));
          throw new CaptureError(
            `capture: "${name}" was called without ${missing.map((key) => `"${key.replaceAll(separator, '/')}"`).join(', ')}. ` +
              'Feed everything that the example held.',
          );
        }
        const results = await run(`step "${name}"`, values, fetches, targets);
        return mapTree(nesting, isIndex, (index) => results[index]) as never;
      };
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
