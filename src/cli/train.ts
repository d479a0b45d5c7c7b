import { join } from 'node:path';
import { UsageError } from '../base/errors';
import type { FinishedRun, PlannedRun } from '../runs/run';
import { findExperiment } from '../catalogue/catalogue';
import { overridden, parseOverride } from '../catalogue/override';
import { scales } from '../catalogue/experiment';
import type { Experiment } from '../catalogue/experiment';
import { networkOf } from '../catalogue/network';
import { defaultScale, scaled } from '../catalogue/scale';
import { parseDuration } from '../runs/budget';
import { findAnyRuns } from '../runs/find-runs';
import { epochsTo, expectedAccPercent, frontierOf } from '../runs/frontier';
import type { FrontierPoint } from '../runs/frontier';
import { resumeRun, trainExperiment } from '../runs/train';
import type { Expected, ResumeOptions } from '../runs/train';
import { countTrainable } from '../nn/network';
import { durationText, progressLine } from '../text/progress';
import { Table } from '../text/table';
import type { KeptCheckpoints } from '../runs/checkpoint';
import type { EpochRow } from '../train/training';
import { loadData } from './data';
import { displayProgress } from './terminal';
import { engineFlags, engineOf } from './engine-flags';
import { oneOf, usage, wholeNumber } from './flags';
import type { Command, Given } from './flags';
import { interruptSignal } from './stop-signals';

/** `train`: one experiment, from data to a run folder. */
export const train: Command = {
  name: 'train',
  summary:
    'Trains an experiment of the catalogue on CIFAR-10 and keeps the run in a folder; resumes one.',
  positionals: ['[EXPERIMENT]'],
  flags: {
    scale: {
      value: 'SCALE',
      help: 'full as published; pocket: all images, width / 4, epochs / 6; smoke: seconds (default: full for what reaches 94 % in minutes, else pocket)',
    },
    seed: { value: 'N', help: 'initial weights, order and augmentation (default 0)' },
    ...engineFlags,
    set: {
      value: 'PATH=VALUE',
      help: 'change the experiment after scaling, as in --set optim.lr=0.6; may be repeated',
      isRepeatable: true,
    },
    budget: {
      value: 'TIME',
      help: 'train for so long, as in 5m, 90s or 1h, evaluation included: the run is made longer or shorter to fit',
    },
    'at-most': {
      value: 'TIME',
      help: 'if the run would take longer on this machine, say so and train for two thirds of this time',
    },
    to: {
      value: 'PERCENT',
      help: 'train as long as this accuracy is expected to take, by the runs in results/',
    },
    'data-dir': {
      value: 'DIR',
      help: 'a folder with the official CIFAR-10 files, instead of the cache',
    },
    'log-dir': { value: 'DIR', help: 'where the run folder is made (default runs)' },
    checkpoints: {
      value: 'N',
      help: 'how many checkpoints to keep, one per epoch: the last N (default 2), or all',
    },
    resume: {
      value: 'FOLDER',
      help: 'resume the run in FOLDER, with a bit-identical result; all settings are read there',
    },
    inexact: {
      help: 'resume although processor or TensorFlow changed; run.json records it',
    },
    json: { help: 'one JSON line an epoch and one at the end, for programs' },
  },
  examples: [
    'train demo',
    'train demo --scale full --seed 1',
    'train demo --set optim.lr=0.6 --set net.channels.prep=32',
    'train demo --scale smoke --json',
    'train fastest --budget 5m',
    'train fastest --to 93.5',
    'train --resume runs/demo-pocket-0',
  ],
  run: async (given) => {
    const start = given.values.has('resume') ? resumption(given) : beginning(given);
    const isJson = given.switches.has('json');
    const say = (text: string): void => {
      if (!isJson) process.stdout.write(`${text}\n`);
    };
    const display = displayProgress();
    const { signal, release } = interruptSignal((text) => display.note(text));
    try {
      const data = await loadData(given, display, { signal });
      const printed = new Table<EpochRow>({ write: say });
      const show = (row: EpochRow): void => {
        display.clear();
        if (isJson) process.stdout.write(`${JSON.stringify(row)}\n`);
        else printed.append(row);
      };
      const run = await start({
        data,
        ...checkpointCount(given),
        signal,
        onNotice: (message) => display.note(message),
        onPrepare: (run) => say(headline(run)),
        onStart: async (run, expected) => {
          const { rows } = run;
          await forecast(run, expected).then((text) => say(`${text}\n`));
          for (const row of rows) show(row);
        },
        onProgress: (progress) => display.show(progressLine(progress, display.width)),
        onEpoch: show,
      });
      const { experiment, scale, seed, result, preprocessSec, path: folder } = run;
      const { evaluationSec = 0, pflop } = result;
      if (isJson) {
        const { mode, precision } = run;
        const { accPercent, tta, divergedIn, trainSec, imagesPerSec } = result;
        const { overrides } = experiment;
        process.stdout.write(
          `${JSON.stringify({ record: run.name, scale, seed, overrides, mode, precision, accPercent, ttaAccPercent: tta?.accPercent, divergedIn, trainSec, evaluationSec, imagesPerSec, pflop, preprocessSec, folder })}\n`,
        );
      } else {
        const { tta, divergedIn } = result;
        if (divergedIn !== undefined) {
          say(`\ntraining diverged in epoch ${divergedIn}; this experiment may end so`);
        }
        const mirrored =
          tta === undefined ? '' : ` (${tta.accPercent.toFixed(2)} % with mirror images)`;
        say(
          `\ntest accuracy ${result.accPercent.toFixed(2)} %${mirrored}, ${result.trainSec.toFixed(1)} s of training ` +
            `(validation and ${preprocessSec.toFixed(2)} s of preprocessing not counted), ` +
            `${result.imagesPerSec.toFixed(0)} images/s`,
        );
        if (pflop !== undefined && scale === 'full') {
          say(
            `${pflop.toFixed(4)} PFLOP of convolutions and matrix products, the last evaluation (${evaluationSec.toFixed(1)} s) ` +
              'included',
          );
        }
        if (experiment.post > 8 && scale === 'full') {
          const seconds = (result.trainSec + evaluationSec).toFixed(0);
          say(
            `${seconds} s with the last evaluation, beside 79 s and 26 s of the study on a V100 (posts 4 and 8) and 1.83 s of ` +
              'the newest record on an A100',
          );
        }
        say(`kept in ${folder}: run.json, log.jsonl, logs.tsv, net.svg, checkpoint, events`);
        say(nextStep(experiment, scale, seed));
      }
      return 0;
    } finally {
      display.clear();
      release();
    }
  },
};

