import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import type { Progress } from '../text/progress';
import type { Snapshot, WarmUp, Watch } from '../train/training';
import { prepareRun } from './prepare';
import type { PreparedRun } from './prepare';
import type { PlannedRun } from './run';

/** A run that is ready to train: recorded, compiled and measured. */
export interface ReadyRun extends PreparedRun {
  readonly warmUp: WarmUp;
}

interface Kept extends ReadyRun {
  readonly key: string;
  readonly data: Cifar10;
  readonly watch: Watch;
}

/**
 * Keeps the trainer of a run for the next one. If that differs in its seed only, nothing is normalised, recorded, compiled or
 * measured again, and its result is that of a trainer of its own, bit for bit. Holds the memory of one training.
 */
export class TrainerCache {
  #kept: Kept | undefined;
  #onProgress: ((progress: Progress) => void) | undefined;

  /** A trainer for a run, at its start or at a snapshot. It belongs to the cache, and serves until the next call. */
  async ready(
    plan: PlannedRun,
    { data, from, ...watch }: Watch & { readonly data: Cifar10; readonly from?: Snapshot },
  ): Promise<ReadyRun> {
    const { experiment, seed, mode, precision, xla, algorithms } = plan;
    const engine = { mode, precision, xla, ...(algorithms === undefined ? {} : { algorithms }) };
    const key = JSON.stringify({ experiment, engine });
    this.#onProgress = watch.onProgress;
    const kept = this.#kept;
    const serves =
      kept?.key === key &&
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
      this.#kept = { ...prepared, warmUp, key, data, watch };
      return this.#kept;
    } catch (error) {
      prepared.trainer.dispose();
      throw error;
    }
  }

  #prepare(
    { experiment, seed }: PlannedRun,
    data: Cifar10,
    engine: SessionOptions,
    { onProgress, ...watch }: Watch,
  ): PreparedRun {
    // Each run has a callback of its own; the trainer knows one.
    const told = (progress: Progress): void => this.#onProgress?.(progress);
    return prepareRun(experiment, data, seed, {
      engine,
      ...watch,
      ...(onProgress === undefined ? {} : { onProgress: told }),
    });
  }

  /** Frees what it keeps. */
  dispose(): void {
    this.#kept?.trainer.dispose();
    this.#kept = undefined;
  }
}
