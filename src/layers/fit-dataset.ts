import * as tf from '@tensorflow/tfjs-core';
import { CustomCallback } from '@tensorflow/tfjs-layers';
import type { History } from '@tensorflow/tfjs-layers';
import type { BaseCallback } from '@tensorflow/tfjs-layers/dist/base_callbacks';
import { TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { classWeightsFor } from './class-weights';
import type { GivenClassWeights } from './class-weights';
import { evaluateRows, evaluationRows } from './evaluate';
import { createMeans, logsOf, openCallbacks } from './fit-loop';
import type { Logs } from './fit-loop';
import type { ModelInternals } from './internals';
import type { ModelData } from './model-data';
import type { BatchData, ModelSession } from './model-session';
import { rowsOf } from './rows';

/** The part of a `tf.data` iterator that is used. */
export interface BatchIterator {
  /** The next batch; `done` after the last one. */
  next(): Promise<{ readonly done: boolean; readonly value: unknown }>;
}

/** The part of a `tf.data.Dataset` that is used: batches of `{ xs, ys }`. */
export interface BatchDataset {
  /** An iterator over the batches, from the first. */
  iterator(): Promise<BatchIterator>;
  readonly size?: number | null;
}

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

/** The loop of `LayersModel.fitDataset`, with the same order of batches, validation and callbacks. */
export async function fitDataset(
  model: ModelInternals,
  session: ModelSession,
  dataset: BatchDataset,
  options: FitDatasetArgs,
  validate: Validate | undefined,
): Promise<History> {
  const { epochs, batchesPerEpoch, initialEpoch = 0, verbose = 1, classWeight } = options;
  checkCount('epochs', epochs);
  if (batchesPerEpoch !== undefined) checkCount('batchesPerEpoch', batchesPerEpoch);
  const labels = model.getDedupedMetricsNames();
  const { list, history } = openCallbacks(
    model,
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
  await list.onTrainBegin();
  model.stopTraining = false;
  let iterator = await dataset.iterator();
  for (let epoch = initialEpoch; epoch < epochs; epoch++) {
    const epochLogs: Logs = {};
    const means = createMeans(labels);
    await list.onEpochBegin(epoch);
    if (batchesPerEpoch === undefined && epoch > initialEpoch) iterator = await dataset.iterator();
    for (let batch = 0; batch < (batchesPerEpoch ?? Infinity); batch++) {
      const { done, value } = await iterator.next();
      if (done) {
        if (batchesPerEpoch !== undefined) warnTooFew(batch, options);
        break;
      }
      const data = await readBatch(model, value, classWeight);
      const size = (data[0] as HostTensor).shape[0];
      const logs: Logs = { batch, size };
      await list.onBatchBegin(batch, logs);
      const figures = await session.train(data);
      means.add(figures, size);
      Object.assign(logs, logsOf(labels, figures));
      await list.onBatchEnd(batch, logs);
      if (model.stopTraining) break;
    }
    if (validate !== undefined && !model.stopTraining) {
      const results = await validate();
      for (const [index, name] of model.metricsNames.entries()) {
        epochLogs[`val_${name}`] = results[index];
      }
    }
    Object.assign(epochLogs, means.means());
    await session.pullWeights();
    await list.onEpochEnd(epoch, epochLogs);
    session.push();
    if (model.stopTraining) break;
  }
  await session.pullOptimiser();
  await list.onTrainEnd();
  return history;
}

/** Losses and metrics of a data set of batches, averaged over its examples. */
export async function evaluateDataset(
  model: ModelInternals,
  session: ModelSession,
  dataset: BatchDataset,
  batches: number | undefined,
): Promise<number[]> {
  const iterator =
    'next' in dataset ? (dataset as unknown as BatchIterator) : await dataset.iterator();
  const totals: number[] = [];
  let seen = 0;
  for (let batch = 0; batch < (batches ?? Infinity); batch++) {
    const { done, value } = await iterator.next();
    if (done) {
      if (batches !== undefined) {
        console.warn(`evaluateDataset: the data set ended after ${batch} of ${batches} batches.`);
      }
      break;
    }
    const data = (await readBatch(model, value, undefined)) as HostTensor[];
    const size = data[0].shape[0];
    const figures = await session.test(data);
    for (const [index, figure] of figures.entries()) {
      totals[index] = (totals[index] ?? 0) + figure * size;
    }
    seen += size;
  }
  return totals.map((total) => total / seen);
}

/** Reads a batch to the host: inputs, targets, class weights. Disposes the tensors of the data set. */
async function readBatch(
  model: ModelInternals,
  value: unknown,
  classWeight: FitDatasetArgs['classWeight'],
): Promise<BatchData> {
  const { xs, ys } = (value ?? {}) as { readonly xs?: ModelData; readonly ys?: ModelData };
  if (xs === undefined || ys === undefined) {
    throw new TrainError(
      'fitDataset: the data set yields elements without xs or ys. Give { xs, ys } of a batch of tensors each, and call ' +
        'batch() on a data set of single examples.',
    );
  }
  const inputs = flat('input', model.inputNames, xs);
  const targets = flat('output', model.outputNames, ys);
  const size = inputs[0].shape[0];
  for (const [index, tensor] of [...inputs, ...targets].entries()) {
    if (tensor.shape[0] === size) continue;
    const name = [...model.inputNames, ...model.outputNames][index];
    throw new TrainError(
      `fitDataset: a batch has ${tensor.shape[0]} examples for "${name}" and ${size} for "${model.inputNames[0]}". ` +
        'Give the same number for each.',
    );
  }
  const weights = await classWeightsFor(classWeight, model.outputNames, targets);
  const data = [...inputs, ...targets].map((tensor) => rowsOf(tensor).slice(0, size));
  tf.dispose([...inputs, ...targets]);
  return [...data, ...weights];
}

function flat(what: string, names: readonly string[], part: ModelData): readonly tf.Tensor[] {
  const list =
    part instanceof tf.Tensor
      ? [part]
      : Array.isArray(part)
        ? part
        : names.map((name) => part[name]);
  const missing = names.find((_, index) => list[index] === undefined);
  if (missing !== undefined || list.length !== names.length) {
    throw new TrainError(
      `fitDataset: the data set gives ${list.filter((tensor) => tensor !== undefined).length} ${what} tensors; the model ` +
        `has the ${what}s ${names.map((name) => `"${name}"`).join(', ')}. Give one for each.`,
    );
  }
  return list;
}

function checkCount(name: string, value: unknown): void {
  if (Number.isInteger(value) && Number(value) > 0) return;
  throw new TrainError(`fitDataset: ${name} must be a positive integer; got ${String(value)}.`);
}

function warnTooFew(batch: number, { batchesPerEpoch = 0, epochs }: FitDatasetArgs): void {
  console.warn(
    `fitDataset: the data set ended after ${batch} of ${batchesPerEpoch} batches of an epoch. It needs ` +
      `${batchesPerEpoch * epochs} batches for ${epochs} epochs; repeat() makes it long enough.`,
  );
}

/** Validation of `fitDataset`: on tensors or on another data set. */
export function validationOf(
  model: ModelInternals,
  session: ModelSession,
  args: FitDatasetArgs,
): (() => Promise<number[]>) | undefined {
  const { validationData: data, validationBatches, validationBatchSize: batchSize = 32 } = args;
  if (data === undefined) return undefined;
  if ('iterator' in data) return () => evaluateDataset(model, session, data, validationBatches);
  const { length }: { readonly length: number } = data;
  if (length !== 2) {
    throw new TrainError(
      `accelerate: validationData must be a data set or [xs, ys]; got a list of ${length}.`,
    );
  }
  const [rows, size] = evaluationRows(model, data[0], data[1], {
    batchSize,
  });
  return () => evaluateRows(session, rows, size);
}
