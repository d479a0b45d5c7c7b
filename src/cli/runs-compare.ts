import { basename, resolve } from 'node:path';
import { Cifar10FastError, UsageError } from '../base/errors';
import { catalogue } from '../catalogue/catalogue';
import { differencesAmong } from '../catalogue/differences';
import type { Experiment } from '../catalogue/experiment';
import { parseOverride } from '../catalogue/override';
import { scaled } from '../catalogue/scale';
import { executionText } from '../runs/execution';
import { findRuns } from '../runs/find-runs';
import { isTimed, mostOthers, othersShare } from '../runs/load';
import type { Run } from '../runs/run';
import { runPath } from '../runs/stored';
import { columnsText } from '../text/columns';
import { withChanges } from './change-flags';
import { accText } from './runs-text';

/** `runs compare`: compares runs side by side, as a table or as JSON. */
export async function compareRuns(
  names: readonly string[],
  { logDir, isJson }: { readonly logDir: string; readonly isJson: boolean },
): Promise<number> {
  if (names.length < 2) {
    throw new UsageError('runs compare: give two runs or more: cifar10-fast runs compare RUN RUN.');
  }
  const found = [];
  for (const name of names) {
    const runs = await findRuns([await runPath(name, logDir)]);
    if (runs.length > 1) {
      throw new UsageError(`runs compare: ${name} holds ${runs.length} runs. Name one of them.`);
    }
    found.push(runs[0]);
  }
  if (isJson) {
    const experiments = found.map(experimentOf).filter((one) => one !== undefined);
    const isComplete = experiments.length === found.length;
    const json = {
      runs: found.map(({ path = '', rows, name: record, ...run }) => {
        const { scale, seed, overrides, budget, result, load } = run;
        const about = { path, record, scale, seed, overrides, budget, result, load };
        return { ...about, accPercentByEpoch: rows.map(({ valid }) => 100 * valid.acc) };
      }),
      ...(isComplete ? { differs: differencesAmong(experiments) } : {}),
    };
    process.stdout.write(`${JSON.stringify(json)}\n`);
    return 0;
  }
  const titles = names.map((name) => basename(resolve(name)));
  process.stdout.write(`${comparisonTable(found, titles)}\n`);
  return 0;
}

/** Runs side by side: their settings and results, every value that differs, and test accuracy by epoch. */
function comparisonTable(runs: readonly Run[], names: readonly string[]): string {
  const facts: readonly (readonly [title: string, of: (run: Run) => string])[] = [
    ['experiment', ({ name }) => name],
    ['scale', ({ scale }) => scale],
    ['seed', ({ seed }) => String(seed)],
    ['precision', executionText],
    ['threads', ({ threads }) => String(threads ?? '-')],
    ['machine', ({ machine }) => machine],
    ['TensorFlow', ({ versions }) => versions?.tensorflow ?? '-'],
    ['started', ({ started }) => started.slice(0, 16).replace('T', ' ')],
    ['budget s', ({ budget }) => String(budget?.seconds ?? '-')],
    ['epochs', ({ rows, experiment }) => epochsText(rows.length, experiment)],
    ['test accuracy %', ({ result }) => accText(result?.accPercent)],
    ['with mirror images %', ({ result }) => accText(result?.tta?.accPercent)],
    ['test loss', ({ result }) => result?.loss?.toFixed(4) ?? '-'],
    ['training s', ({ result }) => result?.trainSec.toFixed(1) ?? '-'],
    ['images/s', ({ result }) => result?.imagesPerSec.toFixed(0) ?? '-'],
    ['PFLOP', ({ result }) => result?.pflop?.toPrecision(4) ?? '-'],
    ['own CPU %', ({ load }) => shareText(load && load.cpuSec / (load.wallSec * load.cores))],
    ['others %', ({ load }) => shareText(othersShare(load))],
  ];
  const isKnown = (cells: readonly string[]): boolean => cells.some((cell) => cell !== '-');
  const rows = facts
    .map(([title, of]) => [title, ...runs.map(of)])
    .filter(([, ...cells]) => isKnown(cells));
  const untimed = names.filter((_, index) => runs[index].result && !isTimed(runs[index]));
  return [
    columnsText(['', ...names], rows),
    '',
    ...changesText(runs, names),
    ...curveText(runs, names),
    ...(untimed.length === 0
      ? []
      : [
          `Times of ${untimed.join(', ')} do not count: other programs used more than ${100 * mostOthers} % of the processor, or an unknown share.`,
          '',
        ]),
  ]
    .join('\n')
    .trimEnd();
}

function changesText(runs: readonly Run[], names: readonly string[]): string[] {
  const experiments = runs.map(experimentOf);
  const known = experiments.filter((experiment) => experiment !== undefined);
  if (known.length < experiments.length) {
    return ['The experiments cannot be compared: a run did not store its values.', ''];
  }
  const found = differencesAmong(known);
  if (found.length === 0) return ['The experiments have the same values.', ''];
  const rows = found.map(({ path, values }) => [path, ...values.map(shortened)]);
  return [columnsText(['differs', ...names], rows), ''];
}

/** Truncates to 40 characters. */
function shortened(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}

function curveText(runs: readonly Run[], names: readonly string[]): string[] {
  const last = Math.max(...runs.map(({ rows }) => rows.length));
  if (last < 1) return [];
  const rows = Array.from({ length: last }, (_, index) => [
    String(index + 1),
    ...runs.map(({ rows }) => accText(rows[index] && 100 * rows[index].valid.acc)),
  ]);
  return [columnsText(['test % after epoch', ...names], rows), ''];
}

/** The experiment of a run, rebuilt from the catalogue for a file in `results/`. Undefined if that fails. */
function experimentOf({ experiment, name, scale, overrides }: Run): Experiment | undefined {
  const base = catalogue.get(name);
  if (experiment !== undefined || base === undefined) return experiment;
  try {
    return withChanges(scaled(base, scale), overrides.map(parseOverride));
  } catch (error) {
    if (error instanceof Cifar10FastError) return undefined;
    throw error;
  }
}

function epochsText(done: number, experiment: Experiment | undefined): string {
  const planned = experiment?.run.epochs;
  return planned === undefined ? '-' : `${done}/${planned}`;
}

function shareText(share: number | undefined): string {
  return share === undefined ? '-' : (100 * share).toFixed(1);
}
