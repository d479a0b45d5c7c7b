import { stepTimes } from '../analysis/step-times';
import type { StepPart, StepTimes, StepTimesOptions } from '../analysis/step-times';
import { fastestPrecision, readHardware } from '../engine/hardware';
import { loadTensorflow } from '../engine/tensorflow';
import type { Experiment } from '../catalogue/experiment';
import { lossOf, networkOf } from '../catalogue/network';

/** The time of a part of the step per epoch, for charts. */
export type ProfileRow = {
  readonly batchSize: number;
  /** A part of the step, or the extra time of batch norm in the study's library at first. */
  readonly part: StepPart | 'slow batch norm';
  /** Seconds for 50,000 images. */
  readonly epochSec: number;
};

/** The extra time of batch norm computed in 16 bits, as the study's library did at first. */
const slowNorm = 'slow batch norm';

const imagesPerEpoch = 50_000;

/**
 * Times the training step of an experiment at some batch sizes, removing one part after another; see {@link stepTimes}.
 *
 * Runs in the fastest precision of this hardware, unless `engine` sets one. Each batch size takes about 20 steps.
 *
 * @param onBatch called before each batch size is measured
 * @returns the results of {@link stepTimes}, and the same as seconds per epoch
 * @throws TrainError, AugmentError, InterruptedError as `stepTimes` does
 */
export async function profileExperiment(
  record: Experiment,
  batchSizes: readonly number[],
  {
    engine,
    onBatch,
    ...options
  }: Omit<StepTimesOptions, 'batchSize' | 'transforms' | 'pad'> & {
    readonly onBatch?: (batchSize: number) => void;
  } = {},
): Promise<{ readonly times: readonly StepTimes[]; readonly rows: readonly ProfileRow[] }> {
  const { gpu } = loadTensorflow(engine);
  const precision = engine?.precision ?? fastestPrecision(readHardware(), gpu);
  const { transforms, pad } = record.data;
  const model = { graph: networkOf(record), loss: lossOf(record) };
  const times: StepTimes[] = [];
  for (const batchSize of batchSizes) {
    onBatch?.(batchSize);
    const how = { ...options, batchSize, transforms, pad, engine: { ...engine, precision } };
    times.push(await stepTimes(model, record.optim, how));
  }
  return { times, rows: times.flatMap(epochRows) };
}

function epochRows({ batchSize, parts }: StepTimes): ProfileRow[] {
  const named = Object.entries(parts) as [StepPart, number][];
  return named
    .toReversed()
    .map(([part, sec]) => ({ batchSize, part, epochSec: (sec * imagesPerEpoch) / batchSize }));
}

function published(
  batchSize: number,
  [convolutions, slow, fast, relu, optimiser, data]: readonly number[],
): ProfileRow[] {
  const parts: (readonly [ProfileRow['part'], number])[] = [
    ['convolutions', convolutions],
    ['batch norm', fast],
    ['relu', relu],
    ['optimiser', optimiser],
    ['data', data],
    [slowNorm, Number((slow - fast).toFixed(2))],
  ];
  return parts.map(([part, epochSec]) => ({ batchSize, part, epochSec }));
}

/**
 * The timing profile of post 3: the 18-layer network on one V100, by batch size.
 *
 * @see Page, How to Train Your ResNet 3: Regularisation (2018)
 */
export const publishedProfile: readonly ProfileRow[] = [
  ...published(128, [5.05, 2.42, 1.1, 0.4, 0.27, 0.14]),
  ...published(256, [4.37, 2.46, 0.89, 0.38, 0.13, 0.13]),
  ...published(512, [4.02, 2.55, 0.7, 0.36, 0.07, 0.14]),
  ...published(1024, [3.76, 2.61, 0.62, 0.35, 0.04, 0.15]),
];
