import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { EngineError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import { cacheRoot } from '../base/cache-root';
import { attributeType, dataType, openGraph } from './graph';
import type { TensorGraph, Value } from './graph';
import { loadGraphAddon } from './native';
import { loadTensorflow } from './tensorflow';
import { addVariable, assignVariable, readVariable } from './variable';
import type { OpAttribute } from './backend';

/** The three convolutions of a layer in training: of activations, and the gradients by its input and by its kernel. */
export type ConvPass = 'forward' | 'input-gradient' | 'kernel-gradient';

/**
 * How a convolution is computed: `direct` by TensorFlow, the others by operations of our own (`native/conv.h`).
 *
 * - `winograd-2` and `winograd-4`: Winograd's minimal filtering for output tiles of 2x2 and 4x4, which takes 2.25 and 4
 *   times fewer products.
 * - `outer-product`: the kernel's gradient in bf16 as outer products of pixels.
 *
 * @see Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308 (2015)
 */
export type Algorithm = 'direct' | 'outer-product' | 'winograd-2' | 'winograd-4';

/** What one algorithm was measured to do. */
export interface Candidate {
  readonly algorithm: Algorithm;
  /** Milliseconds for the same images, the least of five, taken in turn: what else runs on a machine only adds. */
  readonly ms: number;
  /** Root mean square of its difference from `direct`, relative to that of the result. */
  readonly difference: number;
}

/** What was measured for one pass and shape, and what follows from it. */
export interface AlgorithmRow {
  readonly pass: ConvPass;
  /** Images measured, and what they are, as in `bf16 64x32x32 64->128`. */
  readonly shape: string;
  readonly candidates: readonly Candidate[];
  readonly chosen: Algorithm;
}

/** A 3x3 convolution of stride 1 and padding 1. */
export interface ConvShape {
  readonly precision: 'fp32' | 'bf16';
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly inputChannels: number;
  readonly outputChannels: number;
}

/** Chooses algorithms, measuring each pass and shape at most once. */
export interface Algorithms {
  /** What has been asked for so far, in that order: the part of a run's record that a resumed run has to be given. */
  readonly rows: readonly AlgorithmRow[];
  choose(pass: ConvPass, conv: ConvShape): Algorithm;
  /**
   * Adds a convolution to a graph. Activations are in the number format of the shape, kernels in float32.
   *
   * @param a x `[N,H,W,Ci]` or, for the gradient by the input, dy `[N,H,W,Co]`
   * @param b the kernel `[3,3,Ci,Co]` or, for the gradient by the kernel, dy
   */
  add(graph: TensorGraph, pass: ConvPass, algorithm: Algorithm, a: Value, b: Value): Value;
}

/** Rounding of sums of the same products; a result in bf16 is off by 2^-9 of each element anyhow. */
const largestDifference = { fp32: 2e-5, bf16: 1e-2 } as const;

const operations = {
  forward: 'Cifar10FastConv3x3',
  'input-gradient': 'Cifar10FastConv3x3BackpropInput',
  'kernel-gradient': 'Cifar10FastConv3x3BackpropFilter',
} as const;

const tiles = { 'outer-product': 0, 'winograd-2': 2, 'winograd-4': 4 } as const;

/**
 * Opens a chooser.
 *
 * A shape that `known` holds is not measured. What is measured is kept in the cache folder under processor, threads and
 * TensorFlow version, so that a machine measures a shape once, in some tenths of a second, and chooses alike ever after.
 *
 * @param hasOwn whether operations of our own may be chosen; a compiler that is to see all of a step knows none of them
 */
export function createAlgorithms(known: readonly AlgorithmRow[] = [], hasOwn = true): Algorithms {
  const rows: AlgorithmRow[] = [];
  const same =
    (pass: ConvPass, shape: string) =>
    (row: AlgorithmRow): boolean =>
      row.pass === pass && row.shape === shape;
  const algorithms: Algorithms = {
    rows,
    choose(pass, conv) {
      const offered = hasOwn ? candidatesFor(pass, conv) : [];
      if (offered.length <= 1) return 'direct';
      const shape = nameOf(conv);
      const isSame = same(pass, shape);
      const seen = rows.find(isSame);
      if (seen !== undefined) return seen.chosen;
      const row =
        known.find(isSame) ??
        readCache().find(isSame) ??
        remember(measure(algorithms, offered, pass, conv));
      rows.push(row);
      return row.chosen;
    },
    add(graph, pass, algorithm, a, b) {
      if (algorithm === 'direct') {
        throw new EngineError('engine: the direct convolution is an operation of TensorFlow.');
      }
      const [n, h, w, channels] = a.shape;
      const shape = {
        forward: [n, h, w, b.shape[3]],
        'input-gradient': [n, h, w, b.shape[2]],
        'kernel-gradient': [3, 3, channels, b.shape[3]],
      }[pass];
      const attributes = [
        { name: 'T', type: attributeType.type, value: a.dtype },
        { name: 'tile', type: attributeType.int, value: tiles[algorithm] },
        { name: 'threads', type: attributeType.int, value: loadTensorflow().intraOpThreads },
      ];
      return graph.add(operations[pass], [a, b], attributes, [], [shape]).outputs[0];
    },
  };
  return algorithms;
}

function nameOf(conv: ConvShape): string {
  const { precision, height, width, inputChannels, outputChannels } = conv;
  return `${precision} ${measuredImages(conv)}x${height}x${width} ${inputChannels}->${outputChannels}`;
}

/** Some 12 GFLOP of images: enough to be timed, little enough to be done at once. Less if a batch is less. */
const measuredFlops = 12e9;
const repeats = 5;

/** A power of two, so that a batch and what is left for the last one share a measurement. */
function measuredImages(conv: ConvShape): number {
  const { images, height, width, inputChannels, outputChannels } = conv;
  const perImage = 2 * height * width * 9 * inputChannels * outputChannels;
  return 2 ** Math.max(0, Math.floor(Math.log2(Math.min(images, measuredFlops / perImage))));
}

/** The algorithms that can compute a convolution here; TensorFlow always can, and on a GPU nobody else. */
function candidatesFor(
  pass: ConvPass,
  { precision, width, inputChannels, outputChannels }: ConvShape,
): Algorithm[] {
  const candidates: Algorithm[] = ['direct'];
  const multiple = loadGraphAddon().winogradMultiple(precision === 'bf16');
  if (multiple === 0 || loadTensorflow().gpu) return candidates;
  // What has the instructions for Winograd's products in bf16 has those for outer products.
  if (
    pass === 'kernel-gradient' &&
    precision === 'bf16' &&
    width % 2 === 0 &&
    inputChannels % 8 === 0 &&
    outputChannels % 16 === 0
  ) {
    candidates.push('outer-product');
  }
  if (inputChannels % multiple === 0 && outputChannels % multiple === 0) {
    candidates.push('winograd-2');
    // Tiles of 4x4 lose too many bits for bf16 (an error of 5 % of the largest element was measured).
    if (precision === 'fp32') candidates.push('winograd-4');
  }
  return candidates;
}

function cacheFile(): string {
  return join(cacheRoot(), 'algorithms.json');
}

/** Counted up when a kernel of `native/` or the way of measuring changes. */
const edition = 2;

/** What the numbers hold for: another processor, thread count, TensorFlow or edition of the kernels measures anew. */
function machine(): string {
  const { intraOpThreads, version } = loadTensorflow();
  return [cpus()[0]?.model ?? '', intraOpThreads, version, edition].join(' | ');
}

type Cache = Readonly<Record<string, readonly AlgorithmRow[]>>;

function readWholeCache(): Cache {
  try {
    return JSON.parse(readFileSync(cacheFile(), 'utf8')) as Cache;
  } catch {
    return {}; // Not there, or torn by a full disk: it is measured again.
  }
}

function readCache(): readonly AlgorithmRow[] {
  return readWholeCache()[machine()] ?? [];
}

function remember(row: AlgorithmRow): AlgorithmRow {
  const whole = readWholeCache();
  const rows = [...(whole[machine()] ?? []), row];
  const path = cacheFile();
  const draft = `${path}.${process.pid}.part`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(draft, `${JSON.stringify({ ...whole, [machine()]: rows }, null, 1)}\n`);
    renameSync(draft, path);
  } catch {
    // A cache that cannot be written costs the next run some tenths of a second, nothing else.
  }
  return row;
}

