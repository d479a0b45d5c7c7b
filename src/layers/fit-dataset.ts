import { CustomCallback } from '@tensorflow/tfjs-layers';
import type { History } from '@tensorflow/tfjs-layers';
import type { BaseCallback } from '@tensorflow/tfjs-layers/dist/base_callbacks';
import { TrainError } from '../base/errors';
import { peekDataset, readBatch, sizeOfBatch, takeBatch } from './batch-dataset';
import type { BatchDataset, BatchIterator, PeekedDataset } from './batch-dataset';
import type { GivenClassWeights } from './class-weights';
import { evaluateRows, evaluationRows, prepareRows } from './evaluate';
import { createMeans, keepingProgress, logsOf, openCallbacks, pullWeights } from './fit-loop';
import type { Callbacks, Logs } from './fit-loop';
import type { ModelInternals } from './internals';
import type { ModelData } from './model-data';
import type { ModelSession } from './model-session';
import { counted } from '../text/counted';

/** The arguments of `tf.LayersModel.fitDataset`. */
export interface FitDatasetArgs {
  readonly epochs: number;
  readonly batchesPerEpoch?: number | undefined;
  readonly initialEpoch?: number | undefined;
  readonly verbose?: number | undefined;
  readonly callbacks?: unknown;
  readonly yieldEvery?: unknown;
  readonly classWeight?: GivenClassWeights | undefined;
  /** Batches, or inputs and targets. */
  readonly validationData?: BatchDataset | readonly [x: ModelData, y: ModelData] | undefined;
  /** Number of batches to validate on, if `validationData` is a data set. Default: all. */
  readonly validationBatches?: number | undefined;
  /** Batch size, if `validationData` is inputs and targets. Default: 32, as in TF.js. */
  readonly validationBatchSize?: number | undefined;
}

/** Averages of losses and metrics over a data set, in the order of `evaluate`. */
export type Validate = () => Promise<number[]>;

/** Callbacks as `fit` and `fitDataset` take them: TF.js callbacks or objects of functions, one or a list. */
export function toCallbacks(given: unknown, yieldEvery: unknown): BaseCallback[] {
  const list = (Array.isArray(given) ? given : [given ?? {}]) as unknown[];
  return list.map((callback) =>
    typeof (callback as BaseCallback).setModel === 'function'
      ? (callback as BaseCallback)
      : new CustomCallback(callback as never, yieldEvery as never),
  );
}

/**
 * The loop of `LayersModel.fitDataset`, with the same order of batches, validation and callbacks. If it fails, the model and
 * its optimiser hold what was trained so far.
 */
export async function fitDataset(
  model: ModelInternals,
  session: ModelSession,
  dataset: BatchDataset,
  options: FitDatasetArgs,
  validate: Validate | undefined,
): Promise<History> {
  const { epochs, batchesPerEpoch, initialEpoch = 0, verbose = 1 } = options;
  const labels = model.getDedupedMetricsNames();
  const { list, history } = openCallbacks(
    model,
    session,
    toCallbacks(options.callbacks, options.yieldEvery),
    {
      epochs,
      initialEpoch: null,
      samples: null,
      steps: batchesPerEpoch ?? (Number.isFinite(dataset.size) ? dataset.size : null),
      batchSize: null,
      verbose,
      doValidation: validate !== undefined,
      metrics:
        validate === undefined ? labels : [...labels, ...labels.map((name) => `val_${name}`)],
    },
  );
  await keepingProgress(session, async () => {
    await list.onTrainBegin();
    model.stopTraining = false;
    const run = { model, session, list, labels, options };
    let iterator = await dataset.iterator();
    for (let epoch = initialEpoch; epoch < epochs; epoch++) {
      await list.onEpochBegin(epoch);
      if (batchesPerEpoch === undefined && epoch > initialEpoch) {
        iterator = await dataset.iterator();
      }
      const { means, isComplete } = await trainEpoch(run, iterator);
      const results = isComplete && validate !== undefined ? await validate() : [];
      const validated = results.map((result, index) => [
        `val_${model.metricsNames[index]}`,
        result,
      ]);
      const logs: Logs = { ...Object.fromEntries(validated), ...means };
      await pullWeights(session);
      await list.onEpochEnd(epoch, logs);
      if (model.stopTraining) break;
    }
    await session.pullOptimiser();
    await list.onTrainEnd();
  });
  return history;
}

/** What {@link trainEpoch} needs. */
interface DatasetRun {
  readonly model: ModelInternals;
  readonly session: ModelSession;
  readonly list: Callbacks;
  readonly labels: readonly string[];
  readonly options: FitDatasetArgs;
}

/**
 * Trains on the batches of an epoch. It is complete after `batchesPerEpoch` batches, or at the end of the data set if that
 * is not given; TF.js validates only then.
 */
