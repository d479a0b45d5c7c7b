import { catalogue, findExperiment } from '../catalogue/catalogue';
import type { Published } from '../catalogue/experiment';
import { findAnyRuns, resultsFolder } from '../runs/find-runs';
import { executionText } from '../runs/execution';
import { isTimed } from '../runs/load';
import { runChanges } from '../runs/run-changes';
import type { Run } from '../runs/run';
import { withoutRepetitions } from '../report/groups';
import { summarise } from '../report/stats';
import { fixed } from '../text/fixed';
import { spreadText } from '../text/spread';
import { flatten } from '../text/table';
import type { FlatRow } from '../text/table';
import type { Figure } from './figure';
import { tabulate } from './tabulate';

/**
 * The stored results of `results/`, at every scale and on any hardware; empty if there are none.
 *
 * @param experiment the name of their experiment; default: all
 * @throws ExperimentError if there is no such experiment
 * @throws RunError if a file is damaged
 */
export async function recordedRuns(experiment?: string): Promise<readonly Run[]> {
  const wanted = experiment === undefined ? undefined : findExperiment(experiment).name;
  const runs = await findAnyRuns(resultsFolder);
  return wanted === undefined ? runs : runs.filter((run) => run.name === wanted);
}

/**
 * The epochs of runs as rows for charts and statistics: `record`, `scale`, `seed`, then the columns of the epoch table,
 * groups joined with "_" as in `valid_acc`.
 */
export function epochRows(runs: readonly Run[]): FlatRow[] {
  return runs.flatMap(({ name: record, scale, seed, rows }) =>
    rows.map((row) => ({ record, scale, seed, ...flatten(row, '_') })),
  );
}

/**
 * The results of runs as a table: those of this notebook, other stored ones (with hardware, scale and day; of one seed on one
 * machine the latest), and published ones. The table says if an experiment was never run.
 *
 * @param experiments names of experiments to list even if they were not run
 * @throws ExperimentError if one of `experiments` does not exist
 * @example
 * ```ts
 * await show(comparison(await trainLive('post4-final-20')));
 * ```
 */
export async function comparison(
  runs: readonly Run[],
  experiments: readonly string[] = [],
): Promise<Figure> {
  const names = [...new Set([...runs.map(({ name }) => name), ...experiments])];
  const everything = await recordedRuns();
  const { kinds } = withoutRepetitions(everything);
  const latest = new Set(kinds.flat());
  const rows = names.map((name) => {
    const own = runs.filter((run) => run.name === name);
    // Runs may be of an experiment of the user.
    const experiment = own.length > 0 ? catalogue.get(name) : findExperiment(name);
    const recorded = everything.filter((run) => run.name === (experiment?.name ?? name));
    const others = recorded.filter(
      (run) => latest.has(run) && !own.some((each) => isSameRun(run, each)),
    );
    const nothing = { record: name, source: 'stored', on: 'no run of this experiment yet' };
    return [
      ...grouped(own.flatMap(lineOf), 'this notebook'),
      ...(own.length + recorded.length === 0 ? [nothing] : []),
      ...grouped(others.flatMap(lineOf), 'stored'),
      ...publishedRows(name, experiment?.published),
    ];
  });
  const isSingle = names.length === 1;
  const columns = {
    ...(isSingle ? {} : { record: 'experiment' }),
    source: '',
    scale: '',
    accuracy: 'test accuracy %',
    time: 'training s',
    on: '',
  };
  // Some experiments have no measured or published time, or no accuracy.
  const held = Object.entries(columns).filter(([key]) => rows.flat().some((row) => key in row));
  return tabulate(rows.flat(), {
    ...(isSingle ? { title: names[0] } : {}),
    columns: Object.fromEntries(held),
  });
}

/** One run, as the table needs it. */
interface Line {
  readonly record: string;
  /** The scale, and what was changed, as in `full, run.epochs=1`. */
  readonly scale: string;
  /** Hardware, execution and day: runs that share them form one line. */
  readonly on: string;
  readonly accPercent: number;
  /** Undefined if the run's times do not count. */
  readonly trainSec: number | undefined;
}

function lineOf(run: Run): Line[] {
  const { name, scale, machine, started, result } = run;
  if (result === undefined) return [];
  const { accPercent } = result;
  const trainSec = isTimed(run) ? result.trainSec : undefined;
  const on = `${machine}, ${executionText(run)}, ${started.slice(0, 10)}`;
  return [
    { record: name, scale: [scale, ...runChanges(run)].join(', '), on, accPercent, trainSec },
  ];
}

/**
 * Whether a stored run is this one. A stored result has only the day, and its figures are rounded to two decimals.
 */
export function isSameRun(recorded: Run, run: Run): boolean {
  const [a, b] = [recorded.result, run.result];
  return (
    recorded.name === run.name &&
    recorded.scale === run.scale &&
    recorded.seed === run.seed &&
    recorded.machine === run.machine &&
    recorded.precision === run.precision &&
    String(runChanges(recorded)) === String(runChanges(run)) &&
    recorded.started.slice(0, 10) === run.started.slice(0, 10) &&
    a !== undefined &&
    b !== undefined &&
    Math.abs(a.accPercent - b.accPercent) < 0.0051 &&
    Math.abs(a.trainSec - b.trainSec) < 0.0051
  );
}

/** Merges lines of one scale and one machine into one, with mean and spread. */
function grouped(lines: readonly Line[], source: string): FlatRow[] {
  const groups = new Map<string, Line[]>();
  for (const line of lines) {
    const key = `${line.scale}\n${line.on}`;
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  return [...groups.values()].map((group) => {
    const [{ record, scale, on }] = group;
    const many = group.length === 1 ? '' : `, ${group.length} runs`;
    return {
      record,
      source: `${source}${many}`,
      scale,
      accuracy: spread(
        group.map(({ accPercent }) => accPercent),
        2,
      ),
      ...timeOf(group),
      on,
    };
  });
}

/** Mean and spread of the times that count, and the number of their runs if not all count. */
function timeOf(group: readonly Line[]): { readonly time?: string } {
  const times = group.flatMap(({ trainSec }) => trainSec ?? []);
  if (times.length === 0) return {};
  const some = times.length === group.length ? '' : ` (${times.length} of ${group.length})`;
  return { time: `${spread(times, 1)}${some}` };
}

function spread(values: readonly number[], decimals: number): string {
  return spreadText(summarise(values, { target: null }), decimals);
}

/** Hardware and note of published figures; some notes name the hardware themselves. */
function sourceText({ hardware, note }: Published): string {
  return note.includes(hardware) ? note : `${hardware}; ${note}`;
}

function publishedRows(name: string, published: Published | undefined): FlatRow[] {
  if (published === undefined) return [];
  const { accPercent, timeSec } = published;
  return [
    {
      record: name,
      source: 'published',
      scale: 'full',
      ...(accPercent === undefined ? {} : { accuracy: fixed(accPercent, 2) }),
      ...(timeSec === undefined ? {} : { time: timeSec.toFixed(1) }),
      on: sourceText(published),
    },
  ];
}
