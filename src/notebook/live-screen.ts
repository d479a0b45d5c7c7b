import { networkOf } from '../catalogue/network';
import type { FinishedRun, PlannedRun } from '../runs/run';
import { countTrainable } from '../nn/network';
import { localtime } from '../text/localtime';
import { durationText } from '../text/progress';
import type { Progress } from '../text/progress';
import { summarise } from '../report/stats';
import { spreadText } from '../text/spread';
import type { EpochRow } from '../train/training';
import { curves } from './curves';
import { display } from './display';
import type { DisplayHandle } from './display';
import { show } from './figure';
import { liveCurves, liveHtml, liveText } from './live-view';
import type { LiveRun, LiveState, TracePoint } from './live-view';
import { counted } from '../text/counted';
import { fixed } from '../text/fixed';

/** Callbacks of one run, for `trainExperiment`. */
export interface RunWatch {
  /** @returns seconds that all runs together will take */
  readonly onStart: (run: PlannedRun, epochSec: number) => number;
  readonly onProgress: (progress: Progress & { readonly leftSec: number }) => void;
  readonly onEpoch: (row: EpochRow) => void;
}

/** What a cell shows while it trains: progress and a table, and curves below them, both updated in place. */
export interface LiveScreen {
  /** Replaces all runs by finished ones, by index; `reason` says why a finished run is trained again. */
  take(found: readonly { readonly run?: FinishedRun; readonly reason?: string }[]): void;
  /** Starts or resumes a run. */
  begin(index: number, epochs: number): RunWatch;
  /** The runs as shown. */
  runs(): readonly SeenRun[];
  /** Adds a line that stays. */
  remark(text: string): void;
  /** Ends the screen after all runs: the table stays, the curves become a chart. */
  finish(runs: readonly FinishedRun[]): Promise<void>;
  /** Ends the screen after an error: shows its message, then `how` to resume. */
  fail(error: unknown, how: string): void;
}

/** A run as one screen hands it over to the next. */
export interface SeenRun extends LiveRun {
  /** The line that says that it was finished before, or why it is trained again. */
  readonly before?: string;
  /** Whether it was finished before and is reused. */
  readonly isTaken?: boolean;
  /** The last progress of an epoch that is under way. */
  readonly last?: Progress;
}

interface Run {
  readonly name: string;
  epochs: number;
  trace: TracePoint[];
  rows: EpochRow[];
  before?: string;
  isTaken?: boolean;
  /** Finished, or stopped because it diverged. */
  isOver?: boolean;
  last?: Progress;
}

/** Opens the screen of a cell for runs of these names; `seen` holds the runs of an earlier screen. */
export function openLiveScreen(
  names: readonly string[],
  seen: readonly SeenRun[] = [],
): LiveScreen {
  return new Screen(
    names.map((name, index) => {
      const before = seen.at(index);
      if (before === undefined) return { name, epochs: 1, trace: [], rows: [] };
      return { ...before, trace: [...before.trace], rows: [...before.rows] };
    }),
  );
}

/** Two displays, redrawn on every event. */
class Screen implements LiveScreen {
  readonly #runs: Run[];
  readonly #remarks: string[] = [];
  /** What happened to each run, by its index. */
  readonly #log = new Map<number, string>();
  #headline: string | undefined;
  #progress: LiveState['progress'];
  #note: string | undefined;
  #top: DisplayHandle | undefined;
  #bottom: DisplayHandle | undefined;

  constructor(runs: Run[]) {
    this.#runs = runs;
  }

  runs(): readonly SeenRun[] {
    return this.#runs;
  }

  take(found: readonly { readonly run?: FinishedRun; readonly reason?: string }[]): void {
    for (const [index, { run: taken, reason }] of found.entries()) {
      const { name } = this.#runs[index];
      const epochs = taken?.experiment.run.epochs ?? 1;
      const run: Run = { name, epochs, trace: [], rows: [...(taken?.rows ?? [])] };
      if (taken !== undefined) {
        run.isTaken = true;
        run.before = `${name}: ${finishedBefore(taken)}`;
      } else if (reason !== undefined) {
        run.before = `${name}: finished before, but is trained again: ${reason}`;
      }
      this.#runs[index] = run;
    }
    this.#headline = undefined;
    this.#log.clear();
    this.#draw();
  }

  begin(index: number, epochs: number): RunWatch {
    const run = this.#runs[index];
    run.epochs = epochs;
    run.isOver = false;
    // Runs follow each other; one that diverged has fewer epochs than planned.
    for (const earlier of this.#runs.slice(0, index)) earlier.isOver = true;
    this.#progress = undefined;
    const isResumed = run.trace.length + run.rows.length > 0;
    const place = `run ${index + 1} of ${this.#runs.length} (${run.name}) at ${localtime()}`;
    this.#log.set(index, `${isResumed ? 'Resuming' : 'Starting'} ${place}`);
    this.#draw();
    /** Batches of a training epoch. */
    let total = 1;
    return {
      onStart: (started, epochSec) => this.#start(started, index, epochSec),
      onProgress: (now) => {
        this.#progress = now;
        if (now.phase === 'train') {
          addPoint(run, now.epoch - 1 + now.done / now.total, now);
          run.last = now;
          ({ total } = now);
        }
        this.#draw();
      },
      onEpoch: (row) => {
        addPoint(run, row.epoch, { epoch: row.epoch, done: total, ...row.train });
        run.rows.push(row);
        if (row.epoch === epochs) {
          const acc = `test accuracy ${fixed(100 * row.valid.acc, 2)} %`;
          this.#log.set(
            index,
            `${this.#log.get(index)}: ${acc} in ${row['total time'].toFixed(1)} s`,
          );
        }
        this.#draw();
      },
    };
  }

