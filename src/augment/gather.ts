import { AugmentError } from '../base/errors';
import type { BatchIndices } from './epoch-order';
import { outputShape, type Transform } from './transform';
import { type ImageShape, windowPlaces } from './window';

/** A matrix of small integers `[rows,columns]`: a row for each choice, a column for each output pixel along an axis. */
export interface LookupTable {
  readonly values: Int32Array;
  readonly shape: readonly [rows: number, columns: number];
}

/**
 * Everything that a device needs to augment by gathering from unpadded images; see {@link gatherTables}.
 */
export interface GatherTables {
  /** `[H,W]` of the stored images. */
  readonly source: ImageShape;
  /**
   * `[H + 2 pad, W + 2 pad]`, or `source` if no transform crops: the input of the first transform, and the shape to pass to
   * {@link plan}.
   */
  readonly padded: ImageShape;
  /** `[h,w]` of the augmented images. */
  readonly output: ImageShape;
  /** `[crop offsets down, h]`: the source row of every output row. */
  readonly rowTable: LookupTable;
  /** `[2 x crop offsets across, w]`: the source column of every output column; mirrored in the second half. */
  readonly colTable: LookupTable;
  /** `[box offsets down, h]`: 1 where the box covers the output row; one row of zeros if there is no cutout. */
  readonly rowBox: LookupTable;
  /** `[box offsets across, w]`: the same for columns. */
  readonly colBox: LookupTable;
  /** Whether the list has a cutout; without one a device can skip the two box tables. */
  readonly hasCutout: boolean;
}

/**
 * Tables that turn a batch's choices into pixel addresses: the device keeps images of `source` shape, normalised and
 * **unpadded**, and reads every output pixel from its source.
 *
 * With b the index in the batch, and offsets = half the rows of `colTable`:
 *
 *     r = rowTable[cropY[b], i]
 *     c = colTable[flip[b] * offsets + cropX[b], j]
 *     out[b, i, j] = images[order[b], r, c] * (1 - rowBox[boxY[b], i] * colBox[boxX[b], j])
 *
 * This equals padding the image by `pad` pixels on each side in mode reflect (the edge pixel is not repeated), then crop,
 * flip and cutout. Without a crop images are not padded. For 32 x 32 images, pad 4 and crop(32, 32) the
 * tables are `[9,32]` and `[18,32]`.
 *
 * @throws AugmentError if a transform does not fit the padded image, or `pad` is not a whole number below both sizes.
 */
export function gatherTables(
  transforms: readonly Transform[],
  source: ImageShape,
  padding: number,
): GatherTables {
  const [height, width] = source;
  if (!Number.isInteger(padding) || padding < 0 || padding >= height || padding >= width) {
    throw new AugmentError(
      `gather: an image of ${height} x ${width} cannot be padded by ${padding} in mode reflect. ` +
        `Give a whole number from 0 to ${Math.min(height, width) - 1}.`,
    );
  }
  const crop = transforms.find((transform) => transform.kind === 'crop');
  const pad = crop === undefined ? 0 : padding;
  const padded: ImageShape = [height + 2 * pad, width + 2 * pad];
  const output = outputShape(transforms, padded);
  const [h, w] = output;
  const box = transforms.find((transform) => transform.kind === 'cutout');
  const [cropDown, cropAcross] = crop ? windowPlaces(crop, padded) : [1, 1];
  const [boxDown, boxAcross] = box ? windowPlaces(box, output) : [1, 1];
  const boxHeight = box?.height ?? 0;
  const boxWidth = box?.width ?? 0;
  return {
    source,
    padded,
    output,
    rowTable: lookupTable(cropDown, h, (y0, i) => reflect(y0 + i - pad, height)),
    colTable: lookupTable(2 * cropAcross, w, (row, j) =>
      row < cropAcross
        ? reflect(row + j - pad, width)
        : reflect(row - cropAcross + (w - 1 - j) - pad, width),
    ),
    rowBox: lookupTable(boxDown, h, (y0, i) => (i >= y0 && i < y0 + boxHeight ? 1 : 0)),
    colBox: lookupTable(boxAcross, w, (x0, j) => (j >= x0 && j < x0 + boxWidth ? 1 : 0)),
    hasCutout: box !== undefined,
  };
}

/** Images of float32 values, `[N,H,W,C]`. */
export interface Images {
  readonly data: Float32Array;
  readonly shape: readonly [count: number, height: number, width: number, channels: number];
}

/**
 * The augmented batch `[B,h,w,C]`, gathered from unpadded images by plain loops: the slow oracle for the device's gather.
 *
 * @throws AugmentError if the images are not of the tables' source shape, or a choice is outside its table. (A device
 *   may silently read anything there.)
 */
export function gatherOracle(images: Images, tables: GatherTables, batch: BatchIndices): Images {
  const [count, height, width, channels] = images.shape;
  if (height !== tables.source[0] || width !== tables.source[1]) {
    throw new AugmentError(
      `gather: images are ${height} x ${width}, but the tables were made for ${tables.source.join(' x ')}. ` +
        'Make the tables for these images.',
    );
  }
  const { rowTable, colTable, rowBox, colBox } = tables;
  const [h, w] = tables.output;
  const cropAcross = colTable.shape[0] / 2;
  const size = batch.order.length;
  const data = new Float32Array(size * h * w * channels);
  let to = 0;
  for (let b = 0; b < size; b++) {
    const example = choice('order', batch.order[b], count);
    const y0 = choice('cropY', batch.cropY[b], rowTable.shape[0]);
    const x0 = choice('cropX', batch.cropX[b], cropAcross);
    const flip = choice('flip', batch.flip[b], 2);
    const boxY = choice('boxY', batch.boxY[b], rowBox.shape[0]);
    const boxX = choice('boxX', batch.boxX[b], colBox.shape[0]);
    for (let i = 0; i < h; i++) {
      const row = rowTable.values[y0 * h + i];
      for (let j = 0; j < w; j++) {
        const column = colTable.values[(flip * cropAcross + x0) * w + j];
        const isCut = rowBox.values[boxY * h + i] === 1 && colBox.values[boxX * w + j] === 1;
        const from = ((example * height + row) * width + column) * channels;
        for (let c = 0; c < channels; c++) data[to++] = isCut ? 0 : images.data[from + c];
      }
    }
  }
  return { data, shape: [size, h, w, channels] };
}

function choice(name: string, value: number, count: number): number {
  if (!(value >= 0 && value < count)) {
    throw new AugmentError(
      `gather: ${name} is ${value}, expected 0..${count - 1}. ` +
        'Make plan and tables from the same transforms and image shape.',
    );
  }
  return value;
}

/** The index in 0..size-1 that reflection at both ends maps `at` to, without repeating the end pixel. */
function reflect(at: number, size: number): number {
  const inside = Math.abs(at);
  return inside < size ? inside : 2 * (size - 1) - inside;
}

function lookupTable(
  rows: number,
  columns: number,
  entry: (row: number, column: number) => number,
): LookupTable {
  const values = Int32Array.from({ length: rows * columns }, (_, i) =>
    entry(Math.floor(i / columns), i % columns),
  );
  return { values, shape: [rows, columns] };
}
