import { AugmentError } from '../base/errors';
import type { Rng } from '../base/rng';
import { options, outputShape, type Transform } from './transform';
import type { Corner, ImageShape } from './window';

/**
 * The augmentation of each of N examples in one epoch: one option per transform, `[N]` each, indexed by example in the
 * original order. A transform that is not in the list leaves zeros, which mean no change to the {@link gatherTables} of
 * the same list.
 */
export interface Plan {
  readonly count: number;
  /** First row and column of the crop, in the padded image. */
  readonly cropY: Int32Array;
  readonly cropX: Int32Array;
  /** 1 where the image is mirrored, after the crop. */
  readonly flip: Int32Array;
  /** First row and column of the box, in the cropped and mirrored image. */
  readonly boxY: Int32Array;
  readonly boxX: Int32Array;
}

/**
 * How options are drawn. `per-example`: independently for each example (as the reference's data loader does). `groups`:
 * shuffled examples are divided into as many nearly equal groups as there are options, one option per group (as its
 * on-device batches do), so that a flip mirrors exactly half.
 */
export type Scheme = 'per-example' | 'groups';

/** Options of {@link plan}. */
export interface PlanOptions {
  readonly scheme: Scheme;
  /** In scheme `groups`, the maximum number of options of a transform in one epoch. Default: 200. */
  readonly maxOptions?: number;
  /** Advanced by every draw; `createRng(seed, 'augment', epoch)` makes each epoch reproducible on its own. */
  readonly rng: Rng;
}

/** The plan that leaves all of `count` examples unchanged, for evaluation. */
export function identityPlan(count: number): Plan {
  if (!Number.isInteger(count) || count < 0) {
    throw new AugmentError(`plan: count must be a non-negative integer; got ${count}.`);
  }
  return {
    count,
    cropY: new Int32Array(count),
    cropX: new Int32Array(count),
    flip: new Int32Array(count),
    boxY: new Int32Array(count),
    boxX: new Int32Array(count),
  };
}

/**
 * Draws an option of every transform for every example of one epoch. Reads no pixels.
 *
 * `imageShape` is the input of the first transform: the padded image if there is a crop (`padded` of
 * {@link gatherTables}). Transforms draw in the order of the list, so removing the last one does not change the others.
 * The plan is indexed by original example, so it does not depend on the order of training (see {@link epochBatches}):
 * shuffled or not, an example is augmented in the same way.
 *
 * @throws AugmentError if a transform does not fit, `maxOptions` is not a whole number from 1, or `count` is not one
 *   from 0.
 * @see Page, How to Train Your ResNet 8: Bag of Tricks (2019), for the scheme `groups`.
 */
export function plan(
  transforms: readonly Transform[],
  imageShape: ImageShape,
  count: number,
  { scheme, maxOptions = 200, rng }: PlanOptions,
): Plan {
  outputShape(transforms, imageShape);
  if (!Number.isInteger(maxOptions) || maxOptions < 1) {
    throw new AugmentError(`plan: maxOptions must be a positive integer; got ${maxOptions}.`);
  }
  const result = identityPlan(count);
  const draw = (optionCount: number): Int32Array =>
    scheme === 'groups'
      ? drawGroups(count, optionCount, maxOptions, rng)
      : drawEach(count, optionCount, rng);
  let shape = imageShape;
  for (const transform of transforms) {
    switch (transform.kind) {
      case 'crop': {
        const corners = options(transform, shape);
        writeCorners(corners, draw(corners.length), result.cropY, result.cropX);
        break;
      }
      case 'flip-lr': {
        const mirrors = options(transform, shape);
        const drawn = draw(mirrors.length);
        for (let i = 0; i < count; i++) result.flip[i] = mirrors[drawn[i]].flip ? 1 : 0;
        break;
      }
      case 'cutout': {
        const corners = options(transform, shape);
        writeCorners(corners, draw(corners.length), result.boxY, result.boxX);
        break;
      }
      default:
        transform satisfies never;
    }
    shape = outputShape([transform], shape);
  }
  return result;
}

/**
 * The `parts + 1` bounds, from 0 to `count`, that divide `count` items into `parts` nearly equal parts: the first
 * `count mod parts` parts are one longer than the rest.
 */
export function evenSplits(count: number, parts: number): Int32Array {
  const size = Math.floor(count / parts);
  const longer = count % parts;
  return Int32Array.from({ length: parts + 1 }, (_, i) => i * size + Math.min(i, longer));
}

function drawEach(count: number, optionCount: number, rng: Rng): Int32Array {
  const drawn = new Int32Array(count);
  for (let i = 0; i < count; i++) drawn[i] = rng.integer(optionCount);
  return drawn;
}

function drawGroups(count: number, optionCount: number, maxOptions: number, rng: Rng): Int32Array {
  const examples = rng.permutation(count);
  const kept = rng.permutation(optionCount).subarray(0, maxOptions);
  const bounds = evenSplits(count, kept.length);
  const drawn = new Int32Array(count);
  for (let group = 0; group < kept.length; group++) {
    for (let i = bounds[group]; i < bounds[group + 1]; i++) drawn[examples[i]] = kept[group];
  }
  return drawn;
}

function writeCorners(
  corners: readonly Corner[],
  drawn: Int32Array,
  y0: Int32Array,
  x0: Int32Array,
): void {
  for (let i = 0; i < drawn.length; i++) {
    const corner = corners[drawn[i]];
    y0[i] = corner.y0;
    x0[i] = corner.x0;
  }
}
