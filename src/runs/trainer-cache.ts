import { isDeepStrictEqual } from 'node:util';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import type { Progress } from '../text/progress';
import { wallClock } from '../train/timer';
import type { Snapshot, WarmUp, Watch } from '../train/training';
import { prepareRun } from './prepare';
import type { PreparedRun } from './prepare';
import type { PlannedRun } from './run';

/** A run that is ready to train: captured, compiled and measured. */
export interface ReadyRun extends PreparedRun {
  readonly warmUp: WarmUp;
}

/** The fields of a plan that determine a trainer. */
export type TrainerPlan = Pick<
  PlannedRun,
  'experiment' | 'seed' | 'mode' | 'precision' | 'xla' | 'algorithms'
>;

interface Kept extends ReadyRun {
  readonly plan: TrainerPlan;
  readonly data: Cifar10;
  readonly watch: Watch;
}

/**
 * Caches the trainer of a run for the next one. If the next run differs only in its seed, nothing is normalised, captured,
 * compiled or measured again, and its result is bit-identical to that of a new trainer. Holds the memory of one training.
 */
export class TrainerCache {
  #kept: Kept | undefined;
  #onProgress: ((progress: Progress) => void) | undefined;

  /** A trainer for a run, at its start or at a snapshot. The cache owns it; it is valid until the next call. */
  async ready(
    plan: TrainerPlan,
    {
      data,
      from,
      clock = wallClock,
      ...others
    }: Watch & { readonly data: Cifar10; readonly from?: Snapshot },
  ): Promise<ReadyRun> {
    const watch = { clock, ...others };
    const { seed, mode, precision, xla, algorithms } = plan;
    const engine = { mode, precision, xla, ...(algorithms === undefined ? {} : { algorithms }) };
    this.#onProgress = watch.onProgress;
    const kept = this.#kept;
    const serves =
      kept !== undefined &&
      isSameTrainer(kept, plan) &&
      kept.data === data &&
      kept.watch.signal === watch.signal &&
      kept.watch.clock === watch.clock &&
      (kept.watch.onProgress === undefined) === (watch.onProgress === undefined);
    if (serves) {
      kept.trainer.restart(seed);
      if (from !== undefined) await kept.trainer.restore(from);
      return kept;
    }
    this.dispose();
    const prepared = this.#prepare(plan, data, engine, watch);
    try {
      if (from !== undefined) await prepared.trainer.restore(from);
      const warmUp = await prepared.trainer.warmUp();
      this.#kept = { ...prepared, warmUp, plan, data, watch };
      return this.#kept;
    } catch (error) {
      prepared.trainer.dispose();
      throw error;
    }
  }

  #prepare(
    { experiment, seed }: TrainerPlan,
    data: Cifar10,
    engine: SessionOptions,
    { onProgress, ...watch }: Watch,
  ): PreparedRun {
    // Each run has its own callback, but a cached trainer keeps the first one, so forward to the current one.
    const forward = (progress: Progress): void => this.#onProgress?.(progress);
    return prepareRun(experiment, data, seed, {
      engine,
      ...watch,
      ...(onProgress === undefined ? {} : { onProgress: forward }),
    });
  }

  /** Frees the cached trainer. */
  dispose(): void {
    this.#kept?.trainer.dispose();
    this.#kept = undefined;
  }
}

/** Whether the cached trainer can be reused for `plan`, apart from the seed. */
function isSameTrainer({ plan: kept, trainer }: Kept, plan: TrainerPlan): boolean {
  const decided = ({ experiment, mode, precision, xla }: TrainerPlan): object => ({
    experiment,
    mode,
    precision,
    xla,
  });
  if (!isDeepStrictEqual(decided(kept), decided(plan))) return false;
  const { algorithms } = plan;
  if (isDeepStrictEqual(kept.algorithms, algorithms)) return true;
  // A table that contains all choices measured by the cached trainer prescribes the same algorithms.
  return (
    algorithms !== undefined &&
    trainer.session.algorithms.every((row) =>
      algorithms.some((given) => isDeepStrictEqual(given, row)),
    )
  );
}
