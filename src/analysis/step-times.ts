import { batchIndices } from '../augment/epoch-order';
import { gatherTables } from '../augment/gather';
import { plan } from '../augment/plan';
import type { Transform } from '../augment/transform';
import { InterruptedError, TrainError } from '../base/errors';
import { createRng } from '../base/rng';
import { summariseProfile } from '../engine/profile';
import type { OperationTime } from '../engine/profile';
import { createSession } from '../engine/session';
import type { SessionOptions } from '../engine/session';
import type { Session } from '../engine/step';
import { removeByType } from '../graph/edit';
import { activationKinds } from '../nn/activation';
import { initNetwork, pathsByRole } from '../nn/network';
import type { HostVariables } from '../nn/network';
import { initVelocity } from '../optim/optimiser';
import type { Optimiser } from '../optim/optimiser';
import { gatherBatch, residentSplit, residentTables } from '../train/batches';
import type { Batch, ResidentSplit, ResidentTables } from '../train/batches';
import { backward, emptyTotals, fold, log, optimise } from '../train/steps';
import type { FoldStep, Model, Totals } from '../train/steps';
import { wallClock } from '../train/timer';
import type { Clock } from '../train/timer';

/** The parts of a training step, in the order in which they are removed; `convolutions` is the rest. */
export type StepPart = 'data' | 'optimiser' | 'relu' | 'batch norm' | 'convolutions';

/** Where the time of one training step goes. */
export interface StepTimes {
  readonly batchSize: number;
  /** Seconds of the whole step, the median of its repeats. */
  readonly stepSec: number;
  /** Seconds that each part adds; their sum is the whole step. */
  readonly parts: Readonly<Record<StepPart, number>>;
  /** The operations of one whole step, by kind, the slowest first. Concurrent ones are counted in full. */
  readonly operations: readonly OperationTime[];
}

/** Options of {@link stepTimes}. */
export interface StepTimesOptions {
  readonly batchSize: number;
  /** How the part `data` augments images of 32x32. Default: it only gathers them. */
  readonly transforms?: readonly Transform[];
  /** Pixels of reflect padding that a crop can use. Default: 4. */
  readonly pad?: number;
  /** How often each form of the step is timed. Default: 3. */
  readonly repeats?: number;
  /** Default: fp32. Steps are always captured: only captured steps have operations to time. */
  readonly engine?: Omit<SessionOptions, 'mode'>;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

type TimedState = {
  readonly network: HostVariables;
  readonly velocity: HostVariables;
  readonly totals: Totals;
  readonly train: ResidentSplit;
  readonly tables: ResidentTables;
};

/** A form of the step, with some parts removed. */
interface Form {
  readonly kindsGone: readonly string[];
  readonly loads: boolean;
  readonly optimises: boolean;
}

const norms = ['batch-norm', 'ghost-batch-norm'];

/** Each form has one part less than the one before it. */
const forms: readonly Form[] = [
  { kindsGone: [], loads: true, optimises: true },
  { kindsGone: [], loads: false, optimises: true },
  { kindsGone: [], loads: false, optimises: false },
  { kindsGone: activationKinds, loads: false, optimises: false },
  { kindsGone: [...activationKinds, ...norms], loads: false, optimises: false },
];

const order: readonly StepPart[] = ['data', 'optimiser', 'relu', 'batch norm', 'convolutions'];

/**
 * Times a training step on random images, whole and with one part after the other removed: gathering and augmenting the
 * batch, the optimiser, the activations, the batch norms. Convolutions, pooling and additions remain.
 *
 * All forms are captured first and then run in turn, so that other load on the machine slows all of them. A part is the
 * difference between two medians, and 0 if the noise is larger. Weights do not change: the learning rate is 0. Takes about
 * 5 (repeats + 1) steps.
 *
 * @throws TrainError unless `batchSize` and `repeats` are whole numbers from 1
 * @throws AugmentError if a transform does not fit
 * @throws InterruptedError if the signal aborts
 * @see Page, How to Train Your ResNet 3: Regularisation (2018), which removes the parts in the same order
 */
export async function stepTimes(
  model: Model,
  optimiser: Optimiser,
  options: StepTimesOptions,
): Promise<StepTimes> {
  const { batchSize, repeats = 3, signal, clock = wallClock } = options;
  for (const [name, value] of Object.entries({ batchSize, repeats })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new TrainError(`stepTimes: ${name} is ${value}. Give a whole number from 1.`);
  }
  const timed: TimedForm[] = [];
  try {
    for (const form of forms) {
      timed.push(recordForm(model, optimiser, form, options));
      // The first call is slower than the rest.
      await timed.at(-1)?.run();
    }
    const seconds = forms.map((): number[] => []);
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const [index, { run }] of timed.entries()) {
        if (signal?.aborted === true) {
          throw new InterruptedError(
            `stepTimes: stopped in repeat ${repeat + 1} of ${repeats}, batch ${batchSize}. Its times are discarded.`,
          );
        }
        const start = clock();
        await run();
        seconds[index].push(clock() - start);
      }
    }
    const [whole] = timed;
    const { nodes } = await whole.session.profile(whole.run);
    return { batchSize, ...partsOf(seconds.map(median)), operations: summariseProfile(nodes) };
  } finally {
    for (const { session } of timed) session.dispose();
  }
}

