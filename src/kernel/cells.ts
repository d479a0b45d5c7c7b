import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';
import { InterruptedError } from '../base/errors';
import { slots } from './shared';
import type { Request } from './wire';

/** How long a cell that has asked for its signal may take to stop by itself. */
const cooperativeMs = 10_000;
/** How long the code of a stopped cell may run to clean up. */
const cleanUpMs = 2000;
/** How long after its interrupt a signal of the other thread may arrive. */
const signalMs = 10_000;

/** One execution of a cell, and all that it has set going. */
export interface Cell {
  readonly request: Request;
  /** What it shows reaches nobody. */
  readonly isSilent: boolean;
  /** Whether its client answers questions. */
  readonly takesInput?: boolean;
}

/** A cell as only this file sees it. */
interface Work extends Cell {
  /** Ends the wait for it. */
  readonly giveUp: (reason: Error) => void;
  /** Made when the cell asks for its signal. */
  controller: AbortController | undefined;
  /** When an interrupt stops its code. Before that it may stop by itself. */
  deadline: number;
  /** How many cells were stopped before it; infinite if it was not. */
  stoppedAt: number;
}

/** What the compiled code of cells calls; see `instrument`. */
export interface CellHooks {
  readonly flags: Int32Array;
  /** How many cells were stopped so far. */
  stops: number;
  /** Called in every function and every round of a loop while an interrupt waits. @throws InterruptedError if the cell must stop. */
  readonly look: () => void;
  /** Around what is awaited. */
  readonly before: (value: unknown) => unknown;
  /** Around what came of it. @throws InterruptedError if the cell was stopped since there were `stops`. */
  readonly after: (stops: number, value: unknown) => unknown;
}

const never = new Promise<never>(() => undefined);
const interrupted = (): InterruptedError => new InterruptedError('Interrupted.');

/**
 * The cells that were started, and what an interrupt does to them.
 *
 * Code of a cell calls the hooks wherever it awaits or loops (the compiler sees to that), and stops there. Every piece of
 * work knows its cell, however deep it is and however much later. An interrupt stops the cell that runs; where none runs,
 * all that earlier cells have left behind.
 */
export class Cells {
  readonly hooks: CellHooks;
  private readonly flags: Int32Array;
  private readonly onPatience: () => void;
  private readonly storage = new AsyncLocalStorage<Work>();
  private running: Work | undefined;
  private latest: Work | undefined;
  /** Cells that have ended and have work going on, or may have. */
  private readonly background = new Set<Work>();
  private handledInterrupts = 0;
  private handledSignals = 0;
  private handledAt = 0;

  /**
   * @param flags what the threads share; see `slots`
   * @param onPatience called when a cell that was interrupted is taking its time
   */
  constructor(flags: Int32Array, onPatience: () => void) {
    this.flags = flags;
    this.onPatience = onPatience;
    this.hooks = {
      flags,
      stops: 0,
      look: () => this.look(),
      before: (value) =>
        // If no cell was ever stopped, the running one need not be checked.
        this.hooks.stops === 0 && this.running !== undefined ? value : this.before(value),
      after: (mark, value) => {
        if (flags[slots.isStopping] !== 0) this.look();
        return mark === this.hooks.stops ? value : this.after(mark, value);
      },
    };
  }

  /** The cell that the present piece of work belongs to; the newest one where that is not known. */
  get current(): Cell | undefined {
    return this.storage.getStore() ?? this.latest;
  }

  /** Whether an interrupt waits to be handled. */
  get isInterrupted(): boolean {
    return Atomics.load(this.flags, slots.isStopping) === 1;
  }