/** Trains or resumes. */
type Start = (options: Omit<ResumeOptions, 'isInexact'>) => Promise<FinishedRun>;

/** @throws UsageError, ExperimentError for an experiment that does not exist or cannot be changed as asked */
function beginning(given: Given): Start {
  const [name] = given.positionals;
  if (name === undefined) {
    throw new UsageError(`train: EXPERIMENT is missing. Usage: cifar10-fast ${usage(train)}`);
  }
  if (given.switches.has('inexact')) {
    throw new UsageError('--inexact needs --resume FOLDER.');
  }
  const base = findExperiment(name);
  const scale = oneOf(given, 'scale', scales, defaultScale(base));
  const seed = wholeNumber(given, 'seed', 0, 0);
  const experiment = (given.lists.get('set') ?? [])
    .map(parseOverride)
    .reduce((record, { path, value }) => overridden(record, path, value), scaled(base, scale));
  const engine = engineOf(given);
  const logDir = given.values.get('log-dir') ?? 'runs';
  const budget = given.values.get('budget');
  const to = given.values.get('to');
  const atMost = given.values.get('at-most');
  if (budget !== undefined && (to ?? atMost) !== undefined) {
    throw new UsageError(
      `--budget and --${to === undefined ? 'at-most' : 'to'} both decide how long the run is. Give one of them.`,
    );
  }
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
      // What this process has used so far counts.
      ...(seconds === undefined ? {} : { budget: { seconds, spentSec: performance.now() / 1000 } }),
      ...limit,
    });
  };
}

/** @throws UsageError if a text is not a percentage above 0 */
function percentage(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 100) return value;
  throw new UsageError(`--to "${text}" is not a percentage. Give one, as in --to 94.`);
}

/** The experiment at the length that an accuracy takes. @throws RunError if the frontier does not reach it */
async function reaching(experiment: Experiment, accPercent: number): Promise<Experiment> {
  const epochs = epochsTo(await frontier(experiment.name), accPercent);
  return epochs === experiment.run.epochs
    ? experiment
    : overridden(experiment, 'run.epochs', epochs);
}

