import { networkOf } from '../catalogue/network';
import type { FinishedRun, PlannedRun } from '../runs/run';
import { countTrainable } from '../nn/network';
import { localtime } from '../text/localtime';
import { durationText } from '../text/progress';
import type { Progress } from '../text/progress';
import { summarise } from '../report/stats';
import type { EpochRow } from '../train/training';
import { curves } from './curves';
import { display } from './display';
import type { DisplayHandle } from './display';
import { show } from './figure';
import { liveCurves, liveHtml, liveText } from './live-view';
import type { LiveRun, LiveState, TracePoint } from './live-view';

/** Callbacks of one run, for `trainExperiment`. */
export interface RunWatch {
  /** @returns seconds that all runs together will take */
  readonly onStart: (run: PlannedRun, epochSec: number) => number;
  readonly onProgress: (progress: Progress & { readonly leftSec: number }) => void;
  readonly onEpoch: (row: EpochRow) => void;
}

/** What a cell shows while it trains: progress and a table, and below them curves, both replaced in place. */
export interface LiveScreen {
  /** Which runs are there already, and why one is not, each in its place; what it was told before is forgotten. */
  take(found: readonly { readonly run?: FinishedRun; readonly reason?: string }[]): void;
  /** A run begins, or goes on. */
  begin(index: number, epochs: number): RunWatch;
  /** What is shown of the runs. */
  runs(): readonly SeenRun[];
  /** Says something that stays. */
  remark(text: string): void;
  /** All runs are over: the table stays, the curves become a chart. */
  finish(runs: readonly FinishedRun[]): Promise<void>;
  /** It ended otherwise: says what the error says, and then `how` to go on. */
  fail(error: unknown, how: string): void;
}

/** A run as a screen leaves it for another one. */
export interface SeenRun extends LiveRun {
  /** That it was finished before, or why it could not be taken. */
  readonly before?: string;
  /** Finished before, and taken. */
  readonly isTaken?: boolean;
  /** What was told last of an epoch under way. */
  readonly last?: Progress;
}

interface Run {
  readonly name: string;
  epochs: number;
  trace: TracePoint[];
  rows: EpochRow[];
  before?: string;
  isTaken?: boolean;
  last?: Progress;
}

