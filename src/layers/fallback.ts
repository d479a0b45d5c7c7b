import type { LayersModel } from '@tensorflow/tfjs-layers';
import { CaptureError, OptimError, TrainError } from '../base/errors';
import { innerModel, weightsOf } from './internals';
import { compiledParts, isSameCompiled } from './model-session';
import type { TrainingOptions } from './model-session';

/**
 * Runs `recorded`; if it cannot be recorded and the caller allows it, runs `eager` instead. `recorded` calls `started` before
 * it has an effect that may not happen twice, such as calling a callback: from then on, errors are thrown.
 */
export type RunEither = <T>(
  kind: 'train' | 'test' | 'predict',
  recorded: (started: () => void) => Promise<T>,
  eager: () => T | Promise<T>,
) => Promise<T>;

/** A kind of step that could not be recorded once runs eagerly from then on, until the model is compiled differently. */
export function createRun(model: LayersModel, fallback: boolean): RunEither {
  const eagerKinds = new Map<string, readonly unknown[]>();
  const now = (): readonly unknown[] => compiledParts(innerModel(model));
  return async (kind, recorded, eager) => {
    const refused = eagerKinds.get(kind);
    if (refused !== undefined && isSameCompiled(refused, now())) return eager();
    let hasStarted = false;
    try {
      return await recorded(() => {
        hasStarted = true;
      });
    } catch (error) {
      const isRefused = error instanceof CaptureError || error instanceof OptimError;
      if (!fallback || hasStarted || !isRefused) throw error;
      eagerKinds.set(kind, now());
      return eager();
    }
  };
}

/**
 * @param sampleWeight of the call, if any
 * @throws TrainError if training uses something that TF.js's eager training would ignore
 */
export function checkEager(
  model: LayersModel,
  { weightDecay, enforceConstraints }: TrainingOptions,
  sampleWeight: unknown,
): void {
  const isConstrained = weightsOf(innerModel(model)).some(({ constraint }) => constraint !== null);
  const used = [
    [sampleWeight !== undefined, 'sampleWeight'],
    [weightDecay > 0, 'weightDecay'],
    [enforceConstraints && isConstrained, 'enforceConstraints'],
  ] as const;
  const name = used.find(([isUsed]) => isUsed)?.[1];
  if (name === undefined) return;
  throw new TrainError(
    `accelerate: this model is trained eagerly, and TF.js does not support ${name}. Leave it out, or use layers that can be ` +
      'recorded.',
  );
}
