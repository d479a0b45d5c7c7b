import { EngineError } from '../base/errors';
import { keepRow, readCachedRows } from './algorithm-cache';
import { outputExtents } from './conv-algorithm';
import type { Algorithm, AlgorithmRow, Algorithms, ConvPass, ConvShape } from './conv-algorithm';
import { attributeType } from './graph';
import { measureAlgorithms, measuredImages } from './measure-algorithms';
import { loadGraphAddon } from './native';
import { loadTensorflow } from './tensorflow';

const operations = {
  forward: 'Cifar10FastConv3x3',
  'input-gradient': 'Cifar10FastConv3x3BackpropInput',
  'kernel-gradient': 'Cifar10FastConv3x3BackpropFilter',
} as const;

const passNumbers = { forward: 0, 'input-gradient': 1, 'kernel-gradient': 2 } as const;

/**
 * Creates a chooser of algorithms.
 *
 * Shapes in `known` are not measured. Measurements are kept in the cache folder by processor, threads, TensorFlow version
 * and settings of oneDNN, so a machine measures a shape once, in some tenths of a second, and makes the same choice from
 * then on, as long as the same algorithms compete.
 *
 * @param hasOwn whether our own operations may be chosen; false if XLA compiles the whole step, as it does not know them
 */
export function createAlgorithms(known: readonly AlgorithmRow[] = [], hasOwn = true): Algorithms {
  const rows: AlgorithmRow[] = [];
  const algorithms: Algorithms = {
    rows,
    hasOwn: hasOwn && loadGraphAddon().hasElementwise() && !loadTensorflow().gpu,
    choose(pass, conv) {
      const offered = hasOwn ? candidatesFor(pass, conv) : [];
      if (offered.length <= 1) return 'direct';
      const shape = nameOf(conv);
      // An algorithm chosen on another processor may not exist here.
      const isSame = (row: AlgorithmRow): boolean =>
        row.pass === pass && row.shape === shape && offered.includes(row.chosen);
      const seen = rows.find(isSame);
      if (seen !== undefined) return seen.chosen;
      const isComplete = ({ candidates }: AlgorithmRow): boolean =>
        candidates.map(({ algorithm }) => algorithm).join() === offered.join();
      const row =
        known.find(isSame) ??
        readCachedRows().find((cached) => isSame(cached) && isComplete(cached)) ??
        keepRow({ pass, shape, ...measureAlgorithms(algorithms, offered, pass, conv) });
      rows.push(row);
      return row.chosen;
    },
    add(graph, pass, algorithm, conv, a, b) {
      if (algorithm === 'direct') {
        throw new EngineError(
          'engine: cannot add algorithm "direct"; it is a TensorFlow operation.',
        );
      }
      const { images, height, width, inputChannels, outputChannels } = conv;
      const output = outputExtents(conv);
      const shape = {
        forward: [images, ...output, outputChannels],
        'input-gradient': [images, height, width, inputChannels],
        'kernel-gradient': [3, 3, inputChannels, outputChannels],
      }[pass];
      const attributes = [
        { name: 'T', type: attributeType.type, value: a.dtype },
        { name: 'algorithm', type: attributeType.string, value: algorithm },
        { name: 'extents', type: attributeType.int, value: [height, width, ...output] },
        { name: 'threads', type: attributeType.int, value: loadTensorflow().intraOpThreads },
      ];
      return graph.add(operations[pass], [a, b], attributes, [], [shape]).outputs[0];
    },
  };
  return algorithms;
}

/** For example `bf16 64x31x31(30x30) 24->64`; the extents of the output are included if they differ from the input's. */
function nameOf(conv: ConvShape): string {
  const { precision, height, width, inputChannels, outputChannels } = conv;
  const output = outputExtents(conv).join('x');
  const trimmed = output === `${height}x${width}` ? '' : `(${output})`;
  const extents = `${measuredImages(conv)}x${height}x${width}${trimmed}`;
  return `${precision} ${extents} ${inputChannels}->${outputChannels}`;
}

/** The algorithms that can compute a convolution here: always TensorFlow's, and on a GPU no other. */
function candidatesFor(pass: ConvPass, conv: ConvShape): Algorithm[] {
  if (loadTensorflow().gpu) return ['direct'];
  const { precision, images, height, width, inputChannels, outputChannels } = conv;
  const shape = [images, height, width, inputChannels, outputChannels, ...outputExtents(conv)];
  const own = loadGraphAddon().convAlgorithms(passNumbers[pass], precision === 'bf16', shape);
  return ['direct', ...(own as Algorithm[])];
}