/** The committed runs of an experiment of the catalogue by their length. */
async function frontier(name: string): Promise<FrontierPoint[]> {
  const { epochs } = findExperiment(name).run;
  return frontierOf(await findAnyRuns(resultsFolder), { name, epochs });
}

/** `results/` of the checkout or the package. */
const resultsFolder = join(__dirname, '../../results');

/** What is known before training: time, operations and, of an experiment with a frontier, accuracy. */
async function forecast(
  { rows, budget, experiment, machine, scale }: PlannedRun,
  { epochSec, epochs, pflop, shortenedFromSec }: Expected,
): Promise<string> {
  const left = epochs - rows.length;
  const before = rows.length === 0 ? '' : `${rows.length} epochs are finished; `;
  const time =
    budget === undefined
      ? `about ${durationText(left * epochSec)} on this machine`
      : `${epochs.toFixed(2)} epochs fit into ${durationText(budget.seconds)} on this machine` +
        (shortenedFromSec === undefined
          ? ''
          : `, where all ${experiment.run.epochs} would take ${durationText(shortenedFromSec)}`);
  if (pflop === undefined) return `${before}${time}`;
  const cost = `${before}${time}; ${pflop.toFixed(3)} PFLOP`;
  const isOnFrontier =
    scale === 'full' &&
    (experiment.overrides ?? []).every((change) => change.startsWith('run.epochs='));
  const points = isOnFrontier ? await frontier(experiment.name) : [];
  const acc = expectedAccPercent(points, pflop);
  if (acc === undefined) return cost;
  const elsewhere = points.every(({ machines }) => !machines.includes(machine))
    ? ', measured on other machines'
    : '';
  return `${cost}, about ${acc.toFixed(1)} % test accuracy${elsewhere}`;
}

/** @throws UsageError if something is given that the run's folder says */
function resumption(given: Given): Start {
  const folder = given.values.get('resume') ?? '';
  const decided = [
    'scale',
    'seed',
    ...Object.keys(engineFlags),
    'set',
    'log-dir',
    'budget',
    'to',
    'at-most',
  ].find((name) => given.values.has(name) || given.lists.has(name) || given.switches.has(name));
  const extra = decided === undefined ? given.positionals[0] : `--${decided}`;
  if (extra !== undefined) {
    throw new UsageError(
      `train: --resume reads everything that decides the run from ${folder}; leave out ${extra}.`,
    );
  }
  const isInexact = given.switches.has('inexact');
  return (options) => resumeRun(folder, { ...options, isInexact });
}

function checkpointCount(given: Given): { readonly checkpoints?: KeptCheckpoints } {
  const text = given.values.get('checkpoints');
  if (text === undefined) return {};
  return { checkpoints: text === 'all' ? 'all' : wholeNumber(given, 'checkpoints', 0, 2) };
}

function headline({
  experiment,
  scale,
  seed,
  precision,
  xla,
  machine,
  versions,
}: PlannedRun): string {
  const { name, net, run, data, overrides = [] } = experiment;
  const changes = overrides.length === 0 ? '' : `changed: ${overrides.join(', ')}\n`;
  const images = data.subset === undefined ? '50,000' : data.subset.train.toLocaleString('en');
  const parameters = countTrainable(networkOf(experiment)).toLocaleString('en');
  return (
    `${name}, ${scale} size: ${run.epochs} epoch${run.epochs === 1 ? '' : 's'} of ${images} images, batch ${data.batchSize}, ` +
    `widths ${Object.values(net.channels).join('/')}, ${parameters} parameters\n` +
    changes +
    `on ${machine}; TensorFlow ${versions.tensorflow}, ${precision}${xla ? ', XLA' : ''}, seed ${seed}`
  );
}

function nextStep(
  { name, published, overrides = [] }: Experiment,
  scale: string,
  seed: number,
): string {
  const changes = overrides.map((change) => ` --set '${change}'`).join('');
  const command = `npx cifar10-fast train ${name} --scale full${changes}`;
  if (scale === 'full') return `next: ${command} --seed ${seed + 1}`;
  const { accPercent } = published ?? {};
  const goal = accPercent === undefined ? '' : ` (published: ${accPercent} %)`;
  return `next: ${command}${goal}; it says beforehand how long it takes`;
}
