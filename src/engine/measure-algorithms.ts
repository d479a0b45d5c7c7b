import { sizeOf } from '../base/host-tensor';
import type { OpAttribute } from './backend';
import { outputExtents } from './conv-algorithm';
import type {
  Algorithm,
  AlgorithmRow,
  Algorithms,
  Candidate,
  ConvPass,
  ConvShape,
} from './conv-algorithm';
import { addConvolution } from './direct-convolution';
import { attributeType, dataType, openGraph, shapeConstant } from './graph';
import type { TensorGraph, Value } from './graph';
import { addVariable, assignVariable, readVariable } from './variable';

/** Largest accepted difference from `direct`: sums are rounded differently, and each bf16 element is off by 2^-9 anyway. */
const largestDifference = { fp32: 2e-5, bf16: 1e-2 } as const;

/** About 6 GFLOP of images, or a batch if that is less: enough to time, and little enough to finish quickly. */
const measuredFlops = 6e9;
const repeats = 4;
/** An algorithm whose best run took this many times as long as the fastest is not timed again. */
const hopeless = 1.5;
/** Nor is one whose first run, which also prepares it, took this many times as long and these milliseconds more. */
const hopelessFirst = { factor: 2, ms: 20 } as const;

/**
 * Results are compared for at most this many outputs, of all channels: in longer sums, TensorFlow's own rounding errors exceed
 * those of our algorithms.
 */
const comparedPixels = 2 ** 14;

/** The number of images to measure: a power of two, so that a batch and the smaller last one share a measurement. */
export function measuredImages(conv: ConvShape): number {
  const { images, inputChannels, outputChannels } = conv;
  const perImage = 2 * sizeOf(outputExtents(conv)) * 9 * inputChannels * outputChannels;
  return 2 ** Math.max(0, Math.floor(Math.log2(Math.min(images, measuredFlops / perImage))));
}

/** Times the algorithms on random numbers, interleaved, and compares their results. */
export function measureAlgorithms(
  algorithms: Algorithms,
  offered: readonly Algorithm[],
  pass: ConvPass,
  whole: ConvShape,
): Pick<AlgorithmRow, 'candidates' | 'chosen'> {
  const conv = { ...whole, images: measuredImages(whole) };
  const ms = timesOf(algorithms, offered, pass, conv);
  const differences = differencesOf(algorithms, offered, pass, conv);
  const candidates = offered.map((algorithm, index): Candidate => ({
    algorithm,
    ms: ms[index],
    difference: differences[index],
  }));
  const [fastest] = candidates
    .filter(({ difference }) => difference <= largestDifference[conv.precision])
    .toSorted((p, q) => p.ms - q.ms);
  return { candidates, chosen: fastest.algorithm };
}

/** The milliseconds that each algorithm takes. */
function timesOf(
  algorithms: Algorithms,
  offered: readonly Algorithm[],
  pass: ConvPass,
  conv: ConvShape,
): number[] {
  const graph = openGraph();
  try {
    const { inits, results } = addCandidates(graph, algorithms, offered, pass, conv);
    graph.runSync([], inits);
    const ms = offered.map(() => Infinity);
    for (let repeat = 0; repeat < repeats; repeat++) {
      const best = Math.min(...ms);
      const bar = repeat > 1 ? hopeless * best : hopelessFirst.factor * best + hopelessFirst.ms;
      for (const [index, { ref }] of results.entries()) {
        if (ms[index] > bar) continue;
        const start = performance.now();
        graph.runSync([], [ref[0]]);
        ms[index] = Math.min(ms[index], performance.now() - start);
      }
    }
    return ms;
  } finally {
    graph.close();
  }
}

/** The difference of each algorithm's result from the first one's, relative to it. */
function differencesOf(
  algorithms: Algorithms,
  offered: readonly Algorithm[],
  pass: ConvPass,
  conv: ConvShape,
): number[] {
  const few = Math.max(1, Math.floor(comparedPixels / sizeOf(outputExtents(conv))));
  const fewer = { ...conv, images: Math.min(conv.images, few) };
  const graph = openGraph();
  try {
    const { inits, results } = addCandidates(graph, algorithms, offered, pass, fewer);
    graph.runSync([], inits);
    const numbers = graph.runSync(
      results.map((result) => graph.cast(result, dataType.float32)),
      [],
    );
    return numbers.map(({ data }) => relativeDifference(data, numbers[0].data));
  } finally {
    graph.close();
  }
}