/** A step that can be timed. */
interface TimedForm {
  readonly session: Session<TimedState>;
  readonly run: () => Promise<unknown>;
}

function recordForm(
  { graph, loss }: Model,
  optimiser: Optimiser,
  { kindsGone, loads, optimises }: Form,
  { batchSize, transforms = [], pad = 4, engine = {} }: StepTimesOptions,
): TimedForm {
  const side = 32;
  const reduced: Model = { graph: removeByType(graph, kindsGone), loss };
  const images = new Float32Array(batchSize * side * side * 3);
  const rng = createRng(0, 'images');
  rng.fillUniform(images, -1, 1);
  const labels = Int32Array.from({ length: batchSize }, () => rng.integer(10));
  const network = initNetwork(reduced.graph, createRng(0, 'init'));
  const trainable = pathsByRole(reduced.graph, 'trainable');
  const tables = gatherTables(transforms, [side, side], pad);
  const session = createSession<TimedState>(
    {
      network,
      velocity: initVelocity(Object.fromEntries(trainable.map((path) => [path, network[path]]))),
      totals: emptyTotals(),
      train: residentSplit(images, labels, 3),
      tables: residentTables(tables),
    },
    { ...engine, mode: 'captured' },
  );
  const steps = [backward(reduced), log, optimises ? optimise(optimiser) : keepGradients];
  const choices = plan(transforms, tables.padded, batchSize, { scheme: 'per-example', rng });
  const batch = { ...batchIndices(choices, Int32Array.from(labels.keys())) };
  const feed = {
    batch,
    hyper: { lr: 0, weightDecay: 5e-4 * batchSize, momentum: 0.9 },
    step: 1,
  };
  const run = session.capture(
    'timed',
    (state, fed) => {
      const resident: Batch = {
        input: state.train.pixels.reshape([batchSize, side, side, 3]),
        target: state.train.labels.as1D(),
      };
      const images = loads
        ? gatherBatch(state.train, state.tables, fed.batch, [side, side], tables.hasCutout)
        : resident;
      const work = fold({ ...state, ...fed, batch: images }, steps);
      return { state: { network: work.network, velocity: work.velocity, totals: work.totals } };
    },
    feed,
  );
  return { session, run: () => run(feed) };
}

/** Replaces the optimiser: gradients that nothing keeps would not be computed. */
const keepGradients: FoldStep = ({ gradients = {} }) => ({ velocity: gradients });

/** The seconds of each part, from those of each form: its difference to the next form. */
function partsOf(seconds: readonly number[]): Pick<StepTimes, 'stepSec' | 'parts'> {
  // A step cannot take longer with a part removed: if it seems to, that is noise.
  const falling = seconds.map((_, index) => Math.min(...seconds.slice(0, index + 1)));
  const parts = order.map((part, index) => [part, falling[index] - (falling[index + 1] ?? 0)]);
  return { stepSec: falling[0], parts: Object.fromEntries(parts) as Record<StepPart, number> };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}