/** Opens the screen of a cell, for runs of these names; `seen` is what another one has shown of them. */
export function openLiveScreen(
  names: readonly string[],
  seen: readonly SeenRun[] = [],
): LiveScreen {
  const runs: Run[] = names.map((name, index) => {
    const before = seen.at(index);
    if (before === undefined) return { name, epochs: 1, trace: [], rows: [] };
    return { ...before, trace: [...before.trace], rows: [...before.rows] };
  });
  const remarks: string[] = [];
  const log = new Map<number, string>();
  let headline: string | undefined;
  let progress: LiveState['progress'];
  let note: string | undefined;
  let top: DisplayHandle | undefined;
  let bottom: DisplayHandle | undefined;

  const draw = (): void => {
    const begun = runs.filter(({ trace, rows }) => trace.length + rows.length > 0);
    const all = runs.length * Math.max(...runs.map(({ epochs }) => epochs));
    const done = runs.reduce(
      (sum, { trace, rows }) => sum + Math.max(trace.at(-1)?.at ?? 0, rows.length),
      0,
    );
    const first = headline ?? (names.length === 1 ? 'one run' : `${names.length} runs`);
    const before = runs.flatMap((run) => run.before ?? []);
    const state: LiveState = {
      headline: [first, ...before, ...remarks].join('\n'),
      log: [...log.values()],
      runs: begun,
      share: done / all,
      ...(progress === undefined ? {} : { progress }),
      ...(note === undefined ? {} : { note }),
    };
    const bundle = { 'text/html': liveHtml(state), 'text/plain': liveText(state) };
    top = display(bundle, top === undefined ? {} : { update: top });
    if (begun.length === 0) return;
    bottom = display(
      { 'text/html': liveCurves(begun), 'text/plain': '' },
      bottom === undefined ? {} : { update: bottom },
    );
  };

  return {
    take(found) {
      for (const [index, { run: taken, reason }] of found.entries()) {
        const { name } = runs[index];
        const run: Run = {
          name,
          epochs: taken?.experiment.run.epochs ?? 1,
          trace: [],
          rows: [],
        };
        if (taken !== undefined) {
          run.rows = [...taken.rows];
          run.isTaken = true;
          run.before = `${name}: ${finishedBefore(taken)}`;
        } else if (reason !== undefined) {
          run.before = `${name}: finished before, and trained again: ${reason}`;
        }
        runs[index] = run;
      }
      headline = undefined;
      log.clear();
      draw();
    },
    begin(index, epochs) {
      const run = runs[index];
      run.epochs = epochs;
      progress = undefined;
      /** What came since the last time, out of means since the epoch began. */
      const add = (at: number, now: Pick<Progress, 'epoch' | 'done' | 'loss' | 'acc'>): void => {
        const { done = 0, loss = 0, acc = 0 } = run.last?.epoch === now.epoch ? run.last : {};
        if (now.done <= done) return;
        const since = (mean: number, past: number): number =>
          (mean * now.done - past * done) / (now.done - done);
        run.trace.push({ at, loss: since(now.loss, loss), acc: since(now.acc, acc) });
      };
      let total = 0;
      const isBegun = run.trace.length + run.rows.length > 0;
      const place = `run ${index + 1} of ${runs.length} (${run.name}) at ${localtime()}`;
      log.set(index, `${isBegun ? 'Going on with' : 'Starting'} ${place}`);
      draw();
      return {
        onStart(started, epochSec) {
          // What was seen beyond the checkpoint that it resumes from does not count.
          run.rows = [...started.rows];
          run.trace = run.trace.filter(({ at }) => at < started.rows.length + 1);
          const epochsLeft = runs
            .filter(({ isTaken = false }, at) => at >= index && !isTaken)
            .reduce((sum, { rows }) => sum + epochs - rows.length, 0);
          const totalSec = epochsLeft * epochSec;
          const { machine, versions, precision } = started;
          headline =
            `${describe(started, runs.length)}\nabout ${durationText(totalSec)} on ${machine}; ` +
            `TensorFlow ${versions.tensorflow}, ${precision}`;
          draw();
          return totalSec;
        },
        onProgress(now) {
          progress = now;
          if (now.phase === 'train') {
            add(now.epoch - 1 + now.done / now.total, now);
            run.last = now;
            ({ total } = now);
          }
          draw();
        },
        onEpoch(row) {
          add(row.epoch, { epoch: row.epoch, done: total === 0 ? 1 : total, ...row.train });
          run.rows.push(row);
          if (row.epoch === epochs) {
            const acc = `test accuracy ${(100 * row.valid.acc).toFixed(2)} %`;
            log.set(index, `${log.get(index)}: ${acc} in ${row['total time'].toFixed(1)} s`);
          }
          draw();
        },
      };
    },
    runs: () => runs,
    remark(text) {
      remarks.push(text);
      draw();
    },
    async finish(finished) {
      headline ??= `${describe(finished[0], finished.length)}\nnothing to train: all of it was finished before`;
      note = summaryOf(finished);
      for (const [index, { result }] of finished.entries()) {
        if (result.divergedIn === undefined) continue;
        const told = log.get(index) ?? runs[index].name;
        log.set(index, `${told}: diverged in epoch ${result.divergedIn}`);
      }
      draw();
      await show(
        curves(runs, { title: titleOf(finished) }),
        bottom === undefined ? {} : { update: bottom },
      );
    },
    fail(error, how) {
      const text = error instanceof Error ? error.message : String(error);
      note = `${text}${how}`;
      draw();
    },
  };
}

function describe({ experiment, scale }: PlannedRun, count: number): string {
  const { run, data, net } = experiment;
  const images = data.subset === undefined ? '50,000' : data.subset.train.toLocaleString('en');
  const parameters = countTrainable(networkOf(experiment)).toLocaleString('en');
  const runs = count === 1 ? '' : `${count} runs, `;
  return (
    `${experiment.name}, ${scale} size: ${runs}${run.epochs} epochs of ${images} images, batch ${data.batchSize}, ` +
    `widths ${Object.values(net.channels).join('/')}, ${parameters} parameters`
  );
}

function finishedBefore({ started, machine, threads, result }: FinishedRun): string {
  const count = `${threads} thread${threads === 1 ? '' : 's'}`;
  return (
    `finished before, started on ${started.slice(0, 10)} (${machine}, ${count}), ` +
    `${result.trainSec.toFixed(1)} s of training`
  );
}

function titleOf(runs: readonly FinishedRun[]): string {
  const names = [...new Set(runs.map(({ name }) => name))];
  const { scale } = runs[0];
  const what = names.length > 3 ? `${names.length} records` : names.join(', ');
  return `${what}, ${scale} size`;
}

function summaryOf(runs: readonly FinishedRun[]): string {
  const seconds = runs.reduce((sum, { result }) => sum + result.trainSec, 0);
  const time = `${seconds.toFixed(1)} s of training`;
  const records = new Set(runs.map(({ name }) => name));
  if (runs.length === 1) return `test accuracy ${runs[0].result.accPercent.toFixed(2)} %, ${time}`;
  if (records.size > 1) return `${runs.length} runs, ${time} in all`;
  const { mean, sd } = summarise(runs.map(({ result }) => result.accPercent));
  return `test accuracy ${mean.toFixed(2)} ± ${(sd ?? 0).toFixed(2)} % (mean ± standard deviation of ${runs.length} runs), ${time} in all`;
}
