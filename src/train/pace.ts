import { TrainError } from '../base/errors';

/** A change of the speed at which a run passes through its schedule. */
export interface PaceChange {
  /** Training steps completed before the change. */
  readonly step: number;
  /** Position in the schedule at that point, in steps. */
  readonly position: number;
  /** Schedule steps per training step; above 1 the run becomes shorter. */
  readonly rate: number;
}

/** The steps of a number of epochs, which can be fractional; the last step is rounded up. 1.1 epochs of 50 steps are 55 steps. */
export function stepsIn(epochs: number, stepsPerEpoch: number): number {
  // Such products can be a rounding error above an integer.
  return Math.ceil(epochs * stepsPerEpoch - 1e-9);
}

/** The pace at which a run is at position n after step n. */
const original: PaceChange = { step: 0, position: 0, rate: 1 };

/**
 * Maps each step of a run to a position in the schedule. At the original pace, a run is at position n after step n. A run that
 * has to end earlier or later than planned changes its pace; learning rates, image sizes and averages follow the position.
 */
export class Pace {
  /** Length of the schedule in steps. */
  readonly length: number;
  readonly #changes: PaceChange[] = [original];

  constructor(length: number) {
    this.length = length;
  }

  /** Every change so far, the first at step 0. */
  get changes(): readonly PaceChange[] {
    return this.#changes;
  }

  /** Steps of the whole run. */
  get steps(): number {
    const { step, position, rate } = this.#changes[this.#changes.length - 1];
    return step + Math.ceil((this.length - position) / rate - 1e-9);
  }

  /** The position in the schedule after `steps` training steps. */
  positionAt(steps: number): number {
    const found = this.#changes.findLast(({ step }) => step <= steps) ?? this.#changes[0];
    return found.position + (steps - found.step) * found.rate;
  }

  /**
   * Changes the pace after `step` steps so that the run ends after `steps` steps.
   *
   * @throws TrainError unless `steps` is an integer above `step` and the schedule is not over
   */
  endAfter(steps: number, step: number): void {
    if (!Number.isInteger(steps) || steps <= step) {
      throw new TrainError(
        `train: the run cannot end after ${steps} steps: ${step} are already done. Give a larger integer.`,
      );
    }
    const position = this.positionAt(step);
    const rate = (this.length - position) / (steps - step);
    if (!(rate > 0)) {
      throw new TrainError(
        `train: the run cannot end after ${steps} steps: its schedule is over after ${step}. Give the training more epochs.`,
      );
    }
    this.restore([
      ...this.#changes.filter((change) => change.step < step),
      { step, position, rate },
    ]);
  }

  /** Adopts the changes of another run of the same length; default: the original pace. */
  restore(changes: readonly PaceChange[] = [original]): void {
    this.#changes.splice(0, this.#changes.length, ...changes);
  }
}