  remark(text: string): void {
    this.#remarks.push(text);
    this.#draw();
  }

  async finish(finished: readonly FinishedRun[]): Promise<void> {
    this.#headline ??= `${describe(finished[0], finished.length)}\nnothing to train: all runs were finished before`;
    this.#note = `${summaryOf(finished)}${divergedOf(finished)}`;
    for (const [index, { result }] of finished.entries()) {
      this.#runs[index].isOver = true;
      if (result.divergedIn === undefined) continue;
      const line = this.#log.get(index) ?? this.#runs[index].name;
      this.#log.set(index, `${line}: diverged in epoch ${result.divergedIn}`);
    }
    this.#draw();
    await show(
      curves(this.#runs, { title: titleOf(finished) }),
      this.#bottom === undefined ? {} : { update: this.#bottom },
    );
  }

  fail(error: unknown, how: string): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#note = `${text}${how}`;
    this.#draw();
  }

  /** @returns seconds that all runs from this one on will take together */
  #start(started: PlannedRun, index: number, epochSec: number): number {
    const run = this.#runs[index];
    // What was seen after the checkpoint that the run resumes from does not count.
    run.rows = [...started.rows];
    run.trace = run.trace.filter(({ at }) => at < started.rows.length + 1);
    const epochsLeft = this.#runs
      .filter(({ isTaken = false }, at) => at >= index && !isTaken)
      .reduce((sum, { rows }) => sum + run.epochs - rows.length, 0);
    const totalSec = epochsLeft * epochSec;
    const { machine, versions, precision } = started;
    this.#headline =
      `${describe(started, this.#runs.length)}\nabout ${durationText(totalSec)} on ${machine}; ` +
      `TensorFlow ${versions.tensorflow}, ${precision}`;
    this.#draw();
    return totalSec;
  }

  #draw(): void {
    const runs = this.#runs;
    const started = runs.filter(({ trace, rows }) => trace.length + rows.length > 0);
    const most = Math.max(...runs.map(({ epochs }) => epochs));
    const done = runs.reduce((sum, { trace, rows, isOver = false }) => {
      return sum + (isOver ? most : Math.max(trace.at(-1)?.at ?? 0, rows.length));
    }, 0);
    const first = this.#headline ?? (runs.length === 1 ? 'one run' : `${runs.length} runs`);
    const before = runs.flatMap((run) => run.before ?? []);
    const state: LiveState = {
      headline: [first, ...before, ...this.#remarks].join('\n'),
      log: [...this.#log.values()],
      runs: started,
      share: done / (runs.length * most),
      ...(this.#progress === undefined ? {} : { progress: this.#progress }),
      ...(this.#note === undefined ? {} : { note: this.#note }),
    };
    const bundle = { 'text/html': liveHtml(state), 'text/plain': liveText(state) };
    this.#top = display(bundle, this.#top === undefined ? {} : { update: this.#top });
    if (started.length === 0) return;
    this.#bottom = display(
      { 'text/html': liveCurves(started), 'text/plain': '' },
      this.#bottom === undefined ? {} : { update: this.#bottom },
    );
  }
}

/** Adds the means since the last point, computed from the means since the epoch began. */
function addPoint(
  { last, trace }: Run,
  at: number,
  now: Pick<Progress, 'epoch' | 'done' | 'loss' | 'acc'>,
): void {
  const { done = 0, loss = 0, acc = 0 } = last?.epoch === now.epoch ? last : {};
  if (now.done <= done) return;
  const since = (mean: number, past: number): number =>
    (mean * now.done - past * done) / (now.done - done);
  trace.push({ at, loss: since(now.loss, loss), acc: since(now.acc, acc) });
}

function describe({ experiment, scale }: PlannedRun, count: number): string {
  const { run, data, net } = experiment;
  const images = data.subset === undefined ? '50,000' : data.subset.train.toLocaleString('en');
  const parameters = countTrainable(networkOf(experiment)).toLocaleString('en');
  const runs = count === 1 ? '' : `${count} runs, `;
  const epochs = counted(run.epochs, 'epoch');
  return (
    `${experiment.name}, ${scale} scale: ${runs}${epochs} of ${images} images, batch ${data.batchSize}, ` +
    `widths ${Object.values(net.channels).join('/')}, ${parameters} parameters`
  );
}

function finishedBefore({ started, machine, threads, result }: FinishedRun): string {
  const count = counted(threads, 'thread');
  return (
    `finished before, started on ${started.slice(0, 10)} (${machine}, ${count}), ` +
    `${result.trainSec.toFixed(1)} s of training`
  );
}

function titleOf(runs: readonly FinishedRun[]): string {
  const names = [...new Set(runs.map(({ name }) => name))];
  const { scale } = runs[0];
  const what = names.length > 3 ? `${names.length} experiments` : names.join(', ');
  return `${what}, ${scale} scale`;
}

function divergedOf(runs: readonly FinishedRun[]): string {
  const count = runs.filter(({ result }) => result.divergedIn !== undefined).length;
  return count === 0 ? '' : `; ${count} diverged: the loss was NaN or infinite`;
}

function summaryOf(runs: readonly FinishedRun[]): string {
  const seconds = runs.reduce((sum, { result }) => sum + result.trainSec, 0);
  const time = `${seconds.toFixed(1)} s of training`;
  const names = new Set(runs.map(({ name }) => name));
  if (runs.length === 1) return `test accuracy ${fixed(runs[0].result.accPercent, 2)} %, ${time}`;
  if (names.size > 1) return `${runs.length} runs, ${time} in all`;
  const spread = spreadText(summarise(runs.map(({ result }) => result.accPercent)));
  return `test accuracy ${spread} % (mean ± standard deviation of ${runs.length} runs), ${time} in all`;
}
