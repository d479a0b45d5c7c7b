import * as tf from '@tensorflow/tfjs-core';
import { LayersModel } from '@tensorflow/tfjs-layers';
import type { ModelEvaluateArgs } from '@tensorflow/tfjs-layers';
import { TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { viewOf } from './internals';
import type { ModelInternals } from './internals';
import type { BatchData, ModelSession } from './model-session';
import { toList } from './model-data';
import type { ModelData } from './model-data';
import { toTensor } from './optimiser-state';
import { batchBounds, rowsOf } from './rows';
import type { Rows } from './rows';

/** Losses and metrics of a data set, computed batch by batch and averaged over examples, as `evaluate` does. */
export async function evaluateRows(
  session: ModelSession,
  rows: readonly Rows[],
  batchSize: number,
): Promise<number[]> {
  const count = rows[0].count;
  const totals: number[] = [];
  for (const [start, end] of batchBounds(count, batchSize)) {
    const figures = await session.test(rows.map((part) => part.slice(start, end)));
    for (const [index, figure] of figures.entries()) {
      totals[index] = (totals[index] ?? 0) + figure * (end - start);
    }
  }
  return totals.map((total) => total / count);
}

/** Records the evaluation of all batch shapes. */
export function prepareRows(session: ModelSession, rows: readonly Rows[], batchSize: number): void {
  const bounds = batchBounds(rows[0].count, batchSize);
  for (const size of new Set(bounds.map(([start, end]) => end - start))) {
    session.prepareTest(rows.map((part) => part.slice(0, size)));
  }
}

export function scalars(values: readonly number[]): tf.Scalar | tf.Scalar[] {
  const tensors = values.map((value) => tf.scalar(value));
  return tensors.length === 1 ? tensors[0] : tensors;
}

/** Inputs and targets on the host, checked as TF.js's `evaluate` checks them. */
export function evaluationRows(
  model: ModelInternals,
  x: ModelData,
  y: ModelData,
  args: ModelEvaluateArgs,
): readonly [rows: Rows[], batchSize: number] {
  let rows: Rows[] = [];
  let size = 0;
  const view = viewOf(model, {
    // Replaces the loop over the batches. TF.js disposes the tensors made from its arguments when this returns.
    testLoop: (
      _test: unknown,
      ins: readonly tf.Tensor[],
      batchSize: number,
      _verbose: unknown,
      steps: number | null | undefined,
    ) => {
      if (steps !== undefined && steps !== null) {
        throw new TrainError(
          'evaluate: steps are not supported, as in TF.js. Pass fewer examples.',
        );
      }
      rows = ins.map(rowsOf);
      size = batchSize;
      return [];
    },
  });
  LayersModel.prototype.evaluate.call(view, x as never, y as never, args);
  return [rows, size];
}

export async function predict(
  model: ModelInternals,
  session: ModelSession,
  x: ModelData,
  args: { readonly batchSize?: number },
): Promise<tf.Tensor | tf.Tensor[]> {
  let rows: Rows[] = [];
  let size = 32;
  const view = viewOf(model, {
    predictLoop: (ins: tf.Tensor | tf.Tensor[], batchSize: number) => {
      rows = toList(ins).map(rowsOf);
      size = batchSize;
      return [];
    },
  });
  LayersModel.prototype.predict.call(view, x as never, args);
  if (rows[0].count === 0) throw new TrainError('predict: the input has 0 examples.');
  const batches: HostTensor[][] = [];
  for (const [start, end] of batchBounds(rows[0].count, size)) {
    const data: BatchData = rows.map((part) => part.slice(start, end));
    batches.push(await session.predict(data));
  }
  const outputs = batches[0].map((_, index) => joined(batches.map((batch) => batch[index])));
  return outputs.length === 1 ? outputs[0] : outputs;
}

/** Concatenates batches into one tensor. */
function joined(parts: readonly HostTensor[]): tf.Tensor {
  if (parts.length === 1) return toTensor(parts[0]);
  return tf.tidy(() => tf.concat(parts.map(toTensor), 0));
}
