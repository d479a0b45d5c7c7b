import type { Experiment } from '../catalogue/experiment';
import type { Run } from '../runs/run';
import { columnsText } from '../text/columns';
import { fullRuns, pflopOf, runsOf, secondsText } from '../runs/full-runs';
import { summarise } from './stats';
import { fixed } from '../text/fixed';
import { intervalText } from '../text/spread';

/** One step of a study, with the results of full-scale runs here and the published figures. */
export interface StepRow {
  readonly step: string;
  readonly title: string;
  readonly epochs: number;
  /** Number of full-scale runs; 0 if there are none yet. */
  readonly runs: number;
  /** Mean test accuracy in percent, and the ends of its 95 % interval; absent if there are too few runs. */
  readonly accPercent?: number;
  readonly low?: number;
  readonly high?: number;
  /** Seconds of training by kind of machine. */
  readonly seconds?: string;
  /** 10^15 floating-point operations of a run, counted from its graph; absent without runs, unless counted separately. */
  readonly pflop?: number;
  /** Published accuracy in percent, runs and seconds. */
  readonly published?: string;
}

/**
 * The steps of a study, in order, with the evidence for each: full-scale runs at the experiment's own length.
 *
 * @param counted operations of a run by step, in PFLOP, for steps without runs
 */
export function stepRows(
  experiments: readonly Experiment[],
  runs: readonly Run[],
  counted: Readonly<Record<string, number>> = {},
): StepRow[] {
  const groups = fullRuns(runs);
  return experiments.map((experiment) => {
    const { name, title, run } = experiment;
    const own = runsOf(groups, name);
    const count = pflopOf(own) ?? counted[name];
    const published = publishedText(experiment);
    const seconds = secondsText(own);
    return {
      step: name,
      title,
      epochs: run.epochs,
      runs: own.length,
      ...accuracyOf(own),
      ...(seconds === undefined ? {} : { seconds }),
      ...(count === undefined ? {} : { pflop: count }),
      ...(published === '' ? {} : { published }),
    };
  });
}

/** Mean and interval as text: `94.13 (94.03 to 94.23)`; a single run has no interval. */
export function meanText({ runs, accPercent, ...ends }: StepRow): string {
  if (accPercent === undefined) return 'no run yet';
  return `${fixed(accPercent, 2)} (${intervalText(ends) ?? `${runs} run: no interval`})`;
}

/** The steps as a table for a terminal. */
export function stepsText(rows: readonly StepRow[]): string {
  const titles = [
    'step',
    'epochs',
    'n',
    'mean % (95 % interval)',
    'PFLOP',
    'published',
    'training s',
  ];
  const cells = rows.map((row) => [
    row.step,
    String(row.epochs),
    String(row.runs),
    meanText(row),
    row.pflop?.toFixed(3) ?? '-',
    row.published ?? '-',
    row.seconds ?? '-',
  ]);
  return columnsText(titles, cells);
}

function accuracyOf(runs: ReturnType<typeof runsOf>): Pick<StepRow, 'accPercent' | 'low' | 'high'> {
  if (runs.length === 0) return {};
  const { mean, interval } = summarise(
    runs.map(({ result }) => result.accPercent),
    { target: null },
  );
  return { accPercent: mean, ...interval };
}

function publishedText({ published }: Experiment): string {
  const { accPercent, timeSec, runs } = published ?? {};
  const parts = [
    ...(accPercent === undefined ? [] : [`${accPercent} %`]),
    ...(timeSec === undefined ? [] : [`${timeSec} s`]),
    ...(runs === undefined ? [] : [`n = ${runs.toLocaleString('en')}`]),
  ];
  return parts.join(', ');
}
