import { attributeType, dataType, openGraph } from './graph';
import type { TensorGraph, Value } from './graph';
import type { OpAttribute } from './backend';

/** The body of a function: a separate graph, of which the calling graph holds a copy. */
export interface FunctionBody {
  readonly graph: TensorGraph;
  /** Placeholders of the body. */
  readonly inputs: readonly Value[];
  /** Values of the body. */
  readonly outputs: readonly Value[];
}

/** Makes XLA compile a call as one program; the first run fails if XLA cannot compile all of it. */
const mustCompile: OpAttribute = {
  name: '_XlaMustCompile',
  type: attributeType.bool,
  value: true,
};

/** Adds a call of a function, which XLA compiles as one program. `given` has a value per input. Returns the outputs. */
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
 * Adds a loop that calls a function `count` times, each time on the outputs of the previous call, and returns the last ones.
 *
 * The first input is the index of the call, an int32 scalar from 0. Every other input has one output, its value in the next
 * call. With `isCompiled`, XLA compiles all calls into one program.
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
  // Without XLA, the loop is lowered into the graph that runs, instead of running as a separate graph at every call.
  const isPart = { name: '_lower_using_switch_merge', type: attributeType.bool, value: true };
  if (!isCompiled) return addTo(graph, given, [...loop, isPart]);
  return withGraph((whole) => {
    const parameters = given.map(({ dtype, shape }) => whole.placeholder(dtype, shape));
    const results = addTo(whole, parameters, loop);
    return addCompiledCall(graph, { graph: whole, inputs: parameters, outputs: results }, given);
  });
}

/** Passes a temporary graph to `use`, and closes it. */
function withGraph<T>(use: (graph: TensorGraph) => T): T {
  const graph = openGraph();
  try {
    return use(graph);
  } finally {
    graph.close();
  }
}

/** Values as outputs of a function; a parameter that is an output passes through an Identity node. */
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
