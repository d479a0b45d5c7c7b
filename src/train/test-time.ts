import * as tf from '@tensorflow/tfjs-core';
import type { FoldStep, Model } from './steps';
import { judge, logitsOf } from './steps';
import type { Variables } from '../nn/network';

/**
 * Test-time augmentation: the views of a test image over which the logits are averaged.
 *
 * - `false`: the image alone; `true`: the image and its mirror image.
 * - `six-views`: the image and its mirror image have half of the weight; the other half goes to the image shifted by one
 *   pixel towards the upper left and towards the lower right, each with its mirror image.
 * - `six-views-if-unsure`: the unweighted mean of these six views for the quarter of each batch with the lowest maximum
 *   probability; the image alone for the rest.
 *
 * @see Jordan, arXiv:2404.00498 (2024) for `six-views`; hiverge/cifar10-speedrun (2025) for the unsure quarter, which it
 *   takes from the whole test set
 */
export type Tta = boolean | 'six-views' | 'six-views-if-unsure';

/** Evaluates a batch in evaluation mode; see {@link Tta}. */
export function evaluate(model: Model, { tta }: { readonly tta: Tta }): FoldStep {
  return ({ batch, network }) => {
    const logits = viewedLogits(model, network, batch.input, tta);
    return { outcome: { ...judge(model, logits, batch.target), running: {} } };
  };
}

/** The logits `[N,classes]` of images `[N,H,W,C]`, averaged over their views. */
export function viewedLogits(
  model: Model,
  network: Variables,
  images: tf.Tensor4D,
  tta: Tta,
): tf.Tensor2D {
  const look = (view: tf.Tensor4D): tf.Tensor2D => logitsOf(model, network, view);
  const withMirror = (view: tf.Tensor4D): tf.Tensor2D =>
    tf.add<tf.Tensor2D>(look(view), look(tf.reverse<tf.Tensor4D>(view, 2)));
  switch (tta) {
    case false:
      return look(images);
    case true:
      return withMirror(images).mul(0.5);
    case 'six-views': {
      const [first, second] = shifts(images).map(withMirror);
      return withMirror(images).mul(0.25).add(first.add(second).mul(0.125));
    }
    case 'six-views-if-unsure': {
      const plain = look(images);
      const unsure = unsureQuarter(plain);
      const picked = tf.gather<tf.Tensor4D>(images, unsure);
      const [first, second] = shifts(picked).map(withMirror);
      const pair = tf.gather(plain, unsure).add(look(tf.reverse<tf.Tensor4D>(picked, 2)));
      const sum = pair.add(first).add(second);
      return replaceRows(plain, unsure, sum.div(6));
    }
    default:
      return tta satisfies never;
  }
}

/** The images, moved by one pixel to the lower right and to the upper left, with reflected borders. */
function shifts(images: tf.Tensor4D): tf.Tensor4D[] {
  const [n, height, width, channels] = images.shape;
  const padded = tf.mirrorPad(
    images,
    [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ],
    'reflect',
  );
  return [0, 2].map((at) => tf.slice4d(padded, [0, at, at, 0], [n, height, width, channels]));
}

/** Row indices of the quarter of logits `[N,classes]` with the lowest maximum probability, `[ceil(N/4)]` int32. */
function unsureQuarter(logits: tf.Tensor2D): tf.Tensor1D {
  const confidence = tf.softmax(logits).max(1);
  const { indices } = tf.topk(confidence.neg(), Math.ceil(logits.shape[0] / 4), false);
  return indices as tf.Tensor1D;
}

/** Replaces row `places[i]` of `all` by `rows[i]`; uses a gather because TF.js's scatter reads its indices on the host. */
function replaceRows(all: tf.Tensor2D, places: tf.Tensor1D, rows: tf.Tensor2D): tf.Tensor2D {
  const [n] = all.shape;
  // [N,K]: 1 where row n is replaced by row k.
  const chosen = tf.cast(
    tf.equal(tf.range(0, n, 1, 'int32').reshape([n, 1]), places.reshape([1, -1])),
    'float32',
  );
  const replaced = tf.gather(rows, chosen.argMax<tf.Tensor1D>(1));
  return tf.where(chosen.max(1, true).greater(0), replaced, all);
}
