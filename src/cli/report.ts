import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { ReportError, RunError, UsageError } from '../base/errors';
import { speedrunSteps } from '../catalogue/speedrun-steps';
import { findGroup } from '../report/group-names';
import { compareGroups, reportRuns } from '../report/groups';
import type { RunReport } from '../report/groups';
import { mistakesOf, mistakesSections } from '../report/mistakes';
import { reportPage } from '../report/report-page';
import { comparisonText, reportJson, reportText } from '../report/report-text';
import { stepRows, stepsText } from '../report/step-table';
import { predictSplit, readPredictions, writePredictions } from '../runs/predictions';
import { findAnyRuns, findRuns, resultsFolder } from '../runs/find-runs';
import type { FindOptions } from '../runs/find-runs';
import type { Run } from '../runs/run';
import { readTrained } from '../runs/trained-network';
import { subset } from '../data/cifar10';
import { loadData } from './data';
import { displayProgress } from './terminal';
import { checkUnread } from './flags';
import type { Command, Given } from './flags';
import { openPage } from './open-page';
import { writeOutput } from './output';
import { counted } from '../text/counted';

/** `report`: statistics of finished runs. */
export const report: Command = {
  name: 'report',
  positionals: ['[RUNS…]'],
  flags: {
    goal: {
      value: 'PERCENT',
      help: 'target test accuracy: counts the runs that reach it (default 94)',
    },
    compare: {
      value: 'A B',
      help: 'compare two groups by a t-test, named as in the table or shorter (default RUNS: runs and results)',
    },
    steps: {
      help: 'from the last network of post 8 to fastest, step by step: full-scale runs, PFLOP, published figures',
    },
    output: {
      value: 'FILE',
      short: 'o',
      help: 'also write an HTML page with tables and figures, which works offline',
    },
    open: {
      help: 'write the page (default: report.html beside the runs) and open it in the browser',
    },
    predictions: {
      help: 'classify the test images with every run that has a checkpoint, for the page; stored in the run folder',
    },
    'data-dir': {
      value: 'DIR',
      help: 'a folder with the official CIFAR-10 files (default: the cache)',
    },
    json: { help: 'one JSON object, for programs' },
  },
  examples: [
    'report',
    'report runs results -o report.html',
    'report runs/demo-pocket-0 --predictions -o report.html',
    'report runs/demo-pocket-0 --open',
    'report --compare post1-baseline post4-final-24',
    'report results --steps',
  ],
  run: async (given) => {
    if (given.switches.has('steps')) checkUnread(given, 'report --steps', ['steps', 'json']);
    const writesPage = given.values.has('output') || given.switches.has('open');
    if (!writesPage && !given.switches.has('predictions') && given.values.has('data-dir')) {
      throw new UsageError('report: --data-dir needs --predictions, --output or --open.');
    }
    const pair = given.lists.get('compare');
    const { runs, where } = await chosenRuns(given.positionals, pair !== undefined, {
      onNotice: (text) => displayProgress().note(text),
    });
    if (given.switches.has('steps')) {
      const rows = stepRows(speedrunSteps, runs);
      const text = given.switches.has('json') ? JSON.stringify(rows) : stepsText(rows);
      process.stdout.write(`${text}\n`);
      return 0;
    }
    const found = reportRuns(runs, { goal: percentage(given, 'goal', 94) });
    const compared = pair === undefined ? undefined : namedPair(found, pair, where);
    const isOpened = given.switches.has('open');
    const output =
      given.values.get('output') ?? (isOpened ? await pageBeside(given.positionals[0]) : undefined);
    if (given.switches.has('predictions')) await makePredictions(found, given);
    if (output !== undefined) await writePage(output, '--output', found, given, compared);
    if (isOpened && output !== undefined) await openPage(output);
    const comparison = compared === undefined ? undefined : compareGroups(found, ...compared);
    if (given.switches.has('json')) {
      const json = { ...reportJson(found), ...(comparison === undefined ? {} : { comparison }) };
      process.stdout.write(`${JSON.stringify(json)}\n`);
      return 0;
    }
    process.stdout.write(`${reportText(found)}\n`);
    if (comparison !== undefined && compared !== undefined) {
      process.stdout.write(`\n${comparisonText(...compared, comparison)}\n${where}\n`);
    }
    if (output !== undefined) process.stdout.write(`\nwritten to ${output}\n`);
    return 0;
  },
};

