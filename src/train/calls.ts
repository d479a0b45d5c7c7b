import type { Session } from '../engine/step';
import { stackFeeds } from '../engine/step';
import type { OnDevice, StepResult } from '../engine/step';
import type { GroupedHyperFeed } from '../optim/hyper';
import type { BatchFeed } from './batches';
import type { TrainingState } from './training';

/** What a step is fed. */
export type StepFeed = {
  readonly batch: BatchFeed;
  readonly hyper: GroupedHyperFeed;
  /** Counts from 1 over the run. */
  readonly step: number;
  /** In a loop with an average: 1 if it follows after this step, else 0. */
  readonly isAveraged?: number;
};

/** A step of training or evaluation, on the device. */
export type DeviceStep = (
  state: OnDevice<TrainingState>,
  inputs: OnDevice<StepFeed>,
) => StepResult<TrainingState, Record<string, never>>;

/** A step for batches of any size. */
export interface Steps {
  /** Runs steps on batches of one size, all in one call. */
  run(feeds: readonly StepFeed[]): Promise<unknown>;
  /** Captures the step for batches of this size, without running it, and returns the recording's name. */
  record(feeds: readonly StepFeed[]): string;
}

/** Captures a step once for each batch size and number of steps a call that comes along. */
export function perShape(session: Session<TrainingState>, name: string, step: DeviceStep): Steps {
  type Run = (feeds: readonly StepFeed[]) => Promise<unknown>;
  const captured = new Map<string, Run>();
  const prepare = (feeds: readonly StepFeed[]): { readonly key: string; readonly run: Run } => {
    const [example] = feeds;
    const count = feeds.length;
    const key = `${name} [${example.batch.order.length}]${count === 1 ? '' : ` x ${count}`}`;
    let run = captured.get(key);
    if (run === undefined) {
      if (count === 1) {
        const single = session.capture(key, step, example);
        run = ([feed]) => single(feed);
      } else {
        const loop = session.captureLoop(key, count, step, example);
        run = (all) => loop(stackFeeds(all));
      }
      captured.set(key, run);
    }
    return { key, run };
  };
  return {
    run: (feeds) => prepare(feeds).run(feeds),
    record: (feeds) => prepare(feeds).key,
  };
}

/**
 * Cuts batches into calls of at most `most`, those of a call all of one size.
 *
 * @param endsCall whether a call must end with this batch, by its place from 0
 */
export function callsOf(
  batches: readonly Int32Array[],
  most: number,
  endsCall: (index: number) => boolean = () => false,
): Int32Array[][] {
  const calls: Int32Array[][] = [];
  for (const [index, batch] of batches.entries()) {
    const last = calls.at(-1);
    const isOpen = last !== undefined && last.length < most && !endsCall(index - 1);
    if (isOpen && last[0].length === batch.length) last.push(batch);
    else calls.push([batch]);
  }
  return calls;
}