function measure(
  algorithms: Algorithms,
  offered: readonly Algorithm[],
  pass: ConvPass,
  conv: ConvShape,
): AlgorithmRow {
  const { precision, height, width, inputChannels, outputChannels } = conv;
  const images = measuredImages(conv);
  const graph = openGraph();
  try {
    const type = (name: string, value: number): OpAttribute => ({
      name,
      type: attributeType.type,
      value,
    });
    const shapeOf = (extents: readonly number[]): Value =>
      graph.constant({
        dtype: dataType.int32,
        shape: [extents.length],
        data: Int32Array.from(extents),
      });
    const inits: number[] = [];
    const filled = (extents: readonly number[], dtype: number): Value => {
      const random = graph.add(
        'RandomStandardNormal',
        [shapeOf(extents)],
        [
          type('dtype', dataType.float32),
          { name: 'seed', type: attributeType.int, value: extents.length },
          { name: 'seed2', type: attributeType.int, value: sizeOf(extents) },
        ],
      ).outputs[0];
      const handle = addVariable(graph, `${extents.join('x')} ${dtype}`, dtype, extents);
      inits.push(assignVariable(graph, handle, graph.cast(random, dtype), []));
      return readVariable(graph, { handle, dtype });
    };
    const dtype = precision === 'bf16' ? dataType.bfloat16 : dataType.float32;
    const x = filled([images, height, width, inputChannels], dtype);
    const dy = filled([images, height, width, outputChannels], dtype);
    const kernel = filled([3, 3, inputChannels, outputChannels], dataType.float32);
    const attributes = [
      type('T', dtype),
      { name: 'strides', type: attributeType.int, value: [1, 1, 1, 1] },
      { name: 'padding', type: attributeType.string, value: 'SAME' },
    ];
    const direct = {
      forward: () => graph.add('Conv2D', [x, graph.cast(kernel, dtype)], attributes),
      'input-gradient': () =>
        graph.add(
          'Conv2DBackpropInput',
          [shapeOf(x.shape), graph.cast(kernel, dtype), dy],
          attributes,
        ),
      'kernel-gradient': () =>
        graph.add('Conv2DBackpropFilter', [x, shapeOf(kernel.shape), dy], attributes),
    }[pass];
    const a = pass === 'input-gradient' ? dy : x;
    const b = pass === 'kernel-gradient' ? dy : kernel;
    const results = offered.map((algorithm) =>
      algorithm === 'direct' ? direct().outputs[0] : algorithms.add(graph, pass, algorithm, a, b),
    );
    graph.runSync([], inits);
    const numbers = graph.runSync(
      results.map((result) => graph.cast(result, dataType.float32)),
      [],
    );
    const times = offered.map((): number[] => []);
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const [index, { ref }] of results.entries()) {
        const start = performance.now();
        graph.runSync([], [ref[0]]);
        times[index].push(performance.now() - start);
      }
    }
    const candidates = offered.map((algorithm, index): Candidate => ({
      algorithm,
      ms: Math.min(...times[index]),
      difference: relativeDifference(numbers[index].data, numbers[0].data),
    }));
    const [fastest] = candidates
      .filter(({ difference }) => difference <= largestDifference[precision])
      .toSorted((p, q) => p.ms - q.ms);
    return { pass, shape: nameOf(conv), candidates, chosen: fastest.algorithm };
  } finally {
    graph.close();
  }
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
