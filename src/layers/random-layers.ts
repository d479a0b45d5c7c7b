import * as tf from '@tensorflow/tfjs-core';
import type { RandomSource } from '../engine/random';
import { builtInClass } from './internals';
import type { CallArguments, LayerInternals } from './internals';

/** A layer's output in training for its one input. */
type Call = (input: tf.Tensor) => tf.Tensor;

interface Noise {
  readonly rate: number;
  readonly stddev: number;
  readonly seed?: number | null;
  readonly noiseShape?: number[];
  getNoiseShape(input: tf.Tensor): number[] | null | undefined;
}

/** Zeroes a fraction `rate` of the elements and scales the others to preserve the mean. */
export function dropout(
  x: tf.Tensor,
  rate: number,
  noiseShape: readonly number[],
  random: RandomSource,
): tf.Tensor {
  const keep = 1 - rate;
  return tf.mul(x, tf.div(tf.floor(tf.add(random.uniform(noiseShape), keep)), keep));
}

/**
 * The random layers of TF.js, changed so that a recording draws new numbers in each step: same formulas, other numbers.
 *
 * In TF.js, a `Dropout` layer with its own seed drops the same elements in every step. So does a recording, where the
 * numbers are constants.
 *
 * @returns the layer's call in training; undefined if it draws no random numbers, or the same in every step
 */
export function randomCall(layer: LayerInternals, random: RandomSource): Call | undefined {
  const { rate, stddev, seed, noiseShape } = layer as unknown as Noise;
  const draws = rate > 0 && rate < 1;
  switch (builtInClass(layer)) {
    case 'Dropout':
    case 'SpatialDropout1D':
      if (!draws || (seed !== undefined && seed !== null)) return undefined;
      return (x) =>
        dropout(x, rate, (layer as unknown as Noise).getNoiseShape(x) ?? x.shape, random);
    case 'GaussianNoise':
      return (x) => tf.add(tf.mul(random.normal(x.shape), stddev), x);
    case 'GaussianDropout':
      if (!draws) return undefined;
      return (x) =>
        tf.mul(x, tf.add(tf.mul(random.normal(x.shape), Math.sqrt(rate / (1 - rate))), 1));
    case 'AlphaDropout':
      if (!draws) return undefined;
      return (x) => alphaDropout(x, rate, random.uniform(noiseShape ?? x.shape));
    default:
      return undefined;
  }
}

/**
 * As TF.js computes it: dropped elements become +1.758 a + b where the paper has -1.758 a + b, so the mean of the output
 * moves by 2 * 1.758 * a * rate.
 *
 * @param uniform draws from U[0, 1)
 * @see Klambauer et al., Self-Normalizing Neural Networks, arXiv:1706.02515 (2017)
 */
function alphaDropout(x: tf.Tensor, rate: number, uniform: tf.Tensor): tf.Tensor {
  const negativeSaturation = -1.6732632423543772 * 1.0507009873554805;
  const kept = tf.cast(tf.greaterEqual(uniform, rate), 'float32');
  const a = ((1 - rate) * (1 + rate * negativeSaturation ** 2)) ** -0.5;
  const b = -a * negativeSaturation * rate;
  const masked = tf.add(tf.mul(x, kept), tf.mul(tf.add(kept, -1), negativeSaturation));
  return tf.add(tf.mul(masked, a), b);
}

/** The parts of a recurrent cell that dropout uses. */
interface DropoutCell {
  dropoutFunc: ((ones: tf.Tensor, rate: number) => tf.Tensor) | null | undefined;
  dropoutMask: tf.Tensor | tf.Tensor[] | null;
  recurrentDropoutMask: tf.Tensor | tf.Tensor[] | null;
}

/**
 * Makes the dropout of a recurrent cell draw from `random`, and discards the masks of an earlier sequence.
 *
 * @returns a function that restores the cell, or undefined if the layer is not a recurrent cell
 */
export function useRandomMasks(
  layer: LayerInternals,
  random: RandomSource,
): (() => void) | undefined {
  const cell = layer as unknown as DropoutCell;
  if (!('dropoutMask' in cell)) return undefined;
  const { dropoutFunc } = cell;
  const forget = (): void => {
    tf.dispose([cell.dropoutMask, cell.recurrentDropoutMask].filter((mask) => mask !== null));
    cell.dropoutMask = null;
    cell.recurrentDropoutMask = null;
  };
  forget();
  cell.dropoutFunc ??= (ones, rate) => dropout(ones, rate, ones.shape, random);
  return () => {
    forget();
    cell.dropoutFunc = dropoutFunc;
  };
}

/** Whether a layer is called in training mode. */
export function isTraining(kwargs: CallArguments | undefined): boolean {
  return kwargs?.['training'] === true;
}
