import { attributeType, dataType, openGraph } from './graph';
import type { TensorGraph, Value } from './graph';
import type { OpAttribute } from './backend';

/** A part of a graph that is called: a graph of its own, of which the graph that calls it holds a copy. */
export interface FunctionBody {
  readonly graph: TensorGraph;
  /** Placeholders of the body. */
  readonly inputs: readonly Value[];
  /** Values of the body. */
  readonly outputs: readonly Value[];
}

/** Has XLA compile a call as one program; whatever it cannot compile is an error of the first run. */
const mustCompile: OpAttribute = {
  name: '_XlaMustCompile',
  type: attributeType.bool,
  value: true,
};

/** Calls a function, which XLA compiles as one program, with a value for each of its inputs. Gives its outputs. */
export function addCompiledCall(
  graph: TensorGraph,
  { graph: body, inputs, outputs }: FunctionBody,
  given: readonly Value[],
): readonly Value[] {
  return graph.add(
    'PartitionedCall',
    given,
    [
      types('Tin', inputs),
      types('Tout', outputs),
      called('f', graph.addFunction(body, inputs, through(body, outputs))),
      mustCompile,
    ],
    [],
    outputs.map(({ shape }) => shape),
  ).outputs;
}

/**
 * Calls a function `count` times, each time on what the call before left, and gives what the last one left.
 *
 * Its first input is the number of the call, from 0, an int32 scalar; the others have an output each, which takes their
 * place in the next call. With `isCompiled` XLA makes one program of all calls.
 */
export function addLoop(
  graph: TensorGraph,
  { graph: body, inputs: [counter, ...inputs], outputs }: FunctionBody,
  given: readonly Value[],
  { count, isCompiled }: { readonly count: number; readonly isCompiled: boolean },
): readonly Value[] {
  const next = body.add('AddV2', [counter, scalar(body, 1)], [int32]).outputs[0];
  const all = [counter, ...inputs];
  const loop = withGraph((condition) => {
    const parameters = all.map(({ dtype, shape }) => condition.placeholder(dtype, shape));
    const [number] = parameters;
    const isLeft = condition.add('Less', [number, scalar(condition, count)], [int32]).outputs[0];
    return [
      types('T', all),
      called('body', graph.addFunction(body, all, [next, ...through(body, outputs)])),
      called('cond', graph.addFunction(condition, parameters, [isLeft])),
    ];
  });
  const shapes = all.map(({ shape }) => shape);
  const addTo = (
    target: TensorGraph,
    values: readonly Value[],
    attributes: OpAttribute[],
  ): readonly Value[] =>
    target
      .add('StatelessWhile', [scalar(target, 0), ...values], attributes, [], shapes)
      .outputs.slice(1);
  // Without the compiler the loop becomes a part of the graph that runs, instead of a graph of its own at every call.
  const isPart = { name: '_lower_using_switch_merge', type: attributeType.bool, value: true };
  if (!isCompiled) return addTo(graph, given, [...loop, isPart]);
  return withGraph((whole) => {
    const parameters = given.map(({ dtype, shape }) => whole.placeholder(dtype, shape));
    const results = addTo(whole, parameters, loop);
    return addCompiledCall(graph, { graph: whole, inputs: parameters, outputs: results }, given);
  });
}

/** Does something with a graph that is needed no longer. */
function withGraph<T>(use: (graph: TensorGraph) => T): T {
  const graph = openGraph();
  try {
    return use(graph);
  } finally {
    graph.close();
  }
}

/** Values as outputs of a function: one that was given goes through a node. */
function through(body: TensorGraph, values: readonly Value[]): Value[] {
  return values.map((value) =>
    body.entries[value.ref[0]].op === 'Placeholder'
      ? body.add('Identity', [value], [{ name: 'T', type: attributeType.type, value: value.dtype }])
          .outputs[0]
      : value,
  );
}

function scalar(graph: TensorGraph, value: number): Value {
  return graph.constant({ dtype: dataType.int32, shape: [], data: Int32Array.of(value) });
}

const int32: OpAttribute = { name: 'T', type: attributeType.type, value: dataType.int32 };

function types(name: string, values: readonly Value[]): OpAttribute {
  return { name, type: attributeType.type, value: values.map(({ dtype }) => dtype) };
}

function called(name: string, value: string): OpAttribute {
  return { name, type: attributeType.function, value };
}