/** Adds the same convolution with every algorithm; `inits` are the nodes that fill its inputs. */
function addCandidates(
  graph: TensorGraph,
  algorithms: Algorithms,
  offered: readonly Algorithm[],
  pass: ConvPass,
  conv: ConvShape,
): { readonly inits: number[]; readonly results: Value[] } {
  const { precision, images, height, width, inputChannels, outputChannels } = conv;
  const inits: number[] = [];
  const filled = (extents: readonly number[], dtype: number): Value => {
    const random = graph.add(
      'RandomStandardNormal',
      [shapeConstant(graph, extents)],
      [
        type('dtype', dataType.float32),
        { name: 'seed', type: attributeType.int, value: extents.length },
        { name: 'seed2', type: attributeType.int, value: sizeOf(extents) + inits.length },
      ],
    ).outputs[0];
    const handle = addVariable(graph, `${extents.join('x')} ${inits.length}`, dtype, extents);
    inits.push(assignVariable(graph, handle, graph.cast(random, dtype), []));
    return readVariable(graph, { handle, dtype });
  };
  const dtype = precision === 'bf16' ? dataType.bfloat16 : dataType.float32;
  const x = filled([images, height, width, inputChannels], dtype);
  const dy = filled([images, ...outputExtents(conv), outputChannels], dtype);
  const kernel = filled([3, 3, inputChannels, outputChannels], dataType.float32);
  const a = pass === 'input-gradient' ? dy : x;
  const b = pass === 'kernel-gradient' ? dy : kernel;
  const results = offered.map((algorithm) =>
    algorithm === 'direct'
      ? addDirect(graph, pass, conv, { x, dy, kernel })
      : algorithms.add(graph, pass, algorithm, conv, a, b),
  );
  return { inits, results };
}

/** TensorFlow's own convolution of `x` or `dy` (in the convolution's precision) and `kernel` (in fp32), or its gradient. */
function addDirect(
  graph: TensorGraph,
  pass: ConvPass,
  conv: ConvShape,
  { x, dy, kernel }: Readonly<Record<'x' | 'dy' | 'kernel', Value>>,
): Value {
  const { dtype } = x;
  const [outputHeight, outputWidth] = outputExtents(conv);
  const after = [1 - (conv.height - outputHeight), 1 - (conv.width - outputWidth)];
  const isPadded = after[0] >= 0 || after[1] >= 0;
  const low = graph.cast(kernel, dtype);
  const attributes = [
    type('T', dtype),
    { name: 'strides', type: attributeType.int, value: [1, 1, 1, 1] },
  ];
  const gradients = [
    ...attributes,
    { name: 'padding', type: attributeType.string, value: isPadded ? 'SAME' : 'VALID' },
  ];
  /** The gradient with zeros for the trimmed outputs, as TensorFlow's gradients of the whole convolution expect it. */
  const whole = (): Value => {
    if (!isPadded || (after[0] === 1 && after[1] === 1)) return dy;
    const zeros = [0, 0, 0, 1 - after[0], 0, 1 - after[1], 0, 0];
    const paddings = { dtype: dataType.int32, shape: [4, 2], data: Int32Array.from(zeros) };
    return graph.add(
      'Pad',
      [dy, graph.constant(paddings)],
      [type('T', dtype), type('Tpaddings', dataType.int32)],
    ).outputs[0];
  };
  const shapeOf = ({ shape }: Value): Value => shapeConstant(graph, shape);
  switch (pass) {
    case 'forward':
      return addConvolution(graph, 'Conv2D', [x, low], [...attributes, ...paddingFor(after)]);
    case 'input-gradient':
      return addConvolution(graph, 'Conv2DBackpropInput', [shapeOf(x), low, whole()], gradients);
    case 'kernel-gradient':
      return addConvolution(
        graph,
        'Conv2DBackpropFilter',
        [x, shapeOf(kernel), whole()],
        gradients,
      );
    default:
      return pass satisfies never;
  }
}

function type(name: string, value: number): OpAttribute {
  return { name, type: attributeType.type, value };
}

/** The padding attributes of `Conv2D` for a row and a column of zeros before the image and these after it; -1: unpadded. */
function paddingFor([rows, columns]: readonly number[]): OpAttribute[] {
  if (rows === columns && rows !== 0) {
    return [{ name: 'padding', type: attributeType.string, value: rows === 1 ? 'SAME' : 'VALID' }];
  }
  return [
    { name: 'padding', type: attributeType.string, value: 'EXPLICIT' },
    {
      name: 'explicit_paddings',
      type: attributeType.int,
      value: [0, 0, 1, rows, 1, columns, 0, 0],
    },
  ];
}

function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let whole = 0;
  for (let i = 0; i < a.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    whole += b[i] ** 2;
  }
  return Math.sqrt(difference / whole);
}
