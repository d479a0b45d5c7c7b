import { callKinds, callsOf, distinctCalls } from './calls';
import { feedsOf } from './epoch-batches';
import type { EpochSource } from './epoch-source';
import type { StageTimes } from './stage-times';
import type { Stage } from './stages';
import type { StepRunner } from './step-runner';
import type { Clock } from './timer';
import type { Evaluation, WarmUp } from './training';

/** The parts of a trainer that a warm-up uses, and its length in steps. */
export interface WarmUpOptions {
  readonly runner: StepRunner;
  readonly source: EpochSource;
  readonly stageAt: (step: number) => Stage;
  /** Receives the seconds per step of each stage. */
  readonly times: StageTimes;
  readonly clock: Clock;
  /** How test images are evaluated after every epoch but the last; absent if in the same way as after the last. */
  readonly midway: Evaluation | undefined;
  readonly stepsPerCall: number;
  readonly stepsPerEpoch: number;
  /** Of the whole run. */
  readonly steps: number;
}

/**
 * Records every kind of call that a run makes and times each of them. It trains while doing so: the caller restores the
 * weights.
 */
export async function measureWarmUp({
  runner,
  source,
  times,
  clock,
  midway,
  ...run
}: WarmUpOptions): Promise<WarmUp> {
  const plain = source.plainTraining();
  const endsCall = (step: number): boolean => runner.endsCall(step);
  const stages = callKinds(plain.batches, { ...run, endsCall });
  // Record all calls first: on the first run after a recording, TensorFlow prepares its whole graph again.
  for (const kinds of stages.values())
    for (const { call, first } of kinds.values()) runner.recordTrain(feedsOf(call, plain), first);
  /** Captures one call of each kind that an evaluation makes, and returns a function that times them. */
  const recordEvaluation = (
    how: Evaluation,
  ): (() => Promise<Pick<WarmUp, 'validStepSec' | 'evaluationSec'>>) => {
    const validation = source.validation(how.images);
    const kinds = [...distinctCalls(callsOf(validation.batches, run.stepsPerCall))];
    // With one step per call, the first call stands for all.
    const calls = (run.stepsPerCall === 1 ? kinds.slice(0, 1) : kinds).map((call) =>
      feedsOf(call, validation),
    );
    for (const feeds of calls) runner.recordEvaluation(feeds, how);
    return async () => {
      let seconds = 0;
      let steps = 0;
      for (const feeds of calls) {
        seconds += await recordedSec(() => runner.evaluate(feeds, how), clock);
        steps += feeds.length;
      }
      const validStepSec = seconds / steps;
      return { validStepSec, evaluationSec: validation.batches.length * validStepSec };
    };
  };
  const timeEvaluation = recordEvaluation({});
  const timeMidway = midway === undefined ? undefined : recordEvaluation(midway);
  // The first run of all also touches all memory.
  const [[, kinds]] = stages;
  const [{ call, first }] = kinds.values();
  await runner.train(feedsOf(call, plain), first);
  let trainSec = 0;
  for (const [{ key }, kinds] of stages) {
    let stageSec = 0;
    let stageSteps = 0;
    for (const { call, first, steps } of kinds.values()) {
      const feeds = feedsOf(call, plain);
      const seconds = await recordedSec(() => runner.train(feeds, first), clock);
      stageSec += (steps * seconds) / call.length;
      stageSteps += steps;
    }
    times.set(key, stageSec / stageSteps);
    trainSec += stageSec;
  }
  const { validStepSec, evaluationSec } = await timeEvaluation();
  const midwaySec = (await timeMidway?.())?.evaluationSec ?? evaluationSec;
  const trainStepSec = trainSec / run.steps;
  const epochSec = run.stepsPerEpoch * trainStepSec + midwaySec;
  return { epochSec, trainStepSec, validStepSec, evaluationSec, midwaySec };
}

/** From this many seconds on, the first run of a recorded call is as good an estimate as the next ones: it takes 0 to 7 % longer. */
const longCallSec = 1;

/** Seconds that a recorded call takes. The first run of a short call, which also prepares it, is not counted. */
async function recordedSec(run: () => Promise<unknown>, clock: Clock): Promise<number> {
  const timed = async (): Promise<number> => {
    const start = clock();
    await run();
    return clock() - start;
  };
  const first = await timed();
  if (first >= longCallSec) return first;
  const second = await timed();
  // The first runs after recording still touch fresh memory, so time a short call once more and take the faster run.
  return second < 0.5 ? Math.min(second, await timed()) : second;
}
