import type * as tf from '@tensorflow/tfjs-core';
import { CaptureError, EngineError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import { entries, mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import { captureCompiled, captureInline, captureLoop } from './capture';
import type { CaptureContext, Captured, Parameter } from './capture';
import type { Algorithms } from './conv-algorithm';
import { dataTypeName, dataTypeOf, openGraph } from './graph';
import type { GraphOptions, TensorGraph, Value } from './graph';
import type { Precision } from './hardware';
import { checkSize, isSlot, makeSlot, matchSlots, separator } from './slot';
import type { Slot } from './slot';
import { checkCount, isFeed, isHost, toHostTensor } from './step';
import type { Feed, Recording, Run, Session } from './step';

/** State on the device: its variables, and the runs on them in the order of the calls. */
interface DeviceState {
  readonly graph: TensorGraph;
  readonly slots: ReadonlyMap<string, Slot>;
  readonly held: Tree<Slot>;
  /** Writes values to variables, all in one call; the data is copied before this returns. */
  put(writes: readonly (readonly [slot: Slot, host: HostTensor, ...rest: unknown[]])[]): void;
  /** Runs after all earlier writes and runs; its place in that order is fixed before this returns. */
  run(what: string, ...call: Parameters<TensorGraph['run']>): Promise<HostTensor[]>;
  /** @throws CaptureError after `close` */
  alive(what: string): void;
  close(): void;
}

/**
 * Opens a session whose steps are recorded as a TensorFlow graph and replayed, each with one call.
 *
 * The state lives in variables of the graph's session. Each captured step adds its nodes to the same graph, so all steps
 * share one state and none is built twice. TensorFlow runs on a separate thread.
 */
export function createCapturedSession<S extends Tree<HostTensor>>(
  initial: S,
  precision: Precision,
  algorithms: Algorithms,
  options: GraphOptions,
): Session<S> {
  const device = openDeviceState(initial, options);
  const { graph, held, slots } = device;
  const recordings: Recording[] = [];
  const context: CaptureContext = { graph, precision, algorithms, held, slots };
  const capture = (name: string, captured: () => Captured): Run<Tree<Feed>, Tree<tf.Tensor>> => {
    device.alive(`capture("${name}")`);
    const found = captured();
    recordings.push(found.recording);
    return runOf(name, found, device);
  };
  const { isCompiled = false } = options;
  const captureOne = isCompiled ? captureCompiled : captureInline;

  return {
    mode: 'captured',
    recordings,
    algorithms: algorithms.rows,
    capture: (name, step, example) =>
      capture(name, () => captureOne(context, name, step as never, example)) as never,
    captureLoop(name, count, step, example) {
      checkCount(name, count);
      return capture(name, () =>
        captureLoop(context, name, step as never, example, { count, isCompiled }),
      ) as never;
    },
    async profile(action) {
      device.alive('profile()');
      return graph.profile(action);
    },
    read: (...names) => readState(device, names) as never,
    write(values) {
      device.alive('write()');
      const given = [...entries<HostTensor>(values as Tree<HostTensor>, isHost)];
      const describe = ({ data, shape }: HostTensor): Pick<Slot, 'dtype' | 'shape'> => ({
        dtype: dataTypeOf(data),
        shape,
      });
      for (const [path, host] of given) checkSize('write()', path, host);
      device.put(matchSlots(slots, given, describe, 'write()'));
    },
    dispose: () => device.close(),
  };
}

/** Copies a state to the device. */
function openDeviceState(initial: Tree<HostTensor>, options: GraphOptions): DeviceState {
  const graph = openGraph(options);
  const slots = new Map<string, Slot>();
  /** Resolves once all writes so far are on the device; stays rejected if one of them fails. */
  let written: Promise<unknown> = Promise.resolve();
  let isDisposed = false;
  const put: DeviceState['put'] = (writes) => {
    const done = graph.run(
      writes.map(([{ given }, host]) => [given, host] as const),
      [],
      writes.map(([{ assign }]) => assign),
    );
    // Without the results of the writes, which would accumulate.
    written = Promise.all([written, done]).then(() => undefined);
    // The next run or read reports the failure.
    written.catch(() => undefined);
  };
  const first: (readonly [slot: Slot, host: HostTensor])[] = [];
  // The structure of the state without its data, which the graph holds.
  const held = mapTree<HostTensor, Slot>(initial, isHost, (host, path) => {
    checkSize('createSession()', path, host);
    // Two paths may look the same in print: the number makes the names of their variables unique.
    const slot = makeSlot(graph, `${first.length}:${path.join('/')}`, host);
    slots.set(path.join(separator), slot);
    first.push([slot, host]);
    return slot;
  });
  put(first);
  return {
    graph,
    slots,
    held,
    put,
    async run(what, ...call) {
      const result = graph.run(...call);
      try {
        await Promise.all([written, result]);
      } catch (cause) {
        const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
        throw new EngineError(
          `session: ${what} failed in TensorFlow: ${reason}. The state may already contain part of its changes.`,
          { cause },
        );
      }
      return result;
    },
    alive(what) {
      if (!isDisposed) return;
      throw new CaptureError(`session: ${what} was called after dispose(). Open a new session.`);
    },
    close() {
      if (isDisposed) return;
      isDisposed = true;
      graph.close();
    },
  };
}

/** Copies the named top-level parts of the state to the host. */
async function readState(device: DeviceState, names: readonly string[]): Promise<Tree<HostTensor>> {
  const { held } = device;
  device.alive('read()');
  const parts = names.map((name) => {
    const part = held[name];
    if (part === undefined) {
      throw new CaptureError(
        `session: the state has no "${name}".${nearestHint(name, Object.keys(held))}`,
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
  const results = await device.run('read()', [], fetches, []);
  return mapTree(places, isIndex, (index) => results[index]);
}

/** The function that runs a captured step. */
function runOf(
  name: string,
  { feeds, call: { fetches, targets, nesting } }: Captured,
  device: DeviceState,
): Run<Tree<Feed>, Tree<tf.Tensor>> {
  return async (given) => {
    device.alive(`step "${name}"`);
    const values = feedValues(name, feeds, given);
    const results = await device.run(`step "${name}"`, values, fetches, targets);
    return mapTree(nesting, isIndex, (index) => results[index]) as never;
  };
}

/**
 * Pairs the inputs of a call with the values that the step was captured with.
 *
 * @throws CaptureError if an input is missing or unknown, or has another type or shape
 */
function feedValues(
  name: string,
  feeds: ReadonlyMap<string, Parameter>,
  given: Tree<Feed>,
): (readonly [value: Value, host: HostTensor])[] {
  const present = new Set<string>();
  const values = [...entries(given, isFeed)].map(([path, feed]) => {
    const host = toHostTensor(feed);
    const key = path.join(separator);
    present.add(key);
    const value = feeds.get(key)?.given;
    if (
      value === undefined ||
      value.shape.join() !== host.shape.join() ||
      value.dtype !== dataTypeOf(host.data)
    ) {
      const remedy =
        value === undefined
          ? 'which its example did not contain. Feed the same inputs as the example.'
          : `but was captured with ${dataTypeName(value.dtype)} [${value.shape.join()}]. ` +
            'Capture a second step for it, or set dropLast.';
      throw new CaptureError(
        `capture: "${name}" was called with "${path.join('/')}" ` +
          `${dataTypeName(dataTypeOf(host.data))} [${host.shape.join()}], ${remedy}`,
      );
    }
    checkSize(`step "${name}"`, path, host);
    return [value, host] as const;
  });
  if (values.length < feeds.size) {
    const missing = [...feeds.keys()].filter((key) => !present.has(key));
    throw new CaptureError(
      `capture: "${name}" was called without ${missing.map((key) => `"${key.replaceAll(separator, '/')}"`).join(', ')}. ` +
        'Feed the same inputs as the example.',
    );
  }
  return values;
}

function isIndex(node: number | Tree<number>): node is number {
  return typeof node === 'number';
}
