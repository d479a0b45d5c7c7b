import { UsageError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { scales } from '../catalogue/experiment';
import type { Experiment, Scale } from '../catalogue/experiment';
import { overridden } from '../catalogue/override';
import { defaultScale, scaled } from '../catalogue/scale';
import { parseDuration } from '../runs/budget';
import { extendRun } from '../runs/extend';
import { findAnyRuns, resultsFolder } from '../runs/find-runs';
import { epochsTo, frontierOf } from '../runs/frontier';
import type { FrontierPoint } from '../runs/frontier';
import type { FinishedRun } from '../runs/run';
import { resumeRun, trainExperiment } from '../runs/train';
import type { ResumeOptions } from '../runs/train';
import { changesOf, withChanges } from './change-flags';
import type { Change } from './change-flags';
import { engineFlags, engineOf } from './engine-flags';
import { oneOf, wholeNumber } from './flags';
import type { Given } from './flags';

/** Trains, resumes or extends a run. */
export type Start = (options: Omit<ResumeOptions, 'isInexact'>) => Promise<FinishedRun>;

/**
 * The action that the flags of `train` request.
 *
 * @param usage the command's usage, for an error
 * @throws UsageError, ExperimentError for contradictory flags, an experiment that does not exist, or invalid changes
 */
export function startOf(given: Given, usage: string): Start {
  return given.values.has('resume') ? resumption(given) : beginning(given, usage);
}

function beginning(given: Given, usage: string): Start {
  const [name] = given.positionals;
  if (name === undefined) {
    throw new UsageError(`train: EXPERIMENT is missing. Usage: cifar10-fast ${usage}`);
  }
  if (given.switches.has('inexact')) {
    throw new UsageError('--inexact needs --resume FOLDER.');
  }
  const base = findExperiment(name);
  const scale = oneOf(given, 'scale', scales, defaultScale(base));
  const seed = wholeNumber(given, 'seed', 0, 0);
  const changes = changesOf(given);
  const experiment = withChanges(scaled(base, scale), changes);
  const engine = engineOf(given);
  const logDir = given.values.get('log-dir') ?? 'runs';
  const budget = given.values.get('budget');
  const to = given.values.get('to');
  const atMost = given.values.get('at-most');
  checkOneLength(given, changes);
  if (to !== undefined) checkOnFrontier(name, scale, changes);
  const seconds = budget === undefined ? undefined : parseDuration(budget);
  const limit = atMost === undefined ? {} : { atMostSec: parseDuration(atMost, 'at-most') };
  const accPercent = to === undefined ? undefined : percentage(to);
  return async (options) => {
    const planned = accPercent === undefined ? experiment : await reaching(experiment, accPercent);
    return trainExperiment(planned, {
      ...options,
      seed,
      engine,
      logDir,
      // The time that this process has used so far counts.
      ...(seconds === undefined ? {} : { budget: { seconds, spentSec: performance.now() / 1000 } }),
      ...limit,
    });
  };
}

/** @throws UsageError if two flags set the length of a run */
function checkOneLength({ values }: Given, changes: readonly Change[]): void {
  const epochs = values.has('epochs') ? '--epochs' : '--set run.epochs';
  // --at-most shortens a run of any length but one that a budget sets.
  const flags = [
    ...['budget', 'to'].filter((flag) => values.has(flag)).map((flag) => `--${flag}`),
    ...(values.has('budget') && values.has('at-most') ? ['--at-most'] : []),
    ...(changes.some(({ path }) => path === 'run.epochs') ? [epochs] : []),
  ];
  if (flags.length < 2) return;
  throw new UsageError(
    `${flags[0]} and ${flags[1]} both set the length of the run. Give one of them.`,
  );
}

/** @throws UsageError if `--to` is given for a run other than those whose accuracies it knows */
function checkOnFrontier(name: string, scale: Scale, changes: readonly Change[]): void {
  const [change] = changes;
  if (scale === 'full' && change === undefined) return;
  const [what, repair] =
    change === undefined
      ? [`not at ${scale} scale`, 'Add --scale full']
      : [`without the change of ${change.path}`, 'Leave that out'];
  throw new UsageError(
    `--to estimates the length from full-scale runs of ${name} as it is, ${what}. ${repair}, or give a length by --epochs.`,
  );
}

/** @throws UsageError if a text is not a percentage above 0 */
function percentage(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 100) return value;
  throw new UsageError(`--to "${text}" is not a percentage. Give one, as in --to 94.`);
}

/** The experiment at the length needed for an accuracy. @throws RunError if the frontier does not reach it */
async function reaching(experiment: Experiment, accPercent: number): Promise<Experiment> {
  const epochs = epochsTo(await frontier(experiment.name), accPercent);
  return epochs === experiment.run.epochs
    ? experiment
    : overridden(experiment, 'run.epochs', epochs);
}

/** The committed runs of a catalogue experiment, by length. Files that are no results are skipped: they must not stop a training. */
export async function frontier(
  name: string,
  folder: string = resultsFolder,
): Promise<FrontierPoint[]> {
  const { epochs } = findExperiment(name).run;
  return frontierOf(await findAnyRuns(folder, { onNotice: () => undefined }), { name, epochs });
}

/** Flags that conflict with `--resume`, as the run's folder determines them; `--epochs +N` is the one exception. */
const decided = [
  'scale',
  'seed',
  ...Object.keys(engineFlags),
  'lr',
  'batch-size',
  'set',
  'log-dir',
  'budget',
  'to',
  'at-most',
];

function resumption(given: Given): Start {
  const folder = given.values.get('resume') ?? '';
  const flag = decided.find(
    (name) => given.values.has(name) || given.lists.has(name) || given.switches.has(name),
  );
  const extra = flag === undefined ? given.positionals[0] : `--${flag}`;
  if (extra !== undefined) {
    throw new UsageError(
      `train: --resume reads all settings of the run from ${folder}; leave out ${extra}.`,
    );
  }
  const isInexact = given.switches.has('inexact');
  const more = given.values.get('epochs');
  if (more === undefined) {
    return (options) =>
      resumeRun(folder, { ...options, isInexact, startSec: performance.now() / 1000 });
  }
  if (!/^\+[1-9]\d*$/.test(more)) {
    throw new UsageError(
      `--epochs "${more}": with --resume, give the number of epochs to add, as in --epochs +4.`,
    );
  }
  if (isInexact) {
    throw new UsageError(
      '--inexact resumes an unfinished run; --epochs +N makes a new one from a finished run. Leave one out.',
    );
  }
  return (options) => extendRun(folder, { ...options, epochs: Number(more) });
}
