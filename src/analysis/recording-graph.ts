import type { Graph, GraphNode, Layer } from '../graph/spec';
import { typeText } from '../engine/print';
import type { Value } from '../engine/graph';
import type { Recording } from '../engine/step';

/** An operation of a captured step, or a value that leaves it. */
export interface RecordedOperation extends Layer {
  /** TensorFlow's name of the operation; `output` or `new state` for a value that leaves the step. */
  readonly kind: string;
  /** Element type and shape of its first result, as in `float32 [512,10]`. */
  readonly type: string;
}

/**
 * A captured step as a graph that can be drawn like a network, by `dot`, or by `drawing` in a notebook; `counts` works too.
 *
 * Operations are named by kind and number (`Mul 2`), in the order of recording, so that a step and an extended version of it
 * use the same names for their common part. Fed values are under `inputs/`, the state before the run under `state/`, the
 * state after it under `new state/`, and results under `outputs/`. Drawings of a thousand operations are unreadable: use
 * `printGraph` for those.
 */
export function recordingGraph(recording: Recording): Graph<RecordedOperation> {
  const { nodes, inputs, reads, outputs, writes } = recording;
  const names = new Map<number, string>([
    ...inputs.map(({ path, value }) => [value.ref[0], `inputs/${path}`] as const),
    ...reads.map(({ path, value }) => [value.ref[0], `state/${path}`] as const),
  ]);
  const counted = new Map<string, number>();
  const graph = new Map<string, GraphNode<RecordedOperation>>();
  const nameOf = ({ ref }: Value): string[] => {
    const name = names.get(ref[0]);
    return name === undefined ? [] : [name];
  };
  for (const { id, op, inputs: sources, outputs: results } of nodes) {
    // It only names a variable.
    if (op === 'VarHandleOp') continue;
    const given = names.get(id);
    if (given !== undefined) {
      graph.set(given, { layer: null, inputs: [] });
      continue;
    }
    const count = (counted.get(op) ?? 0) + 1;
    counted.set(op, count);
    const name = `${op} ${count}`;
    names.set(id, name);
    graph.set(name, {
      layer: { kind: op, type: typeText(results[0]) },
      inputs: sources.flatMap(nameOf),
    });
  }
  for (const [kind, values] of [
    ['output', outputs],
    ['new state', writes],
  ] as const) {
    const place = kind === 'output' ? 'outputs' : kind;
    for (const { path, value } of values) {
      graph.set(`${place}/${path}`, {
        layer: { kind, type: typeText(value) },
        inputs: nameOf(value),
      });
    }
  }
  return graph;
}
