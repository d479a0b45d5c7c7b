/** A published point of accuracy against arithmetic: one recipe, many runs. */
export interface PublishedPoint {
  readonly recipe: string;
  readonly accPercent: number;
  /** 10^15 floating-point operations of a run. */
  readonly pflop: number;
  /** Runs behind the mean; absent where the source does not say. */
  readonly runs?: number;
  /** Seconds; absent where the source gives none. */
  readonly timeSec?: number;
  readonly hardware: string;
  /** Where the figures stand, and who counted the operations. */
  readonly source: string;
}

const a100 = 'one A100';
const ours =
  'operations by our count, with outputs that a pooling drops and taps on padding, as the script computes them';

/** hiverge's recipe at other lengths, as fulcrum measured it at full resolution. */
const lengths: readonly (readonly [epochs: number, accPercent: number])[] = [
  [7, 93.883],
  [7.5, 93.976],
  [7.69, 94.023],
  [7.75, 94.042],
  [7.875, 94.076],
  [8.125, 94.124],
];

/** Operations of hiverge's recipe in its own 7.59 epochs, by our count. */
const hivergePflop = 0.254;

/** What was published about accuracy and arithmetic after the study. */
export const publishedPoints: readonly PublishedPoint[] = [
  {
    recipe: 'airbench94',
    accPercent: 94.01,
    pflop: 0.36,
    runs: 1000,
    timeSec: 3.83,
    hardware: a100,
    source: 'Jordan, arXiv:2404.00498 (2024); its own count',
  },
  {
    recipe: 'airbench94-muon',
    accPercent: 94.01,
    pflop: 0.272,
    runs: 200,
    timeSec: 2.59,
    hardware: a100,
    source: `KellerJordan/cifar10-airbench (2024), 0.29 PFLOP by its own count; ${ours}`,
  },
  {
    recipe: 'hiverge',
    accPercent: 94.008,
    pflop: hivergePflop,
    runs: 2000,
    timeSec: 1.98,
    hardware: a100,
    source: `hiverge/cifar10-speedrun at 5cd49b1 (2025); ${ours}`,
  },
  ...lengths.map(([epochs, accPercent]) => ({
    recipe: `hiverge, ${epochs} epochs`,
    accPercent,
    pflop: (hivergePflop * epochs) / 7.59,
    runs: 200,
    hardware: a100,
    source: `fulcrumresearch/cifar-10-speedrun (2026), in proportion to the epochs; ${ours}`,
  })),
  {
    recipe: 'fulcrum',
    accPercent: 94.046,
    pflop: 0.224,
    runs: 200,
    timeSec: 1.828,
    hardware: a100,
    source: `fulcrumresearch/cifar-10-speedrun at ddec65f (2026), test images 2,000 to 9,999; seconds without test-time augmentation; ${ours}`,
  },
  {
    recipe: 'airbench95',
    accPercent: 95.01,
    pflop: 1.4,
    timeSec: 10.4,
    hardware: a100,
    source: 'KellerJordan/cifar10-airbench (2024); its own count',
  },
  {
    recipe: 'airbench96, filtered',
    accPercent: 96,
    pflop: 3.1,
    timeSec: 27.3,
    hardware: a100,
    source: 'KellerJordan/cifar10-airbench (2024); its own count',
  },
];
