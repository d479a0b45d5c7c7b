import { attributeType } from './graph';
import type { TensorGraph, Value } from './graph';

/** Adds a variable to a graph and gives its handle. It holds nothing until it is assigned; `name` is its own in the graph. */
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

/** A read of a variable. Within one run it gives what the variable was before the run, see {@link assignVariable}. */
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

/** Puts a value into a variable once the nodes `after`, the reads of the same run, are done. Returns the node's id. */
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