/** Writes the page of a report, with the mistakes of the runs whose predictions are stored. */
export async function writePage(
  output: string,
  flag: string,
  found: RunReport,
  given: Given,
  compared?: readonly [a: string, b: string],
): Promise<void> {
  const mistakes = await mistakesOf(found);
  const sections =
    mistakes.length === 0
      ? []
      : mistakesSections(mistakes, await loadData(given, displayProgress(), {}));
  await writeOutput(output, await reportPage(found, compared, sections), flag);
}

/**
 * The requested runs, and a sentence on where they are. Default: those in `runs`; for a comparison also those in `results`, of
 * this folder or else of the package.
 */
async function chosenRuns(
  paths: readonly string[],
  isComparing: boolean,
  options: FindOptions,
): Promise<{ readonly runs: readonly Run[]; readonly where: string }> {
  if (!isComparing || paths.length > 0) {
    const asked = paths.length === 0 ? ['runs'] : paths;
    return { runs: await findRuns(asked, options), where: `Searched ${asked.join(', ')}.` };
  }
  const isHere = existsSync('results') || !existsSync(resultsFolder);
  const results = isHere ? 'results' : relative('.', resultsFolder);
  const searched = await Promise.all(
    ['runs', results].map(async (path) => ({ path, runs: await findAnyRuns(path, options) })),
  );
  const told = searched.map(({ path, runs }) => `${path} (${counted(runs.length, 'run')})`);
  const where = `Searched ${told.join(' and ')}.`;
  const runs = searched.flatMap((one) => one.runs);
  if (runs.length === 0) {
    throw new RunError(`report: there are no runs to compare. ${where} Name a folder with runs.`);
  }
  return { runs, where };
}

/** The labels of two groups, from the names on the command line. */
function namedPair(
  { groups }: RunReport,
  [a, b]: readonly string[],
  where: string,
): readonly [a: string, b: string] {
  try {
    return [findGroup(groups, a).label, findGroup(groups, b).label];
  } catch (error) {
    if (!(error instanceof ReportError)) throw error;
    throw new ReportError(`${error.message} ${where}`, { cause: error });
  }
}

/** The default path of the page: in the folder of the runs. */
async function pageBeside(path = 'runs'): Promise<string> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return join(isFolder ? path : dirname(path), 'report.html');
}

/** Classifies the test images with every run of a report that has its final checkpoint and no predictions yet. */
async function makePredictions({ groups }: RunReport, given: Given): Promise<void> {
  const display = displayProgress();
  const missing: string[] = [];
  for (const { path = '', experiment } of groups.flatMap(({ runs }) => runs)) {
    // A file in results/ has no network.
    if (experiment !== undefined && (await readPredictions(path)) === undefined) missing.push(path);
  }
  if (missing.length === 0) return;
  const { valid } = await loadData(given, display, {});
  for (const [index, path] of missing.entries()) {
    display.show(`test images: run ${index + 1} of ${missing.length}, ${path}`);
    try {
      const trained = await readTrained(path);
      if (trained.warning !== undefined) {
        display.note(trained.warning);
        continue;
      }
      const count = trained.experiment.data.subset?.valid ?? valid.labels.length;
      await writePredictions(path, await predictSplit(trained, subset(valid, count)));
    } catch (error) {
      if (!(error instanceof RunError)) throw error;
      // Other runs may have predictions, and the page uses those.
      display.note(error.message);
    }
  }
  display.clear();
}

/** The percentage given for a flag, or `fallback`. */
export function percentage(given: Given, name: string, fallback: number): number {
  const text = given.values.get(name);
  if (text === undefined) return fallback;
  const value = Number(text.replace(/ ?%$/, ''));
  if (text.trim() === '' || !(value > 0 && value <= 100)) {
    throw new UsageError(
      `--${name} "${text}" is not a percentage. Give a number up to 100, as in --${name} ${fallback}.`,
    );
  }
  return value;
}