  /**
   * Runs `body` as a new cell, of which there is one at a time.
   *
   * @param body gets a promise that rejects as soon as the cell is stopped
   * @throws InterruptedError as soon as the cell is stopped, whatever `body` does
   */
  async run<T>(cell: Cell, body: (stopped: Promise<never>) => Promise<T>): Promise<T> {
    let giveUp!: Work['giveUp'];
    const stopped = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    const work: Work = {
      ...cell,
      giveUp,
      controller: undefined,
      deadline: Infinity,
      stoppedAt: Infinity,
    };
    // Node keeps it on the objects that it tracks, and prints it with some of them.
    Object.defineProperty(work, inspect.custom, { value: () => '[cell]' });
    this.running = work;
    this.latest = work;
    try {
      return await this.storage.run(work, () => Promise.race([body(stopped), stopped]));
    } finally {
      this.running = undefined;
      if (work.controller?.signal.aborted === false) this.background.add(work);
    }
  }

  /** The cell that runs, whoever asks. */
  get active(): Cell | undefined {
    return this.running;
  }

  /** Ends the wait for the cell that runs with an error of its own. */
  fail(error: Error): void {
    this.running?.giveUp(error);
  }

  /** The signal of the cell that asks. */
  signal(): AbortSignal {
    const work = this.storage.getStore() ?? this.latest;
    if (work === undefined) return new AbortController().signal;
    if (work.controller === undefined) {
      work.controller = new AbortController();
      if (work.deadline !== Infinity) work.controller.abort(interrupted());
      else if (work !== this.running) this.background.add(work);
    }
    return work.controller.signal;
  }

  /** Stops what is to stop, if an interrupt waits; called between turns of the event loop. */
  handleInterrupt(): void {
    this.handle();
    Atomics.store(this.flags, slots.isStopping, 0);
  }

  /** An interrupt that came as a signal of the operating system, and not as a message. */
  handleSignal(): void {
    // The one that the other thread sent may come late, when what it was for has ended.
    const isOurs = this.creditSignals() && Date.now() - this.handledAt < signalMs;
    if (!isOurs) Atomics.add(this.flags, slots.interrupts, 1);
    this.handleInterrupt();
  }

  /** Counts the signals that the other thread has sent as arrived; whether there were any that were not. */
  creditSignals(): boolean {
    const sent = Atomics.load(this.flags, slots.signals);
    const isNew = sent !== this.handledSignals;
    this.handledSignals = sent;
    return isNew;
  }

  private handle(): void {
    const count = Atomics.load(this.flags, slots.interrupts);
    for (; this.handledInterrupts < count; this.handledInterrupts++) {
      this.handledAt = Date.now();
      for (const work of this.running === undefined ? [...this.background] : [this.running]) {
        this.interrupt(work);
      }
    }
  }

  private interrupt(work: Work): void {
    const { controller, deadline } = work;
    if (work === this.running && controller !== undefined && deadline === Infinity) {
      work.deadline = Date.now() + cooperativeMs;
      const later = (ms: number, then: () => void): unknown =>
        setTimeout(() => {
          if (work === this.running && work.stoppedAt === Infinity) then();
        }, ms).unref();
      later(1000, this.onPatience);
      later(cooperativeMs, () => this.stop(work));
    } else {
      this.stop(work);
    }
    controller?.abort(interrupted());
  }

  private stop(work: Work): void {
    this.background.delete(work);
    if (work.stoppedAt !== Infinity) return;
    work.deadline = Math.min(work.deadline, Date.now());
    work.stoppedAt = this.hooks.stops;
    this.hooks.stops += 1;
    work.giveUp(interrupted());
  }

  private look(): void {
    this.handle();
    const work = this.storage.getStore() ?? this.running;
    if (work === undefined || Date.now() < work.deadline) return;
    this.stop(work);
    throw interrupted();
  }

  private before(value: unknown): unknown {
    const work = this.storage.getStore();
    if (work === undefined || work === this.running) return value;
    if (work.stoppedAt === Infinity) {
      this.background.add(work);
      return value;
    }
    // Its time to clean up is over: what it waits for never comes.
    return Date.now() > work.deadline + cleanUpMs ? never : value;
  }

  private after(mark: number, value: unknown): unknown {
    const work = this.storage.getStore();
    if (work !== undefined && work.stoppedAt !== Infinity && mark <= work.stoppedAt) {
      throw interrupted();
    }
    return value;
  }
}
