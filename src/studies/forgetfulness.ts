import { findExperiment } from '../catalogue/catalogue';
import { overridden } from '../catalogue/override';
import type { Experiment, Scale } from '../catalogue/experiment';
import { scaled } from '../catalogue/scale';

/** What a run of the study trains on. */
export type ForgetfulnessData =
  'all, augmented' | 'half, augmented' | 'all, as they are' | 'half, as they are';

/** One run of the study, and its position in the figure. */
export interface ForgetfulnessTrial {
  readonly batchSize: number;
  /** The highest learning rate, for the mean loss of a batch. */
  readonly rate: number;
  readonly data: ForgetfulnessData;
  /** Scaled; named by batch, rate and data, and not in the catalogue. */
  readonly experiment: Experiment;
}

/** The grid of runs at each scale. The post does not give its own; this one is ours. */
interface Grid {
  readonly records: readonly string[];
  /** Factors of the experiment's own highest rate. */
  readonly factors: readonly number[];
  readonly data: readonly ForgetfulnessData[];
  /** Training images, halved for the kinds of data with `half`, and test images. */
  readonly images: readonly [train: number, valid: number];
  readonly epochs?: number;
}

const some: readonly ForgetfulnessData[] = [
  'all, augmented',
  'half, augmented',
  'half, as they are',
];
const grids: Readonly<Record<Scale, Grid>> = {
  full: {
    records: ['post1-main-thread', 'post2-batch-512'],
    factors: [0.5, 1, 2, 4, 8, 16],
    data: [...some, 'all, as they are'],
    images: [50_000, 10_000],
  },
  pocket: {
    records: ['post1-main-thread'],
    factors: [0.25, 1, 4, 8],
    data: some,
    images: [16_384, 2_000],
    epochs: 4,
  },
  smoke: {
    records: ['post1-main-thread'],
    factors: [1, 4],
    data: some,
    images: [512, 256],
    epochs: 1,
  },
};

/**
 * The runs of post 2's study of why high learning rates stop helping: the network of that post at several rates, on all or
 * half of the images, augmented or as they are.
 *
 * They distinguish two limits. If the curvature of the loss surface limits the rate, the number of images does not matter. If
 * later batches overwrite what earlier ones have taught, half the images tolerate twice the rate. `full` scale has both batch
 * sizes, six rates and four kinds of data; `pocket` scale has batch 128 only, four rates, three kinds, 16,384 images and four
 * epochs. At rates too high for so short a warm-up the loss may become NaN or infinite; such a run ends there.
 */
export function forgetfulness(scale: Scale): readonly ForgetfulnessTrial[] {
  const { records, factors, data, images, epochs } = grids[scale];
  return records.flatMap((name) => {
    const record = findExperiment(name);
    const { batchSize } = record.data;
    const own = Math.max(...record.optim.lr.vals);
    const sized = scaled(record, scale);
    return factors.flatMap((factor) =>
      data.map((kind): ForgetfulnessTrial => {
        const rate = own * factor;
        const [count, valid] = images;
        const train = kind.startsWith('half') ? count / 2 : count;
        const isPlain = kind.endsWith('as they are');
        const changes: readonly (readonly [path: string, value: unknown])[] = [
          ['optim.lr', rate],
          ['data.subset', { train, valid }],
          ...(isPlain ? [['data.transforms', []] as const] : []),
          ...(epochs === undefined ? [] : [['run.epochs', epochs] as const]),
          ['run.mayDiverge', true],
        ];
        const changed = changes.reduce(
          (before, [path, value]) => overridden(before, path, value),
          sized,
        );
        const slug = kind.replace(', augmented', '-augmented').replace(', as they are', '-plain');
        return {
          batchSize,
          rate,
          data: kind,
          experiment: {
            ...changed,
            name: `post2-forgetfulness-${batchSize}-x${factor}-${slug}`,
            title: `batch ${batchSize}, highest rate ${Number(rate.toPrecision(3))}, ${kind}`,
          },
        };
      }),
    );
  });
}
