import { flipLR } from '../augment/flip';
import type { ImageShape } from '../augment/window';
import { drawEpoch } from '../train/epoch-batches';

/** What images were seen as after so many epochs. */
export type ViewsSeen = {
  readonly epoch: number;
  /** Share of the images that were seen both as they are and mirrored. */
  readonly both: number;
  /** Share of the images that are seen the same way as in the epoch before; 0 in the first. */
  readonly repeated: number;
};

/**
 * How often images were seen both ways after each epoch, as training draws it: mirrored by chance in each epoch, or in every
 * second one.
 *
 * By chance it is 1 - 2^(1 - epochs); where mirroring alternates, all images from the second epoch on.
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
