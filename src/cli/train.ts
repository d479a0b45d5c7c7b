import { slowPrecision } from '../runs/run';
import type { FinishedRun } from '../runs/run';
import type { KeptCheckpoints } from '../runs/checkpoint';
import { progressLine } from '../text/progress';
import { Table } from '../text/table';
import type { EpochRow } from '../train/training';
import { changeFlags } from './change-flags';
import { loadData } from './data';
import { displayProgress } from './terminal';
import { engineFlags } from './engine-flags';
import { usage, wholeNumber } from './flags';
import type { Command, Given } from './flags';
import { interruptSignal } from './stop-signals';
import { startOf } from './train-start';
import { forecast, headline, nextStep, outcome } from './train-text';

/** `train`: trains one experiment and stores the run in a folder. */
export const train: Command = {
  name: 'train',
  positionals: ['[EXPERIMENT]'],
  flags: {
    scale: {
      value: 'SCALE',
      help: 'full as published; pocket: all images, width / 4, epochs / 6; smoke: seconds (default: full for experiments that reach 94 % in minutes, else pocket)',
    },
    seed: { value: 'N', help: 'initial weights, order and augmentation (default 0)' },
    ...engineFlags,
    ...changeFlags,
    budget: {
      value: 'TIME',
      help: 'time for training and evaluation, such as 5m, 90s or 1h; lengthens or shortens the run to fit',
    },
    'at-most': {
      value: 'TIME',
      help: 'if the run would take longer on this machine, print that and train for two thirds of TIME',
    },
    to: {
      value: 'PERCENT',
      help: 'train for as long as this accuracy is expected to take, according to the runs in results/',
    },
    'data-dir': {
      value: 'DIR',
      help: 'a folder with the official CIFAR-10 files, instead of the cache',
    },
    'log-dir': { value: 'DIR', help: 'where the run folder is created (default runs)' },
    checkpoints: {
      value: 'N',
      help: 'how many checkpoints to keep, one per epoch: the last N (default 2; 0 for none), or all',
    },
    resume: {
      value: 'FOLDER',
      help: 'resume the run in FOLDER, with a bit-identical result; with --epochs +N, train a finished run further',
    },
    inexact: {
      help: 'resume even if the processor or TensorFlow changed; run.json records it',
    },
    json: { help: 'one JSON line per epoch and one at the end, for programs' },
  },
  examples: [
    'train demo',
    'train demo --scale full --seed 1',
    'train demo --epochs 8 --lr 0.6 --set net.channels.prep=32',
    'train demo --scale smoke --json',
    'train fastest --budget 5m',
    'train fastest --to 93.5',
    'train --resume runs/demo-pocket-0',
    'train --resume runs/demo-pocket-0 --epochs +4',
  ],
  run: async (given) => {
    const start = startOf(given, usage(train));
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
        onPrepare: (run) => {
          say(headline(run));
          for (const warning of slowPrecision(run)) display.note(warning);
        },
        onStart: async (run, expected) => {
          const { rows } = run;
          await forecast(run, expected).then((text) => say(`${text}\n`));
          for (const row of rows) show(row);
        },
        onProgress: (progress) => display.show(progressLine(progress, display.width)),
        onEpoch: show,
      });
      if (isJson) process.stdout.write(`${JSON.stringify(runLine(run))}\n`);
      else for (const line of ['', ...outcome(run), nextStep(run)]) say(line);
      return 0;
    } finally {
      display.clear();
      release();
    }
  },
};

/** A finished run as `--json` prints it. */
function runLine(run: FinishedRun): object {
  const { scale, seed, mode, precision, preprocessSec, path: folder, load, experiment } = run;
  const {
    accPercent,
    tta,
    divergedIn,
    trainSec,
    evaluationSec = 0,
    imagesPerSec,
    pflop,
  } = run.result;
  return {
    record: run.name,
    scale,
    seed,
    overrides: experiment.overrides,
    mode,
    precision,
    accPercent,
    ttaAccPercent: tta?.accPercent,
    divergedIn,
    trainSec,
    evaluationSec,
    imagesPerSec,
    pflop,
    preprocessSec,
    load,
    folder,
  };
}

function checkpointCount(given: Given): { readonly checkpoints?: KeptCheckpoints } {
  const text = given.values.get('checkpoints');
  if (text === undefined) return {};
  return { checkpoints: text === 'all' ? 'all' : wholeNumber(given, 'checkpoints', 0, 2) };
}
