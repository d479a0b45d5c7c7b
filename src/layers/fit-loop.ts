import { util } from '@tensorflow/tfjs-core';
import type * as tf from '@tensorflow/tfjs-core';
import { CallbackList, History } from '@tensorflow/tfjs-layers';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { BaseCallback } from '@tensorflow/tfjs-layers/dist/base_callbacks';
import { TrainError } from '../base/errors';
import { createProgressBar } from '../engine/progress-bar';
import { evaluateRows, prepareRows } from './evaluate';
import type { FitLoop, ModelInternals } from './internals';
import type { BatchData, ModelSession } from './model-session';
import { batchBounds, rowsOf, rowsOrNull } from './rows';
import type { Rows } from './rows';
import { withSampleWeights } from './sample-weights';

/** Numbers by name, as callbacks receive them. */
export type Logs = Record<string, number>;

/** The callbacks of a training run, called like one. */
export type Callbacks = Pick<
  CallbackList,
  'onTrainBegin' | 'onTrainEnd' | 'onEpochBegin' | 'onEpochEnd' | 'onBatchBegin' | 'onBatchEnd'
>;

/**
 * The callbacks of a training run, ordered as in TF.js: progress bar, the user's, history. Each may assign weights, which
 * training then continues with.
 */
export function openCallbacks(
  model: ModelInternals,
  session: ModelSession,
  callbacks: readonly BaseCallback[],
  params: Record<string, unknown>,
): { readonly list: Callbacks; readonly history: History } {
  const history = new History();
  const bar = Number(params['verbose']) >= 1 ? [createProgressBar()] : [];
  const list = new CallbackList([...bar, ...callbacks, history] as never);
  list.setParams(params as never);
  // TF.js's callbacks check that they get a tf.LayersModel.
  list.setModel(model as unknown as LayersModel);
  model.history = history;
  const pushing = async (called: Promise<void>): Promise<void> => {
    await called;
    session.push();
  };
  return {
    list: {
      onTrainBegin: (logs) => pushing(list.onTrainBegin(logs)),
      onTrainEnd: (logs) => pushing(list.onTrainEnd(logs)),
      onEpochBegin: (epoch, logs) => pushing(list.onEpochBegin(epoch, logs)),
      onEpochEnd: (epoch, logs) => pushing(list.onEpochEnd(epoch, logs)),
      onBatchBegin: (batch, logs) => pushing(list.onBatchBegin(batch, logs)),
      onBatchEnd: (batch, logs) => pushing(list.onBatchEnd(batch, logs)),
    },
    history,
  };
}

/** Copies the trained weights to the model, except for weights that were assigned since: these are trained further. */
export async function pullWeights(session: ModelSession): Promise<void> {
  session.push();
  await session.pullWeights();
}

/** Runs a training loop. If it fails, for example in a callback, the model keeps what was trained so far. */
export async function keepingProgress(
  session: ModelSession,
  loop: () => Promise<void>,
): Promise<void> {
  try {
    await loop();
  } catch (error) {
    await pullWeights(session);
    await session.pullOptimiser();
    throw error;
  }
}

/** Means of the figures of batches, each batch weighted by its number of examples. */
export function createMeans(labels: readonly string[]): {
  add(figures: ArrayLike<number>, examples: number): void;
  /** By label; empty before the first batch. */
  means(): Logs;
} {
  const totals = labels.map(() => 0);
  let seen = 0;
  return {
    add(figures, examples) {
      seen += examples;
      for (const index of labels.keys()) totals[index] += figures[index] * examples;
    },
    means: () =>
      seen === 0
        ? {}
        : Object.fromEntries(labels.map((label, index) => [label, totals[index] / seen])),
  };
}

/** The figures of a batch by label; duplicate labels share one entry. */
export function logsOf(labels: readonly string[], figures: ArrayLike<number>): Logs {
  return Object.fromEntries(labels.map((label, index) => [label, figures[index]]));
}

/**
 * The loop of `LayersModel.fit`: epochs, shuffled batches, validation after the last batch, callbacks in the same order.
 * Shuffling draws its random numbers in the same order too.
 *
 * @param sampleWeights one per output, or null; multiplied by the class weights
 * @param started called when everything is recorded, before the first callback
 */
