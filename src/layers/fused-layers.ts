import * as tf from '@tensorflow/tfjs-core';
import { batchNormTraining, normActivationTraining } from '../engine/raw/batch-norm';
import { biasActivation } from '../engine/raw/bias-activation';
import { ownMaxPool } from '../engine/raw/max-pool';
import { hasOwnKernels } from '../engine/raw/own-kernels';
import { builtInClass } from './internals';
import type { LayerInternals, Weight } from './internals';

/** A layer's output in training for its one input; undefined for an input that the fused operations do not support. */
export type FusedCall = (x: tf.Tensor) => tf.Tensor | undefined;

interface WeightAccess extends Weight {
  read(): tf.Tensor;
  write(value: tf.Tensor): void;
}

interface Activation {
  apply(x: tf.Tensor): tf.Tensor;
  getClassName(): string;
}

interface BatchNormalization extends LayerInternals {
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly gamma?: WeightAccess;
  readonly beta?: WeightAccess;
  readonly movingMean: WeightAccess;
  readonly movingVariance: WeightAccess;
}

interface Conv2D extends LayerInternals {
  readonly kernel: WeightAccess;
  readonly bias: WeightAccess | null;
  readonly activation: Activation | null;
  readonly strides: [number, number];
  readonly padding: 'same' | 'valid';
  readonly dataFormat: string;
  readonly dilationRate: number | [number, number];
}

interface Dense extends LayerInternals {
  readonly kernel: WeightAccess;
  readonly bias: WeightAccess | null;
  readonly activation: Activation | null;
}

interface MaxPooling2D extends LayerInternals {
  readonly poolSize: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly padding: string;
  readonly dataFormat: string;
}

/** Outputs of batch norm to which the ReLU after it is already applied. */
const rectified = new WeakSet<tf.Tensor>();

/** The largest window of our own pooling kernel. */
const largestWindow = 16;

/**
 * Layers for which TensorFlow or our own kernels have one operation where TF.js runs several: batch norm, alone or with the
 * ReLU after it; convolutions and dense layers with a bias; max pooling.
 *
 * @param isBeforeRelu whether a layer's output goes only to a ReLU
 * @returns the layer's fused call in training, or undefined for any other layer
 */
export function fusedCall(
  layer: LayerInternals,
  isBeforeRelu: (layer: LayerInternals) => boolean,
): FusedCall | undefined {
  switch (builtInClass(layer)) {
    case 'BatchNormalization':
      return (x) => batchNorm(layer as BatchNormalization, x, isBeforeRelu(layer));
    case 'Conv2D':
      return (x) => conv2d(layer as Conv2D, x);
    case 'Dense':
      return (x) => dense(layer as Dense, x);
    case 'MaxPooling2D':
      return (x) => maxPool(layer as MaxPooling2D, x);
    case 'ReLU':
    case 'Activation':
      return (x) => (rectified.has(x) ? x : undefined);
    default:
      return undefined;
  }
}

function batchNorm(
  layer: BatchNormalization,
  x: tf.Tensor,
  isBeforeRelu: boolean,
): tf.Tensor | undefined {
  const { gamma, beta, axis, epsilon, momentum } = layer;
  const channels = x.shape[x.rank - 1];
  const examples = x.size / channels;
  const isLast = axis === -1 || axis === x.rank - 1;
  if (gamma === undefined || beta === undefined || !isLast || x.rank < 2 || examples === 1) {
    return undefined;
  }
  const image = tf.reshape<tf.Rank.R4>(x, [x.shape[0], -1, 1, channels]);
  const [scale, bias] = [gamma.read() as tf.Tensor1D, beta.read() as tf.Tensor1D];
  const withRelu = isBeforeRelu && hasOwnKernels();
  const { output, mean, variance } = hasOwnKernels()
    ? normActivationTraining(image, scale, bias, epsilon, { kind: withRelu ? 'relu' : 'none' })
    : batchNormTraining(image, scale, bias, epsilon);
  // The kernels divide the sum of squares by n - 1, TF.js by n.
  move(layer.movingMean, mean, momentum);
  move(layer.movingVariance, tf.mul(variance, (examples - 1) / examples), momentum);
  const shaped = tf.reshape(output, x.shape);
  if (withRelu) rectified.add(shaped);
  return shaped;
}

