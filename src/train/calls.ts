import type { Session } from '../engine/step';
import { stackFeeds } from '../engine/step';
import type { OnDevice, StepResult } from '../engine/step';
import type { EmaShares } from '../optim/ema';
import type { GroupedHyperFeed } from '../optim/hyper';
import type { BatchFeed } from './batches';
import type { Stage } from './stages';
import type { TrainingState } from './training';

/** What a step is fed. */
export type StepFeed = {
  readonly batch: BatchFeed;
  readonly hyper: GroupedHyperFeed;
  /** Counts from 1 over the run. */
  readonly step: number;
  /** In a loop with a moving average: the shares of the update after this step, and whether there is one, 1 or 0. */
  readonly average?: EmaShares<number> & { readonly isDue: number };
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

/** Captures a step once per combination of batch size and steps per call, when that combination first occurs. */
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
 * Groups batches into calls of at most `most` batches; all batches of a call have the same size.
 *
 * @param endsCall whether a call must end with this batch, by its index from 0
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

/** A training call, its first step (counted from 1), and the number of steps that the run makes in calls of this kind. */
export interface CallKind {
  readonly call: readonly Int32Array[];
  readonly first: number;
  readonly steps: number;
}

/**
 * The kinds of calls that a run makes, by stage: one per length and batch size, because each is a separate recording. With
 * one step per call, the first call of a stage stands for all.
 *
 * @param batches of one epoch
 */
export function callKinds(
  batches: readonly Int32Array[],
  run: {
    readonly stageAt: (step: number) => Stage;
    readonly endsCall: (step: number) => boolean;
    readonly stepsPerCall: number;
    readonly stepsPerEpoch: number;
    /** Of the whole run. */
    readonly steps: number;
  },
): Map<Stage, Map<string, CallKind>> {
  const { stageAt, endsCall, stepsPerCall, stepsPerEpoch, steps } = run;
  const stages = new Map<Stage, Map<string, CallKind>>();
  for (let offset = 0; offset < steps; offset += stepsPerEpoch) {
    let first = offset + 1;
    const own = batches.slice(0, steps - offset);
    for (const call of callsOf(own, stepsPerCall, (index) => endsCall(offset + index + 1))) {
      const stage = stageAt(first);
      const kinds = stages.get(stage) ?? new Map<string, CallKind>();
      stages.set(stage, kinds);
      const kind = stepsPerCall === 1 ? '' : kindOf(call);
      const found = kinds.get(kind) ?? { call, first, steps: 0 };
      kinds.set(kind, { ...found, steps: found.steps + call.length });
      first += call.length;
    }
  }
  return stages;
}

/** One call per kind. */
export function distinctCalls(calls: readonly Int32Array[][]): Iterable<readonly Int32Array[]> {
  return new Map(calls.map((call) => [kindOf(call), call])).values();
}

/** Calls of a stage are of the same kind if they have the same number of batches and the same batch size. */
function kindOf(call: readonly Int32Array[]): string {
  return `${call.length} ${call[0].length}`;
}
