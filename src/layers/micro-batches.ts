import * as tf from '@tensorflow/tfjs-core';
import { LayerError } from '../base/errors';
import { runAfter } from '../engine/raw/run-after';
import { builtInClass, layersOf } from './internals';
import type { LayerInternals, ModelInternals } from './internals';

/** A batch that is larger by default is split until the outputs of all layers take at most this. */
const largestOutputBytes = 64e6;

/** A part has at least this many examples by default: smaller ones would cost time. */
const fewestExamples = 64;

/** Layers whose output for an example depends on no other example of the batch. */
const perExample: ReadonlySet<string> = new Set(
  (
    'Sequential Functional Model InputLayer Dense Conv1D Conv2D Conv3D Conv2DTranspose SeparableConv2D DepthwiseConv2D ' +
    'Activation ReLU LeakyReLU PReLU ELU ThresholdedReLU Softmax Dropout SpatialDropout1D GaussianNoise GaussianDropout AlphaDropout ' +
    'Flatten Reshape Permute RepeatVector Embedding Add Multiply Average Maximum Minimum Concatenate LayerNormalization ' +
    'ZeroPadding2D Cropping2D UpSampling2D MaxPooling1D AveragePooling1D MaxPooling2D AveragePooling2D MaxPooling3D ' +
    'AveragePooling3D GlobalAveragePooling1D GlobalMaxPooling1D GlobalAveragePooling2D GlobalMaxPooling2D'
  ).split(' '),
);

/** The members that say whether a layer's numbers are per example. */
interface BatchDependent extends LayerInternals {
  readonly seed?: number | null;
  readonly noiseShape?: readonly number[] | null;
  readonly inboundNodes: readonly { readonly outputShapes: unknown }[];
}

/**
 * Splits a batch into parts, whose gradients a step adds.
 *
 * @param examples number of examples in the batch
 * @param microBatch most examples in a part. Default: 64 or more, so that the outputs of all layers take 64 MB; but the
 *   whole batch if the model has layers, losses or metrics that may not be per example, or are recurrent
 * @returns the number of examples of each part
 * @throws LayerError if `microBatch` splits the batch of a model that parts would train differently
 */
export function partSizes(
  model: ModelInternals,
  examples: number,
  microBatch: number | undefined,
): number[] {
  if (microBatch !== undefined && microBatch < examples) checkSplit(model);
  const parts =
    microBatch === undefined ? defaultParts(model, examples) : Math.ceil(examples / microBatch);
  const size = Math.ceil(examples / parts);
  return Array.from({ length: parts }, (_, part) => Math.min(size, examples - part * size)).filter(
    (count) => count > 0,
  );
}

function defaultParts(model: ModelInternals, examples: number): number {
  if (!isPerExample(model)) return 1;
  const outputs = layersOf(model).flatMap((layer) =>
    (layer as BatchDependent).inboundNodes.flatMap(({ outputShapes }) => shapesIn(outputShapes)),
  );
  const bytes = 4 * outputs.reduce((sum, shape) => sum + tf.util.sizeFromShape(shape), 0);
  const parts = Math.ceil((examples * bytes) / largestOutputBytes);
  return Math.max(1, Math.min(parts, Math.floor(examples / fewestExamples)));
}

/** The shapes of a node's outputs without the batch; unknown extents count as 1. */
function shapesIn(shapes: unknown): number[][] {
  if (!Array.isArray(shapes)) return [];
  if (shapes.some(Array.isArray)) return shapes.flatMap(shapesIn);
  return [shapes.slice(1).map((extent) => Number(extent ?? 1))];
}

/** Whether a step on parts of a batch is the step on the batch up to rounding, as far as is known. */
function isPerExample(model: ModelInternals): boolean {
  const names = [...leavesOf(model.loss), ...leavesOf(model.metrics)];
  return (
    names.every((name) => typeof name === 'string' && name !== 'precision') &&
    layersOf(model).every(
      (layer) => perExample.has(builtInClass(layer) ?? '') && !drawsPerBatch(layer),
    )
  );
}

function leavesOf(compiled: unknown): unknown[] {
  if (compiled === undefined || compiled === null) return [];
  return typeof compiled === 'object' ? Object.values(compiled).flatMap(leavesOf) : [compiled];
}

/** Whether a random layer draws the same numbers in each step, or numbers of the shape of a batch. */
function drawsPerBatch(layer: LayerInternals): boolean {
  const { seed = null, noiseShape = null } = layer as BatchDependent;
  return layer.getClassName().includes('Dropout') && (seed !== null || noiseShape !== null);
}

function checkSplit(model: ModelInternals): void {
  const refuse = (what: string): never => {
    throw new LayerError(
      `accelerate: microBatch cannot split the batches of this model: ${what}. Leave microBatch out.`,
    );
  };
  for (const layer of layersOf(model)) {
    const name = `"${layer.name}" (${layer.getClassName()})`;
    if (layer.getClassName() === 'BatchNormalization') {
      refuse(`the layer ${name} takes its statistics from the whole batch`);
    }
    if (drawsPerBatch(layer)) refuse(`the layer ${name} draws its numbers for the whole batch`);
  }
  if (leavesOf(model.metrics).includes('precision')) {
    refuse('the metric "precision" of a batch is not the mean of its parts');
  }
}

/** A batch or its part: inputs, targets, and a weight per example or null. */
type Batch = readonly (tf.Tensor | null)[];

/**
 * Records a step on the parts of a batch, one after the other, so that only one part's activations are held at a time.
 *
 * @param train trains on a part, which is `share` of the batch. `start` delays a tensor until the part before has ended
 * @param ended what the parts so far have computed last
 * @returns means of what `train` returns, weighted by share
 */
export function trainInParts(
  batch: Batch,
  sizes: readonly number[],
  ended: () => tf.Tensor[],
  train: (part: Batch, share: number, start: (x: tf.Tensor) => tf.Tensor) => tf.Scalar[],
): tf.Scalar[] {
  if (sizes.length === 1) return train(batch, 1, (x) => x);
  const examples = sizes.reduce((sum, size) => sum + size);
  let begin = 0;
  const figures = sizes.map((size, index) => {
    const start = (x: tf.Tensor): tf.Tensor => (index === 0 ? x : runAfter(x, ended()));
    const rows = (x: tf.Tensor | null) => x && start(tf.slice(x, begin, size));
    const found = train(batch.map(rows), size / examples, start);
    begin += size;
    return found.map((figure) => tf.mul(figure, size / examples));
  });
  return figures[0].map((_, index) => tf.addN(figures.map((found) => found[index])) as tf.Scalar);
}
