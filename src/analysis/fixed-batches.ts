import { batchIndices, epochBatches } from '../augment/epoch-order';
import { gatherOracle, gatherTables } from '../augment/gather';
import { plan } from '../augment/plan';
import type { Transform } from '../augment/transform';
import type { HostTensor } from '../base/host-tensor';
import { createRng } from '../base/rng';

/** A batch in JavaScript memory. */
export type HostBatch = {
  /** `[B,H,W,C]` float32, normalised and augmented */
  readonly input: HostTensor;
  /** `[B]` int32 */
  readonly target: HostTensor;
};

/**
 * The first batches of an epoch, augmented once, so that every measurement uses the same ones.
 *
 * @param images `[N,H,W,C]`, normalised, not padded
 * @throws AugmentError if a transform does not fit the images, or there are fewer images than `batchSize`
 */
export function fixedBatches(
  images: HostTensor,
  labels: ArrayLike<number>,
  {
    transforms,
    pad,
    batchSize,
    count,
    seed,
  }: {
    readonly transforms: readonly Transform[];
    /** Pixels of reflect padding that a crop can use. */
    readonly pad: number;
    readonly batchSize: number;
    /** How many batches. Default: all full ones of an epoch. */
    readonly count?: number;
    readonly seed: number;
  },
): HostBatch[] {
  const [examples, height, width, channels] = images.shape;
  const source = {
    data: images.data as Float32Array,
    shape: [examples, height, width, channels],
  } as const;
  const tables = gatherTables(transforms, [height, width], pad);
  const choices = plan(transforms, tables.padded, examples, {
    scheme: 'per-example',
    rng: createRng(seed, 'augment', 1),
  });
  const rng = createRng(seed, 'order', 1);
  return epochBatches(examples, { batchSize, dropLast: true, rng })
    .slice(0, count)
    .map((order) => ({
      input: gatherOracle(source, tables, batchIndices(choices, order)),
      target: { shape: [batchSize], data: order.map((example) => labels[example]) },
    }));
}
