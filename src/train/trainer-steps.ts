import * as tf from '@tensorflow/tfjs-core';
import type { GatherTables } from '../augment/gather';
import { updateEma } from '../optim/ema';
import { applyJitter, gatherBatch, resampleBatch } from './batches';
import type { DeviceStep } from './calls';
import type { Stage } from './stages';
import { backward, fold, log, optimise } from './steps';
import { evaluate } from './test-time';
import type { Tta } from './test-time';
import type { Training } from './training';

/** The training step of a stage: gather and augment a batch, then the steps of the fold. */
export function trainStepOf(
  {
    model,
    optimiser,
    ema,
    ...training
  }: Pick<Training, 'model' | 'optimiser' | 'ema' | 'trainSteps' | 'extraSteps'>,
  tables: GatherTables,
  { size, frozen }: Stage,
): DeviceStep {
  const usual = { backward: backward(model, frozen), log, optimise: optimise(optimiser) };
  const steps = [
    ...(training.trainSteps?.(usual) ?? [usual.backward, usual.log, usual.optimise]),
    ...(training.extraSteps ?? []),
  ];
  return ({ network, velocity, totals, extra, ...state }, { batch, hyper, step, average }) => {
    const gathered = gatherBatch(state.train, state.tables, batch, tables.source, tables.hasCutout);
    const augmented = applyJitter(gathered, batch);
    const images = size === undefined ? augmented : resampleBatch(augmented, size);
    const work = fold({ batch: images, hyper, step, network, velocity, totals, extra }, steps);
    return {
      state: {
        network: work.network,
        velocity: work.velocity,
        totals: work.totals,
        extra: work.extra,
        ...(ema === undefined || average === undefined
          ? {}
          : {
              ema: followedIf(
                average.isDue,
                updateEma(ema, state.ema, work.network, average),
                state.ema,
              ),
            }),
      },
    };
  };
}

/** The step that evaluates a batch of test images. */
export function validStepOf(
  { model }: Pick<Training, 'model'>,
  source: readonly [height: number, width: number],
  { usesEma, tta }: { readonly usesEma: boolean; readonly tta: Tta },
): DeviceStep {
  return ({ totals, valid, validTables, ...state }, { batch, hyper, step }) => {
    const images = gatherBatch(valid, validTables, batch, source, false);
    const network = usesEma ? state.ema : state.network;
    const work = fold({ batch: images, hyper, step, network, velocity: {}, totals }, [
      evaluate(model, { tta }),
      log,
    ]);
    return { state: { totals: work.totals } };
  };
}

/** The updated average if an update is due, else the previous one. */
function followedIf(
  isDue: tf.Tensor,
  followed: Readonly<Record<string, tf.Tensor>>,
  before: Readonly<Record<string, tf.Tensor>>,
): Record<string, tf.Tensor> {
  const condition = isDue.greater(0);
  return Object.fromEntries(
    Object.entries(followed).map(([path, next]) => [path, tf.where(condition, next, before[path])]),
  );
}
