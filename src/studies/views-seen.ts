import { flipLR } from '../augment/flip';
import type { ImageShape } from '../augment/window';
import { drawEpoch } from '../train/epoch-batches';

/** How images have been seen up to an epoch. */
export type ViewsSeen = {
  readonly epoch: number;
  /** Fraction of the images seen both plain and mirrored so far. */
  readonly both: number;
  /** Fraction of the images seen the same way as in the previous epoch; 0 in the first. */
  readonly repeated: number;
};

/**
 * The fraction of images seen both ways after each epoch, with the draws of training: mirrored at random in each epoch, or in
 * every second one.
 *
 * With random mirroring it is 1 - 2^(1 - epochs); with alternating mirroring, 1 from the second epoch on.
 */
export function viewsSeen(
  images: number,
  epochs: number,
  { isAlternating, seed }: { readonly isAlternating: boolean; readonly seed: number },
): ViewsSeen[] {
  const wasPlain = new Uint8Array(images);
  const wasMirrored = new Uint8Array(images);
  const padded: ImageShape = [32, 32];
  const options = {
    transforms: [flipLR({ isAlternating })],
    count: images,
    batchSize: images,
    padded,
  };
  let before: Int32Array | undefined;
  return Array.from({ length: epochs }, (_, index) => {
    const epoch = index + 1;
    const { flip: flips } = drawEpoch(options, seed, epoch, false).choices;
    let [both, repeated] = [0, 0];
    for (const [image, flip] of flips.entries()) {
      (flip === 1 ? wasMirrored : wasPlain)[image] = 1;
      both += wasPlain[image] & wasMirrored[image];
      if (before?.[image] === flip) repeated += 1;
    }
    before = flips;
    return { epoch, both: both / images, repeated: repeated / images };
  });
}
