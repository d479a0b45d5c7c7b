import * as tf from '@tensorflow/tfjs-core';
import { TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { classWeightsFor } from './class-weights';
import type { GivenClassWeights } from './class-weights';
import type { ModelInternals } from './internals';
import type { ModelData } from './model-data';
import type { BatchData } from './model-session';
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

/** A data set whose first batch has been read ahead. */
export interface PeekedDataset {
  /** The first batch; undefined if there is none. Its tensors belong to the data set until an iterator yields them. */
  readonly first: unknown;
  /** The data set, from its first batch: every iterator starts with it until one of them has yielded it. */
  readonly dataset: BatchDataset;
  /** Disposes the first batch if no iterator has yielded it. */
  dispose(): void;
}

/**
 * Reads the first batch of a data set, so that steps can be recorded for its shapes before training starts. A data set may
 * be a stream, so the batch is handed back.
 *
 * @param dataset a data set, or an iterator as `evaluateDataset` accepts it
 */
export async function peekDataset(dataset: BatchDataset | BatchIterator): Promise<PeekedDataset> {
  const open = (): Promise<BatchIterator> =>
    'next' in dataset ? Promise.resolve(dataset) : dataset.iterator();
  const ahead = await open();
  const element = await ahead.next();
  let isWaiting = true;
  const again: BatchIterator = {
    next() {
      if (!isWaiting) return ahead.next();
      isWaiting = false;
      return Promise.resolve(element);
    },
  };
  return {
    first: element.done ? undefined : element.value,
    dataset: {
      iterator: () => (isWaiting ? Promise.resolve(again) : open()),
      ...('size' in dataset ? { size: dataset.size } : {}),
    },
    dispose() {
      if (isWaiting) tf.dispose(element.value as tf.TensorContainer);
      isWaiting = false;
    },
  };
}

/** The inputs and targets of a batch, in the order of the model. */
interface BatchTensors {
  readonly inputs: readonly tf.Tensor[];
  readonly targets: readonly tf.Tensor[];
}

/**
 * Copies a batch to the host: inputs, targets, class weights.
 *
 * @throws TrainError if its tensors do not match the model
 */
export async function readBatch(
  model: ModelInternals,
  value: unknown,
  classWeight: GivenClassWeights | undefined,
): Promise<BatchData> {
  const { inputs, targets } = tensorsOf(model, value);
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
  return [...[...inputs, ...targets].map((tensor) => rowsOf(tensor).slice(0, size)), ...weights];
}

/** Copies a batch to the host and disposes its tensors, as TF.js does. */
export async function takeBatch(
  model: ModelInternals,
  value: unknown,
  classWeight: GivenClassWeights | undefined,
): Promise<BatchData> {
  const data = await readBatch(model, value, classWeight);
  const { inputs, targets } = tensorsOf(model, value);
  tf.dispose([...inputs, ...targets]);
  return data;
}

/** The number of examples of a batch. */
export function sizeOfBatch(data: BatchData): number {
  return (data[0] as HostTensor).shape[0];
}

function tensorsOf(model: ModelInternals, value: unknown): BatchTensors {
  const { xs, ys } = (value ?? {}) as { readonly xs?: ModelData; readonly ys?: ModelData };
  if (xs === undefined || ys === undefined) {
    throw new TrainError(
      'fitDataset: the data set yields elements without xs or ys. Give { xs, ys } of a batch of tensors each, and call ' +
        'batch() on a data set of single examples.',
    );
  }
  return {
    inputs: flat('input', model.inputNames, xs),
    targets: flat('output', model.outputNames, ys),
  };
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
