import * as tf from '@tensorflow/tfjs-core';
import type { BatchIndices } from '../augment/epoch-order';
import type { GatherTables, LookupTable } from '../augment/gather';
import { linearResampling } from '../augment/resample';
import type { HostTensor } from '../base/host-tensor';
import type { OnDevice } from '../engine/step';

/** Images and labels as a session holds them: normalised once, resident on the device, never padded. */
export type ResidentSplit = {
  /** `[N*H*W,C]` float32 */
  readonly pixels: HostTensor;
  /** `[N]` int32 */
  readonly labels: HostTensor;
};

/** The tables of {@link GatherTables} as a session holds them, `[choices,pixels]` int32. */
export type ResidentTables = {
  readonly row: HostTensor;
  readonly col: HostTensor;
  readonly rowBox: HostTensor;
  readonly colBox: HostTensor;
};

/** A batch as it is fed: a few numbers per example. */
export type BatchFeed = {
  readonly [K in keyof BatchIndices]: Int32Array;
} & {
  /** Brightness and contrast of each image, see `augment/jitter`; either all batches of a step have them or none does. */
  readonly shift?: Float32Array;
  readonly scale?: Float32Array;
};

/** A batch as a network sees it. */
export interface Batch {
  /** `[B,h,w,C]` float32, normalised and augmented */
  readonly input: tf.Tensor4D;
  /** `[B]` int32 */
  readonly target: tf.Tensor1D;
}

/** Puts normalised images `[N,H,W,C]` and their labels into the form that {@link gatherBatch} reads. */
export function residentSplit(
  images: Float32Array,
  labels: ArrayLike<number>,
  channels: number,
): ResidentSplit {
  return {
    pixels: { shape: [images.length / channels, channels], data: images },
    labels: { shape: [labels.length], data: Int32Array.from(labels) },
  };
}

/** The gather tables in the form that {@link gatherBatch} reads. */
export function residentTables(tables: GatherTables): ResidentTables {
  const host = ({ values, shape }: LookupTable): HostTensor => ({ shape, data: values });
  return {
    row: host(tables.rowTable),
    col: host(tables.colTable),
    rowBox: host(tables.rowBox),
    colBox: host(tables.colBox),
  };
}

/**
 * Reads an augmented batch from the resident images, by index arithmetic alone: crop, reflect padding and mirroring are
 * one gather, cutout is one multiplication. `gatherOracle` of `augment/` computes the same in plain loops.
 *
 * @param source `[H,W]` of the resident images
 * @param hasCutout whether to apply the box tables
 */
export function gatherBatch(
  split: OnDevice<ResidentSplit>,
  tables: OnDevice<ResidentTables>,
  batch: OnDevice<BatchFeed>,
  source: readonly [height: number, width: number],
  hasCutout: boolean,
): Batch {
  const [height, width] = source;
  const indices = (t: tf.Tensor): tf.Tensor1D => t as tf.Tensor1D;
  const offsets = tables.col.shape[0] / 2;
  const size = batch.order.shape[0];
  // [B,h] and [B,w]: where each output row and column comes from.
  const rows = tf.gather(tables.row, indices(batch.cropY));
  const cols = tf.gather(
    tables.col,
    indices(batch.flip.mul(tf.scalar(offsets, 'int32')).add(batch.cropX)),
  );
  const [, h = 0] = rows.shape;
  const [, w = 0] = cols.shape;
  const [, channels = 0] = split.pixels.shape;
  const first = batch.order.mul(tf.scalar(height * width, 'int32')).reshape([size, 1, 1]);
  const addresses = rows
    .mul(tf.scalar(width, 'int32'))
    .reshape([size, h, 1])
    .add(cols.reshape([size, 1, w]))
    .add(first);
  const pixels = tf.gather(split.pixels, addresses.reshape<tf.Tensor1D>([-1]));
  const whole = pixels.reshape<tf.Tensor4D>([size, h, w, channels]);
  const target = tf.gather(split.labels, indices(batch.order)) as tf.Tensor1D;
  if (!hasCutout) return { input: whole, target };

  const down = tf.gather(tables.rowBox, indices(batch.boxY)).reshape([size, h, 1, 1]);
  const across = tf.gather(tables.colBox, indices(batch.boxX)).reshape([size, 1, w, 1]);
  const kept = tf.scalar(1).sub(down.mul(across).cast('float32'));
  return { input: whole.mul(kept), target };
}

/** Applies the brightness and contrast that were fed with the batch; without them, returns the batch unchanged. */
export function applyJitter(batch: Batch, { shift, scale }: OnDevice<BatchFeed>): Batch {
  if (shift === undefined || scale === undefined) return batch;
  const perImage = (t: tf.Tensor): tf.Tensor => t.reshape([-1, 1, 1, 1]);
  return { ...batch, input: batch.input.add(perImage(shift)).mul(perImage(scale)) };
}

/**
 * Resamples a batch of square images linearly to `size` pixels, by one matrix product per axis; see `linearResampling` of
 * `augment/`.
 */
export function resampleBatch(batch: Batch, size: number): Batch {
  const [count, height, width, channels] = batch.input.shape;
  if (height === size && width === size) return batch;
  const matrix = (from: number): tf.Tensor2D =>
    tf.tensor2d(linearResampling(from, size), [size, from]);
  const rows = tf.matMul(
    tf.tile(matrix(height).reshape([1, size, height]), [count, 1, 1]),
    batch.input.reshape<tf.Tensor3D>([count, height, width * channels]),
  );
  const across = matrix(width);
  const input = tf
    .matMul(
      rows
        .reshape([count * size, width, channels])
        .transpose([0, 2, 1])
        .reshape([-1, width]),
      across,
      false,
      true,
    )
    .reshape([count, size, channels, size])
    .transpose<tf.Tensor4D>([0, 1, 3, 2]);
  return { ...batch, input };
}
