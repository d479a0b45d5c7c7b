import { CaptureError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import type { Tree } from '../base/tree';
import { dataTypeName, dataTypeOf } from './graph';
import type { TensorGraph, Value } from './graph';
import { addVariable, assignVariable, readVariable } from './variable';

/** A part of a session's state: a variable, how to fill it and how to read it. */
export interface Slot {
  readonly handle: Value;
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly given: Value;
  /** Node that assigns `given` to the variable. */
  readonly assign: number;
  readonly read: Value;
}

/** Joins the keys of a path into one string, by which slots and feeds are found. */
export const separator = '\u0000';

/** Adds a variable for a part of the state. */
export function makeSlot(
  graph: TensorGraph,
  name: string,
  { data, shape }: Pick<HostTensor, 'data' | 'shape'>,
): Slot {
  const dtype = dataTypeOf(data);
  const handle = addVariable(graph, name, dtype, shape);
  const given = graph.placeholder(dtype, shape);
  const assign = assignVariable(graph, handle, given, []);
  return { handle, dtype, shape, given, assign, read: readVariable(graph, { handle, dtype }) };
}

/** A tree of slots contains slots and trees, never numbers, so a part of the state may have any name, even `dtype`. */
export function isSlot(node: Slot | Tree<Slot>): node is Slot {
  return typeof node['dtype'] === 'number';
}

/**
 * Finds the slot of each value in `update` by its path.
 *
 * @throws CaptureError if one does not exist, or has another type or shape
 */
export function matchSlots<T>(
  slots: ReadonlyMap<string, Slot>,
  update: readonly (readonly [path: readonly string[], value: T])[],
  describe: (value: T) => Pick<Slot, 'dtype' | 'shape'>,
  where: string,
): (readonly [slot: Slot, value: T, key: string])[] {
  return update.map(([path, value]) => {
    const key = path.join(separator);
    const slot = slots.get(key);
    const name = path.join('/');
    if (slot === undefined) {
      const known = [...slots.keys()].map((other) => other.replaceAll(separator, '/'));
      throw new CaptureError(
        `session: ${where} sets "${name}", which is not in the state.${nearestHint(name, known)} ` +
          'Add it to the initial state.',
      );
    }
    const { dtype, shape } = describe(value);
    if (dtype !== slot.dtype || shape.join() !== slot.shape.join()) {
      throw new CaptureError(
        `session: ${where} sets "${name}" to ${dataTypeName(dtype)} [${shape.join()}], but it is ` +
          `${dataTypeName(slot.dtype)} [${slot.shape.join()}]. Types and shapes are fixed; open a new session to change them.`,
      );
    }
    return [slot, value, key] as const;
  });
}

/** @throws CaptureError if a tensor has more or fewer numbers than its shape takes */
export function checkSize(
  where: string,
  path: readonly string[],
  { shape, data }: HostTensor,
): void {
  if (data.length === sizeOf(shape)) return;
  throw new CaptureError(
    `session: ${where} was given "${path.join('/')}" [${shape.join()}] with ${data.length} values; ` +
      `that shape needs ${sizeOf(shape)}.`,
  );
}
