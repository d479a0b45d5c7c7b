import { attributeType } from './graph';
import type { TensorGraph, Value } from './graph';

/** Adds a variable to a graph and returns its handle. It is empty until it is assigned; `name` is unique in the graph. */
export function addVariable(
  graph: TensorGraph,
  name: string,
  dtype: number,
  shape: readonly number[],
): Value {
  return graph.add(
    'VarHandleOp',
    [],
    [
      { name: 'dtype', type: attributeType.type, value: dtype },
      { name: 'shape', type: attributeType.shape, value: shape },
      { name: 'shared_name', type: attributeType.string, value: name },
    ],
  ).outputs[0];
}

/** Adds a read of a variable. It returns the value from before the run, see {@link assignVariable}. */
export function readVariable(
  graph: TensorGraph,
  { handle, dtype }: { readonly handle: Value; readonly dtype: number },
): Value {
  return graph.add(
    'ReadVariableOp',
    [handle],
    [{ name: 'dtype', type: attributeType.type, value: dtype }],
  ).outputs[0];
}

/** Assigns a value to a variable after the nodes `after`, the reads of the same run. Returns the node's id. */
export function assignVariable(
  graph: TensorGraph,
  handle: Value,
  value: Value,
  after: readonly number[],
): number {
  return graph.add(
    'AssignVariableOp',
    [handle, value],
    [{ name: 'dtype', type: attributeType.type, value: value.dtype }],
    after,
  ).id;
}
