import { DivergedError, InterruptedError } from '../base/errors';
import type { Session } from '../engine/step';
import { callsOf } from './calls';
import type { Totals } from './steps';
import { emptyTotals } from './steps';
import type { Figures, Progress, TrainingState, Unfinished, Watch } from './training';
import type { Clock } from './timer';

/** The state of an epoch before its first batch. */
export const nothing: Unfinished = { batches: 0, timeSec: 0, totals: emptyTotals() };

/** One pass over batches: training or evaluation. */
export interface Phase {
  readonly name: Progress['phase'];
  readonly epoch: number;
  /** Of the whole run; asked for again with each progress report. */
  readonly epochs: () => number;
  /** All batches of the phase; asked for again after each call, because a change of pace changes their number. */
  readonly batches: () => readonly Int32Array[];
  /** Runs batches in one call, given the index of the first, from 0. */
  readonly run: (batches: readonly Int32Array[], first: number) => Promise<unknown>;
  /** The part of the phase that is already done; default: nothing. */
  readonly before?: Unfinished;
  /** Whether a call must end with this batch, by its index from 0. */
  readonly endsCall?: (index: number) => boolean;
  /** Called with the number of completed batches after each call. */
  readonly onCall?: (batches: number) => void;
  /** Called when the signal stops the phase. */
  readonly onStop?: () => Promise<void>;
  /** Called while each call runs. */
  readonly meanwhile?: () => unknown;
}

/** The context that all phases of a run share. */
export interface PhaseContext extends Pick<Watch, 'onProgress' | 'signal'> {
  readonly session: Session<TrainingState>;
  readonly clock: Clock;
  readonly stepsPerEpoch: number;
  readonly stepsPerCall: number;
}

/**
 * Runs the remaining batches of a phase and reports progress about once a second.
 *
 * @throws InterruptedError if the signal stops the phase
 * @throws TrainError if the loss is NaN or infinite
 */
export async function runPhase(
  context: PhaseContext,
  { name, epoch, epochs, batches, before = nothing, endsCall, ...phase }: Phase,
): Promise<Omit<Figures, 'time'>> {
  const { session, clock, stepsPerCall, onProgress, signal } = context;
  const count = (some: readonly Int32Array[]): number =>
    some.reduce((sum, { length }) => sum + length, 0);
  session.write({ totals: before.totals });
  let reported = clock();
  const start = reported - before.timeSec;
  let index = before.batches;
  const nextCall = (): Int32Array[] | undefined =>
    callsOf(
      batches().slice(index, index + stepsPerCall),
      stepsPerCall,
      (i) => endsCall?.(index + i) ?? false,
    ).at(0);
  for (let group = nextCall(); group !== undefined; group = nextCall()) {
    if (signal?.aborted === true) {
      await phase.onStop?.();
      throw new InterruptedError(
        `train: stopped in epoch ${epoch}, before step ${index + 1} of ${batches().length} (${name}).`,
      );
    }
    const running = phase.run(group, index);
    phase.meanwhile?.();
    await running;
    index += group.length;
    phase.onCall?.(index);
    const now = clock();
    if (onProgress !== undefined && now - reported >= 1) {
      reported = now;
      const means = await readMeans(context, name, epoch);
      const done = count(batches().slice(0, index));
      const progress = { phase: name, epoch, epochs: epochs(), done, total: count(batches()) };
      onProgress({ ...progress, timeSec: now - start, ...means });
    }
  }
  return readMeans(context, name, epoch);
}

async function readMeans(
  { session, stepsPerEpoch }: PhaseContext,
  phase: Progress['phase'],
  epoch: number,
): Promise<Omit<Figures, 'time'>> {
  const { totals } = await session.read('totals');
  const [loss, correct, count, firstBad] = (
    ['loss', 'correct', 'count', 'firstBadStep'] satisfies (keyof Totals)[]
  ).map((name) => totals[name].data[0]);
  if (firstBad >= 0) {
    const step = firstBad - (epoch - 1) * stepsPerEpoch;
    const where =
      phase === 'train'
        ? `the loss became NaN or infinite in epoch ${epoch}, step ${step}`
        : `the test loss after epoch ${epoch} is NaN or infinite, while the training loss is finite`;
    throw new DivergedError(
      `train: ${where}. Lower the learning rate, or start with a lower one.`,
      {
        epoch,
        ...(phase === 'train' ? { step } : {}),
      },
    );
  }
  return { loss: loss / count, acc: correct / count };
}
