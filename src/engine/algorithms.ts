import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { sizeOf } from '../base/host-tensor';
import { cacheRoot } from '../data/cache';
import { attributeType, dataType, openGraph } from './graph';
import type { TensorGraph, Value } from './graph';
import { loadGraphAddon } from './native';
import { loadTensorflow } from './tensorflow';
import { addVariable, assignVariable, readVariable } from './variable';
import type { OpAttribute } from './backend';

/** Our own kernel for the gradient of a 3x3 kernel in bf16; `native/conv.cc` says how it works. */
const ownOperation = 'Cifar10FastConv3x3BackpropFilter';

/** How the gradient of a convolution's kernel is computed: by TensorFlow, or as outer products by our own kernel. */
export type FilterGradient = 'direct' | 'outer-product';

/** What was measured for one shape, and what follows from it. */
export interface AlgorithmRow {
  /** As in `bf16 32x32 64->128`. */
  readonly shape: string;
  /** Milliseconds for the same images, the median of five, taken in turn. */
  readonly directMs: number;
  readonly outerProductMs: number;
  /** Largest difference, relative to the largest element. */
  readonly difference: number;
  readonly chosen: FilterGradient;
}

/** Chooses algorithms, measuring each shape at most once. */
export interface Algorithms {
  /** What has been asked for so far, in that order: the part of a run's record that a resumed run has to be given. */
  readonly rows: readonly AlgorithmRow[];
  /** For a 3x3 convolution of stride 1 and padding 1 of bf16 `[N,H,W,Ci]`. */
  filterGradient(input: readonly number[], outputChannels: number): FilterGradient;
}

/** Both results are rounded sums of the same bf16 products, one of them to bf16: 2^-8 of the largest is expected. */
const largestDifference = 1e-2;

/**
 * Opens a chooser.
 *
 * A shape that `known` holds is not measured. What is measured is kept in the cache folder under processor, threads and
 * TensorFlow version, so that a machine measures a shape once, in some tenths of a second, and chooses alike ever after.
 */
export function createAlgorithms(known: readonly AlgorithmRow[] = []): Algorithms {
  const rows: AlgorithmRow[] = [];
  const fixed = new Map(known.map((row) => [row.shape, row]));
  const isOffered = loadGraphAddon().hasConvKernels() && !loadTensorflow().gpu;
  return {
    rows,
    filterGradient([, height, width, channels], outputChannels) {
      if (!isOffered || width % 2 !== 0 || channels % 8 !== 0 || outputChannels % 16 !== 0) {
        return 'direct';
      }
      const shape = `bf16 ${height}x${width} ${channels}->${outputChannels}`;
      const seen = rows.find((row) => row.shape === shape);
      if (seen !== undefined) return seen.chosen;
      const row =
        fixed.get(shape) ??
        readCache().find((cached) => cached.shape === shape) ??
        remember(measure(shape, height, width, channels, outputChannels));
      rows.push(row);
      return row.chosen;
    },
  };
}

/** Adds our own kernel to a graph: x `[N,H,W,Ci]` and dy `[N,H,W,Co]` in bf16 to float32 `[3,3,Ci,Co]`. */
export function addOuterProductGradient(graph: TensorGraph, x: Value, dy: Value): Value {
  const shape = [3, 3, x.shape[3], dy.shape[3]];
  return graph.add(ownOperation, [x, dy], [], [], shape).outputs[0];
}

function cacheFile(): string {
  return join(cacheRoot(), 'algorithms.json');
}

/** What the numbers hold for: another processor, thread count or TensorFlow measures anew. */
function machine(): string {
  const { intraOpThreads, version } = loadTensorflow();
  return [cpus()[0]?.model ?? '', intraOpThreads, version].join(' | ');
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

/** Some 4 GFLOP of images: enough to be timed, little enough to be done at once. */
const measuredFlops = 4e9;
const repeats = 5;

function measure(
  shape: string,
  height: number,
  width: number,
  channels: number,
  outputChannels: number,
): AlgorithmRow {
  const perImage = 2 * height * width * 9 * channels * outputChannels;
  const images = Math.max(8, Math.min(512, Math.round(measuredFlops / perImage)));
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
    const filled = (
      extents: readonly number[],
    ): { readonly value: Value; readonly init: number } => {
      const random = graph.add(
        'RandomStandardNormal',
        [shapeOf(extents)],
        [
          type('dtype', dataType.float32),
          { name: 'seed', type: attributeType.int, value: extents.length },
          { name: 'seed2', type: attributeType.int, value: sizeOf(extents) },
        ],
      ).outputs[0];
      const dtype = dataType.bfloat16;
      const handle = addVariable(graph, extents.join('x'), dtype, extents);
      const init = assignVariable(graph, handle, graph.cast(random, dtype), []);
      return { value: readVariable(graph, { handle, dtype }), init };
    };
    const x = filled([images, height, width, channels]);
    const dy = filled([images, height, width, outputChannels]);
    graph.runSync([], [x.init, dy.init]);
    const direct = graph.add(
      'Conv2DBackpropFilter',
      [x.value, shapeOf([3, 3, channels, outputChannels]), dy.value],
      [
        type('T', dataType.bfloat16),
        { name: 'strides', type: attributeType.int, value: [1, 1, 1, 1] },
        { name: 'padding', type: attributeType.string, value: 'SAME' },
      ],
    ).outputs[0];
    const own = addOuterProductGradient(graph, x.value, dy.value);
    const [a, b] = graph.runSync([graph.cast(direct, dataType.float32), own], []);
    const difference = relativeDifference(a.data, b.data);
    const times = [direct, own].map((): number[] => []);
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const [index, { ref }] of [direct, own].entries()) {
        const start = performance.now();
        graph.runSync([], [ref[0]]);
        times[index].push(performance.now() - start);
      }
    }
    const [directMs, outerProductMs] = times.map(
      (list) => list.toSorted((p, q) => p - q)[Math.floor(repeats / 2)],
    );
    const isBetter = outerProductMs < directMs && difference < largestDifference;
    return {
      shape,
      directMs,
      outerProductMs,
      difference,
      chosen: isBetter ? 'outer-product' : 'direct',
    };
  } finally {
    graph.close();
  }
}

function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return difference / largest;
}
