import { InterruptedError } from '../base/errors';
import { hardwareLine } from '../engine/hardware';
import { networkOf } from '../experiments/run';
import type { FinishedRun, RunStart } from '../experiments/train-record';
import { countTrainable } from '../nn/network';
import { localtime } from '../report/localtime';
import { durationText } from '../report/progress';
import type { Progress } from '../report/progress';
import { summarise } from '../report/stats';
import type { EpochRow } from '../train/loop';
import { curves } from './curves';
import { display } from './display';
import type { DisplayHandle } from './display';
import { show } from './figure';
import { liveCurves, liveHtml, liveText } from './live-view';
import type { LiveState, TracePoint } from './live-view';

/** Follows one run: what `trainRecord` tells. */
export interface RunWatch {
  /** @returns seconds that all runs together will take */
  readonly onStart: (start: RunStart) => number;
  readonly onProgress: (progress: Progress & { readonly leftSec: number }) => void;
  readonly onEpoch: (row: EpochRow) => void;
}

/** What a cell shows while it trains: progress and a table, and below them curves, both replaced in place. */
export interface LiveScreen {
  /** A run begins, or begins again. */
  begin(index: number, epochs: number): RunWatch;
  /** Says something that stays. */
  remark(text: string): void;
  /** All runs are over: the table stays, the curves become a chart. */
  finish(runs: readonly FinishedRun[]): Promise<void>;
  /** It ended otherwise; says where, and `how` to go on. */
  fail(error: unknown, how: string): void;
}

interface Run {
  readonly name: string;
  epochs: number;
  trace: TracePoint[];
  rows: EpochRow[];
}

/** Opens the screen of a cell, for runs of these names. */
export function openLiveScreen(names: readonly string[]): LiveScreen {
  const runs: Run[] = names.map((name) => ({ name, epochs: 1, trace: [], rows: [] }));
  const remarks: string[] = [];
  const log: string[] = [];
  let headline = names.length === 1 ? 'one run' : `${names.length} runs`;
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
    const state: LiveState = {
      headline: [headline, ...remarks].join('\n'),
      log,
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
    begin(index, epochs) {
      const run = runs[index];
      Object.assign(run, { epochs, trace: [], rows: [] });
      progress = undefined;
      let before: Progress | undefined;
      /** What came since the last time, out of means since the epoch began. */
      const add = (at: number, now: Pick<Progress, 'epoch' | 'done' | 'loss' | 'acc'>): void => {
        const { done = 0, loss = 0, acc = 0 } = before?.epoch === now.epoch ? before : {};
        if (now.done <= done) return;
        const since = (mean: number, past: number): number =>
          (mean * now.done - past * done) / (now.done - done);
        run.trace.push({ at, loss: since(now.loss, loss), acc: since(now.acc, acc) });
      };
      let total = 0;
      // Begun again, in another size: what it was before does not count.
      log.length = index;
      log.push(`Starting run ${index + 1} of ${runs.length} (${run.name}) at ${localtime()}`);
      draw();
      return {
        onStart(start) {
          const totalSec = runs.length * epochs * start.epochSec;
          headline = describe(start, runs.length, totalSec);
          draw();
          return totalSec;
        },
        onProgress(now) {
          progress = now;
          if (now.phase === 'train') {
            add(now.epoch - 1 + now.done / now.total, now);
            before = now;
            ({ total } = now);
          }
          draw();
        },
        onEpoch(row) {
          add(row.epoch, { epoch: row.epoch, done: total === 0 ? 1 : total, ...row.train });
          run.rows.push(row);
          if (row.epoch === epochs) {
            const acc = `test accuracy ${(100 * row.valid.acc).toFixed(2)} %`;
            log[index] += `: ${acc} in ${row['total time'].toFixed(1)} s`;
          }
          draw();
        },
      };
    },
    remark(text) {
      remarks.push(text);
      draw();
    },
    async finish(finished) {
      note = summaryOf(finished);
      draw();
      await show(
        curves(runs, { title: titleOf(finished) }),
        bottom === undefined ? {} : { update: bottom },
      );
    },
    fail(error, how) {
      const text = error instanceof Error ? error.message : String(error);
      note = error instanceof InterruptedError ? `${text} ${how}` : text;
      draw();
    },
  };
}

function describe({ about }: RunStart, count: number, totalSec: number): string {
  const { experiment, scale, hardware, versions, precision } = about;
  const { run, data, net } = experiment;
  const images = data.subset === undefined ? '50,000' : data.subset.train.toLocaleString('en');
  const parameters = countTrainable(networkOf(experiment)).toLocaleString('en');
  const runs = count === 1 ? '' : `${count} runs, `;
  return (
    `${experiment.name}, ${scale} size: ${runs}${run.epochs} epochs of ${images} images, batch ${data.batchSize}, ` +
    `widths ${Object.values(net.channels).join('/')}, ${parameters} parameters\n` +
    `about ${durationText(totalSec)} on ${hardwareLine(hardware)}; TensorFlow ${versions.tensorflow}, ${precision}`
  );
}

function titleOf(runs: readonly FinishedRun[]): string {
  const names = [...new Set(runs.map(({ about }) => about.record))];
  const { scale } = runs[0].about;
  const what = names.length > 3 ? `${names.length} records` : names.join(', ');
  return `${what}, ${scale} size`;
}

function summaryOf(runs: readonly FinishedRun[]): string {
  const seconds = runs.reduce((sum, { result }) => sum + result.trainSec, 0);
  const time = `${seconds.toFixed(1)} s of training`;
  const records = new Set(runs.map(({ about }) => about.record));
  if (runs.length === 1) return `test accuracy ${runs[0].result.accPercent.toFixed(2)} %, ${time}`;
  if (records.size > 1) return `${runs.length} runs, ${time} in all`;
  const { mean, sd } = summarise(runs.map(({ result }) => result.accPercent));
  return `test accuracy ${mean.toFixed(2)} ± ${(sd ?? 0).toFixed(2)} % (mean ± standard deviation of ${runs.length} runs), ${time} in all`;
}