export function createFitLoop(
  model: ModelInternals,
  session: ModelSession,
  sampleWeights: readonly (tf.Tensor | null)[],
  started: () => void,
): FitLoop {
  return async (
    _train,
    ins,
    labels,
    batchSize,
    epochs = 1,
    verbose = 1,
    callbacks,
    test,
    validationIns,
    shuffle = true,
    metrics,
    initialEpoch = 0,
  ) => {
    if (shuffle === 'batch') {
      throw new TrainError(
        'accelerate: shuffle "batch" does not exist in TF.js. Use true or false.',
      );
    }
    const rows = withSampleWeights(ins.map(rowsOrNull), model, sampleWeights);
    const validation = test === null ? undefined : validationIns?.map(rowsOf);
    const { count } = rows[0] as Rows;
    const bounds = batchBounds(count, batchSize);
    prepareSteps(session, { rows, bounds, validation, batchSize });
    const { list, history } = openCallbacks(model, session, callbacks, {
      epochs,
      initialEpoch,
      samples: count,
      steps: null,
      batchSize,
      verbose,
      doValidation: validation !== undefined,
      metrics,
    });
    started();
    await keepingProgress(session, async () => {
      await list.onTrainBegin();
      model.stopTraining = false;
      const indices = Array.from({ length: count }, (_, index) => index);
      const run = { model, session, list, labels, rows, bounds, indices, validation, batchSize };
      for (let epoch = initialEpoch; epoch < epochs && !model.stopTraining; epoch++) {
        await list.onEpochBegin(epoch);
        if (shuffle) util.shuffle(indices);
        const logs = await runEpoch(run);
        await pullWeights(session);
        await list.onEpochEnd(epoch, logs);
      }
      await session.pullOptimiser();
      await list.onTrainEnd();
    });
    return history;
  };
}

/** The examples of a training run, in batches. */
interface Batches {
  readonly rows: readonly (Rows | null)[];
  readonly bounds: readonly (readonly [start: number, end: number])[];
  readonly validation: readonly Rows[] | undefined;
  readonly batchSize: number;
}

/** Records the steps for all batch shapes, so that a model that cannot be recorded fails before training starts. */
function prepareSteps(
  session: ModelSession,
  { rows, bounds, validation, batchSize }: Batches,
): void {
  for (const size of new Set(bounds.map(([start, end]) => end - start))) {
    session.prepareTraining(rows.map((part) => part && part.slice(0, size)));
  }
  if (validation !== undefined) prepareRows(session, validation, batchSize);
}

/** What {@link runEpoch} needs. */
interface EpochRun extends Batches {
  readonly model: ModelInternals;
  readonly session: ModelSession;
  readonly list: Callbacks;
  readonly labels: readonly string[];
  /** The order of the examples. */
  readonly indices: readonly number[];
}

/** Trains on every batch and validates after the last one. Returns the logs of the epoch. */
async function runEpoch(run: EpochRun): Promise<Logs> {
  const { model, session, list, labels, rows, bounds, indices, validation, batchSize } = run;
  const logs: Logs = {};
  const means = createMeans(labels);
  const pick = ([start, end]: readonly [number, number]): BatchData => {
    const picked = indices.slice(start, end);
    return rows.map((part) => part && part.gather(picked));
  };
  let next = bounds.length === 0 ? [] : pick(bounds[0]);
  for (const [batch, [start, end]] of bounds.entries()) {
    const batchLogs: Logs = {};
    await list.onBatchBegin(batch, batchLogs);
    const running = session.train(next);
    // Gathers the next batch while this one is computed: the inputs of this one have already been copied.
    if (batch + 1 < bounds.length) next = pick(bounds[batch + 1]);
    const figures = await running;
    means.add(figures, end - start);
    Object.assign(batchLogs, { batch, size: end - start }, logsOf(labels, figures));
    if (batch === bounds.length - 1 && validation !== undefined) {
      const results = await evaluateRows(session, validation, batchSize);
      for (const [index, label] of labels.entries()) logs[`val_${label}`] = results[index];
    }
    await list.onBatchEnd(batch, batchLogs);
    if (model.stopTraining) break;
  }
  return Object.assign(logs, means.means());
}