async function trainEpoch(
  { model, session, list, labels, options }: DatasetRun,
  iterator: BatchIterator,
): Promise<{ readonly means: Logs; readonly isComplete: boolean }> {
  const { batchesPerEpoch, classWeight } = options;
  const means = createMeans(labels);
  let batch = 0;
  let isEnded = false;
  while (batch !== batchesPerEpoch) {
    const { done, value } = await iterator.next();
    if (done) {
      if (batchesPerEpoch !== undefined) warnTooFew(batch, options);
      isEnded = true;
      break;
    }
    const data = await takeBatch(model, value, classWeight);
    const size = sizeOfBatch(data);
    const logs: Logs = { batch, size };
    await list.onBatchBegin(batch, logs);
    const figures = await session.train(data);
    means.add(figures, size);
    Object.assign(logs, logsOf(labels, figures));
    await list.onBatchEnd(batch, logs);
    batch += 1;
    if (model.stopTraining) break;
  }
  const isComplete = batchesPerEpoch === undefined ? isEnded : batch === batchesPerEpoch;
  return { means: means.means(), isComplete };
}

/** Losses and metrics of a data set of batches, averaged over its examples. */
export async function evaluateDataset(
  model: ModelInternals,
  session: ModelSession,
  dataset: BatchDataset,
  batches: number | undefined,
): Promise<number[]> {
  const iterator = await dataset.iterator();
  const totals: number[] = [];
  let seen = 0;
  for (let batch = 0; batch !== batches; batch++) {
    const { done, value } = await iterator.next();
    if (done) {
      if (batches !== undefined) {
        console.warn(`evaluateDataset: the data set ended after ${batch} of ${batches} batches.`);
      }
      break;
    }
    const data = await takeBatch(model, value, undefined);
    const size = sizeOfBatch(data);
    const figures = await session.test(data);
    for (const [index, figure] of figures.entries()) {
      totals[index] = (totals[index] ?? 0) + figure * size;
    }
    seen += size;
  }
  return totals.map((total) => total / seen);
}

/** @throws TrainError for a number of epochs or batches that is not a positive integer, or a validationSplit */
export function checkFitDataset(args: FitDatasetArgs): void {
  const { epochs, batchesPerEpoch = 1, validationBatches = 1 } = args;
  const { validationSplit } = args as { readonly validationSplit?: number };
  if (validationSplit !== undefined) {
    throw new TrainError('fitDataset: validationSplit is only for fit. Pass validationData.');
  }
  for (const [name, value] of Object.entries({ epochs, batchesPerEpoch, validationBatches })) {
    checkCount('fitDataset', name, value);
  }
}

/** @throws TrainError if `value` is not a positive integer */
export function checkCount(method: string, name: string, value: unknown): void {
  if (Number.isInteger(value) && Number(value) > 0) return;
  throw new TrainError(`${method}: ${name} must be a positive integer; got ${String(value)}.`);
}

function warnTooFew(batch: number, { batchesPerEpoch = 0, epochs }: FitDatasetArgs): void {
  console.warn(
    `fitDataset: the data set ended after ${batch} of ${batchesPerEpoch} batches of an epoch. It needs ` +
      `${batchesPerEpoch * epochs} batches for ${counted(epochs, 'epoch')}; repeat() makes it long enough.`,
  );
}

/** The data sets of `fitDataset`, of each of which the first batch has been read. */
export interface DatasetsAhead {
  readonly training: PeekedDataset;
  /** Undefined unless validation takes a data set. */
  readonly validation: PeekedDataset | undefined;
}

/** Reads the first batches of the data sets of `fitDataset`. */
export async function readAhead(
  dataset: BatchDataset,
  { batchesPerEpoch, validationData }: FitDatasetArgs,
): Promise<DatasetsAhead> {
  // TF.js opens an iterator that it does not use; a data set that shuffles draws another order each time.
  if (batchesPerEpoch === undefined) await dataset.iterator();
  const training = await peekDataset(dataset);
  try {
    const validation = isDataset(validationData) ? await peekDataset(validationData) : undefined;
    return { training, validation };
  } catch (error) {
    training.dispose();
    throw error;
  }
}

/**
 * Records the steps for the first batches, so that a model that cannot be recorded fails before training starts. Returns
 * the validation: on tensors or on another data set.
 */
export async function prepareDatasets(
  model: ModelInternals,
  session: ModelSession,
  { training, validation }: DatasetsAhead,
  args: FitDatasetArgs,
): Promise<Validate | undefined> {
  const { classWeight, validationBatches, validationBatchSize: batchSize = 32 } = args;
  if (training.first !== undefined) {
    session.prepareTraining(await readBatch(model, training.first, classWeight));
  }
  if (validation !== undefined) {
    await prepareTest(model, session, validation);
    return () => evaluateDataset(model, session, validation.dataset, validationBatches);
  }
  const { validationData } = args;
  if (validationData === undefined) return undefined;
  const parts = validationData as readonly ModelData[];
  if (parts.length !== 2) {
    throw new TrainError(
      `accelerate: validationData must be a data set or [xs, ys]; got a list of ${parts.length}.`,
    );
  }
  const [rows, size] = evaluationRows(model, parts[0], parts[1], { batchSize });
  prepareRows(session, rows, size);
  return () => evaluateRows(session, rows, size);
}

/** Records the evaluation of the first batch of a data set. */
export async function prepareTest(
  model: ModelInternals,
  session: ModelSession,
  { first }: PeekedDataset,
): Promise<void> {
  if (first === undefined) return;
  session.prepareTest(await readBatch(model, first, undefined));
}

function isDataset(given: FitDatasetArgs['validationData']): given is BatchDataset {
  return given !== undefined && 'iterator' in given;
}
