import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';
import { InterruptedError } from '../base/errors';
import { slots } from './shared';
import type { Request } from './wire';

/** How long a cell that has asked for its abort signal may take to stop by itself. */
const cooperativeMs = 10_000;
/** How long the code of a stopped cell may run to clean up. */
const cleanUpMs = 2000;
/** How long after an interrupt the signal of the socket thread may arrive. */
const signalMs = 10_000;

/** One execution of a cell, and all asynchronous work that it has started. */
export interface Cell {
  readonly request: Request;
  /** Whether its output is discarded. */
  readonly isSilent: boolean;
  /** Whether its client answers questions. */
  readonly takesInput?: boolean;
}

/** A cell and the state of its interrupts. */
interface Work extends Cell {
  /** Ends the wait for the cell. */
  readonly giveUp: (reason: Error) => void;
  /** Created when the cell first asks for its abort signal. */
  controller: AbortController | undefined;
  /** When an interrupt stops its code; until then, it may stop by itself. */
  deadline: number;
  /** How many cells were stopped before it; `Infinity` if it was not stopped. */
  stoppedAt: number;
}

/** The hooks that compiled cells call; see `instrument`. */
export interface CellHooks {
  readonly flags: Int32Array;
  /** How many cells were stopped so far. */
  stops: number;
  /** Called in functions and loop iterations while an interrupt is pending. @throws InterruptedError if the cell must stop. */
  readonly look: () => void;
  /** Wraps the operand of an `await`. */
  readonly before: (value: unknown) => unknown;
  /** Wraps its result; `stops` is the count before the `await`. @throws InterruptedError if the cell was stopped since. */
  readonly after: (stops: number, value: unknown) => unknown;
}

const never = new Promise<never>(() => undefined);
const interrupted = (): InterruptedError => new InterruptedError('Interrupted.');

/**
 * Tracks the cells that were started, and interrupts them.
 *
 * Compiled cells call the hooks wherever they await or loop, and stop there. All asynchronous work knows its cell, however
 * deep and however late it runs. An interrupt stops the running cell; if none is running, it stops all work that earlier
 * cells have left behind.
 */
export class Cells {
  readonly hooks: CellHooks;
  private readonly flags: Int32Array;
  private readonly onPatience: () => void;
  private readonly storage = new AsyncLocalStorage<Work>();
  private running: Work | undefined;
  private latest: Work | undefined;
  /** Cells that have ended and may still have work in progress. */
  private readonly background = new Set<Work>();
  private handledInterrupts = 0;
  private handledSignals = 0;
  private handledAt = 0;

  /**
   * @param flags memory that the threads share; see `slots`
   * @param onPatience called when an interrupted cell is slow to stop
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

  /** The cell that the current code belongs to; the newest one if that is unknown. */
  get current(): Cell | undefined {
    return this.storage.getStore() ?? this.latest;
  }

  /** Whether an interrupt is pending. */
  get isInterrupted(): boolean {
    return Atomics.load(this.flags, slots.isStopping) === 1;
  }

  /**
   * Runs `body` as a new cell; only one runs at a time.
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
    // Node stores it on the objects that it tracks, and prints it with some of them.
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

  /** The running cell, whichever code asks. */
  get active(): Cell | undefined {
    return this.running;
  }

  /** Ends the wait for the running cell with an error. */
  fail(error: Error): void {
    this.running?.giveUp(error);
  }

  /** The abort signal of the calling cell. */
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

  /** Handles a pending interrupt; called between turns of the event loop. */
  handleInterrupt(): void {
    this.handle();
    Atomics.store(this.flags, slots.isStopping, 0);
  }

  /** Handles SIGINT: an interrupt that came as a signal and not as a message. */
  handleSignal(): void {
    // A signal of the socket thread may arrive late, when the code that it was sent for has ended.
    const isOurs = this.creditSignals() && Date.now() - this.handledAt < signalMs;
    if (!isOurs) Atomics.add(this.flags, slots.interrupts, 1);
    this.handleInterrupt();
  }

  /** Counts the signals that the socket thread has sent as arrived. @returns whether any was new */
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
    // Its time to clean up is over: the operand never resolves.
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
