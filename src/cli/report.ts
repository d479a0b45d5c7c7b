import { RunError, UsageError } from '../base/errors';
import { speedrunSteps } from '../catalogue/speedrun-steps';
import { compareGroups, reportRuns } from '../report/groups';
import type { RunReport } from '../report/groups';
import { mistakesOf, mistakesSections } from '../report/mistakes';
import { reportPage } from '../report/report-page';
import { comparisonText, reportJson, reportText } from '../report/report-text';
import { stepRows, stepsText } from '../report/step-table';
import { predictSplit, readPredictions, writePredictions } from '../runs/predictions';
import { findRuns } from '../runs/find-runs';
import { readTrained } from '../runs/trained-network';
import { subset } from '../data/cifar10';
import { loadData } from './data';
import { displayProgress } from './terminal';
import type { Command, Given } from './flags';
import { writeOutput } from './output';

/** `report`: what finished runs came to. */
export const report: Command = {
  name: 'report',
  summary: 'Statistics of finished runs beside the published figures, as a table, JSON or a page.',
  positionals: ['[RUNS…]'],
  flags: {
    goal: { value: 'PERCENT', help: 'test accuracy that runs are counted at (default 94)' },
    compare: { value: 'A B', help: 'compare two rows of the table by a t-test' },
    steps: {
      help: 'from the last network of post 8 to fastest, step by step: full-scale runs, PFLOP, published figures',
    },
    output: {
      value: 'FILE',
      short: 'o',
      help: 'also write an HTML page with tables and figures; it opens without a network',
    },
    predictions: {
      help: 'classify the test images by every run with a checkpoint, for the page; kept in its folder',
    },
    'data-dir': { value: 'DIR', help: 'where CIFAR-10 lies (default: the cache)' },
    json: { help: 'one JSON object, for programs' },
  },
  examples: [
    'report',
    'report runs results -o report.html',
    'report runs/demo-pocket-0 --predictions -o report.html',
    'report --compare post1-baseline post4-final-24',
    'report results --steps',
  ],
  run: async (given) => {
    const paths = given.positionals.length === 0 ? ['runs'] : given.positionals;
    const runs = await findRuns(paths);
    if (given.switches.has('steps')) {
      const rows = stepRows(speedrunSteps, runs);
      const text = given.switches.has('json') ? JSON.stringify(rows) : stepsText(rows);
      process.stdout.write(`${text}\n`);
      return 0;
    }
    const found = reportRuns(runs, { goal: percentage(given, 'goal', 94) });
    const pair = given.values.get('compare')?.split(' ');
    if (pair !== undefined && pair.length !== 2) {
      throw new UsageError('--compare needs 2 values: --compare A B.');
    }
    const [a, b] = pair ?? [];
    const compared = a === undefined || b === undefined ? undefined : ([a, b] as const);
    const output = given.values.get('output');
    if (given.switches.has('predictions')) await makePredictions(found, given);
    if (output !== undefined) {
      const mistakes = await mistakesOf(found);
      const sections =
        mistakes.length === 0
          ? []
          : mistakesSections(mistakes, await loadData(given, displayProgress(), {}));
      await writeOutput(output, reportPage(found, compared, sections), '--output');
    }
    const comparison = compared === undefined ? undefined : compareGroups(found, ...compared);
    if (given.switches.has('json')) {
      const json = { ...reportJson(found), ...(comparison === undefined ? {} : { comparison }) };
      process.stdout.write(`${JSON.stringify(json)}\n`);
      return 0;
    }
    process.stdout.write(`${reportText(found)}\n`);
    if (comparison !== undefined && compared !== undefined) {
      process.stdout.write(`\n${comparisonText(...compared, comparison)}\n`);
    }
    if (output !== undefined) process.stdout.write(`\nwritten to ${output}\n`);
    return 0;
  },
};

/** Classifies the test images by every run of a report that has a checkpoint, unless it was done before. */
async function makePredictions({ groups }: RunReport, given: Given): Promise<void> {
  const display = displayProgress();
  const missing: string[] = [];
  for (const { path = '', experiment } of groups.flatMap(({ runs }) => runs)) {
    // A file of results/ has no network.
    if (experiment !== undefined && (await readPredictions(path)) === undefined) missing.push(path);
  }
  if (missing.length === 0) return;
  const { valid } = await loadData(given, display, {});
  for (const [index, path] of missing.entries()) {
    display.show(`test images: run ${index + 1} of ${missing.length}, ${path}`);
    try {
      const trained = await readTrained(path);
      const count = trained.experiment.data.subset?.valid ?? valid.labels.length;
      await writePredictions(path, await predictSplit(trained, subset(valid, count)));
    } catch (error) {
      if (!(error instanceof RunError)) throw error;
      // Other runs may well have theirs; the page is made of those.
      display.note(error.message);
    }
  }
  display.clear();
}

/** A percentage given for a flag, or `fallback`. */
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
