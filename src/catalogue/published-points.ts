import type { Experiment, Published } from './experiment';
import { airbench, fulcrum, hiverge } from './speedrun';

/** A published accuracy and its number of operations: one recipe, many runs. */
export interface PublishedPoint extends Pick<Published, 'runs' | 'timeSec' | 'hardware'> {
  readonly recipe: string;
  readonly accPercent: number;
  /** Floating-point operations of a run, in units of 10^15. */
  readonly pflop: number;
  /** The source of the figures, and who counted the operations. */
  readonly source: string;
}

const hardware = 'A100';

/** Operations of a run, by our count, and those that the script executes: outputs that pooling drops and taps on padding, too. */
interface Counts {
  readonly pflop: number;
  readonly executed: number;
}

const counted = ({ executed }: Counts): string =>
  `operations by our count; the script executes ${executed} PFLOP, with outputs that pooling drops and taps on padding`;

/** The published figures of a recipe in the catalogue, with the operations that we count for it. */
function ofCatalogue(
  { name, published }: Experiment,
  counts: Counts,
  remark?: string,
): PublishedPoint {
  const { accPercent = NaN, timeSec, runs, hardware, note } = published as Published;
  return {
    recipe: name,
    accPercent,
    pflop: counts.pflop,
    ...(runs === undefined ? {} : { runs }),
    ...(timeSec === undefined ? {} : { timeSec }),
    hardware,
    source: [note, remark, counted(counts)].filter(Boolean).join('; '),
  };
}

/** hiverge's recipe at other lengths, as measured by fulcrum at full resolution. */
const lengths: readonly (readonly [epochs: number, accPercent: number])[] = [
  [7, 93.883],
  [7.5, 93.976],
  [7.69, 94.023],
  [7.75, 94.042],
  [7.875, 94.076],
  [8.125, 94.124],
];

/** Operations of hiverge's recipe at its original length. */
const hivergeCounts: Counts = { pflop: 0.206, executed: 0.254 };

/** Accuracies and operations published after the study. */
export const publishedPoints: readonly PublishedPoint[] = [
  {
    recipe: 'airbench94',
    accPercent: 94.01,
    pflop: 0.36,
    runs: 1000,
    timeSec: 3.83,
    hardware,
    source: 'Jordan, arXiv:2404.00498 (2024); its own count',
  },
  ofCatalogue(airbench, { pflop: 0.23, executed: 0.272 }, '0.29 PFLOP by its own count'),
  ofCatalogue(hiverge, hivergeCounts),
  ...lengths.map(([epochs, accPercent]) => ({
    recipe: `hiverge, ${epochs} epochs`,
    accPercent,
    pflop: (hivergeCounts.pflop * epochs) / hiverge.run.epochs,
    runs: 200,
    hardware,
    source:
      'fulcrumresearch/cifar-10-speedrun (2026); operations by our count, in proportion to the epochs',
  })),
  ofCatalogue(fulcrum, { pflop: 0.18, executed: 0.224 }, 'seconds without test-time augmentation'),
  {
    recipe: 'airbench95',
    accPercent: 95.01,
    pflop: 1.4,
    timeSec: 10.4,
    hardware,
    source: 'KellerJordan/cifar10-airbench (2024); its own count',
  },
  {
    recipe: 'airbench96, filtered',
    accPercent: 96,
    pflop: 3.1,
    timeSec: 27.3,
    hardware,
    source: 'KellerJordan/cifar10-airbench (2024); its own count',
  },
];
