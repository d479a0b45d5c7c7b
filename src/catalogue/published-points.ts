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
const ours =
  'operations by our count, with outputs that a pooling drops and taps on padding, as the script computes them';

/** The published figures of a recipe in the catalogue, with the operations that its script executes. */
function ofCatalogue({ name, published }: Experiment, pflop: number, count = ours): PublishedPoint {
  const { accPercent = NaN, timeSec, runs, hardware, note } = published as Published;
  return {
    recipe: name,
    accPercent,
    pflop,
    ...(runs === undefined ? {} : { runs }),
    ...(timeSec === undefined ? {} : { timeSec }),
    hardware,
    source: `${note}; ${count}`,
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

/** Operations of hiverge's recipe at its original length, by our count. */
const hivergePflop = 0.254;

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
  ofCatalogue(airbench, 0.272, `0.29 PFLOP by its own count; ${ours}`),
  ofCatalogue(hiverge, hivergePflop),
  ...lengths.map(([epochs, accPercent]) => ({
    recipe: `hiverge, ${epochs} epochs`,
    accPercent,
    pflop: (hivergePflop * epochs) / hiverge.run.epochs,
    runs: 200,
    hardware,
    source: `fulcrumresearch/cifar-10-speedrun (2026), in proportion to the epochs; ${ours}`,
  })),
  ofCatalogue(fulcrum, 0.224, `seconds without test-time augmentation; ${ours}`),
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