function move(average: WeightAccess, value: tf.Tensor, momentum: number): void {
  const before = average.read();
  average.write(tf.sub(before, tf.mul(tf.sub(before, value), 1 - momentum)));
}

function conv2d(layer: Conv2D, x: tf.Tensor): tf.Tensor | undefined {
  const { kernel, bias, strides, padding, dataFormat, dilationRate } = layer;
  const isPlain =
    dataFormat === 'channelsLast' && [dilationRate].flat().every((rate) => rate === 1);
  if (!isPlain || bias === null || !hasOwnKernels()) return undefined;
  const y = tf.conv2d(x as tf.Tensor4D, kernel.read() as tf.Tensor4D, strides, padding);
  return activated(layer, y, bias);
}

function dense(layer: Dense, x: tf.Tensor): tf.Tensor | undefined {
  const { kernel, bias } = layer;
  if (x.rank !== 2 || bias === null || !hasOwnKernels()) return undefined;
  return activated(layer, tf.matMul(x, kernel.read()), bias);
}

/** The activation of y + bias. */
function activated(
  { activation }: Pick<Dense, 'activation'>,
  y: tf.Tensor,
  bias: WeightAccess,
): tf.Tensor {
  const isRelu = activation?.getClassName() === 'relu';
  const sum = biasActivation(y, bias.read() as tf.Tensor1D, { kind: isRelu ? 'relu' : 'none' });
  return activation === null || isRelu ? sum : activation.apply(sum);
}

function maxPool(layer: MaxPooling2D, x: tf.Tensor): tf.Tensor | undefined {
  const { poolSize, strides, padding, dataFormat } = layer;
  const [size] = poolSize;
  const isTiled = [...poolSize, ...strides].every((extent) => extent === size);
  const isPlain = dataFormat === 'channelsLast' && padding === 'valid';
  if (!isTiled || !isPlain || size > largestWindow || !hasOwnKernels()) return undefined;
  return ownMaxPool(x as tf.Tensor4D, size);
}

/** A layer with its connections to other layers. */
interface Connected extends LayerInternals {
  readonly inboundNodes: readonly unknown[];
  readonly outboundNodes: readonly { readonly outboundLayer: LayerInternals }[];
  readonly outputLayers?: readonly LayerInternals[];
}

/**
 * Finds the layers whose output goes only to a ReLU.
 */
export function readByRelu(
  layers: readonly LayerInternals[],
  modelOutputs: readonly LayerInternals[],
): (layer: LayerInternals) => boolean {
  const nested = layers.flatMap((layer) => (layer as Connected).outputLayers ?? []);
  const outputs = new Set([...modelOutputs, ...nested]);
  const isRead = (layer: LayerInternals): boolean => {
    const { inboundNodes, outboundNodes } = layer as Connected;
    if (outputs.has(layer) || inboundNodes.length !== 1 || outboundNodes.length !== 1) return false;
    const [{ outboundLayer }] = outboundNodes;
    const { maxValue, activation } = outboundLayer as LayerInternals & {
      readonly maxValue?: number | null;
      readonly activation?: Activation;
    };
    if (Object.hasOwn(outboundLayer, 'call')) return false;
    return builtInClass(outboundLayer) === 'ReLU'
      ? maxValue === undefined || maxValue === null
      : builtInClass(outboundLayer) === 'Activation' && activation?.getClassName() === 'relu';
  };
  // Now, as recording replaces the layers' calls.
  const read = new Set(layers.filter(isRead));
  return (layer) => read.has(layer);
}
