import { UsageError } from '../base/errors';
import { loadCifar10 } from '../data/cifar10';
import { hardwareLine, precisions } from '../engine/hardware';
import type { RunPlan } from '../experiments/about';
import { findExperiment } from '../experiments/catalogue';
import { scales } from '../experiments/record';
import type { Experiment } from '../experiments/record';
import { networkOf } from '../experiments/run';
import { scaled } from '../experiments/scale';
import { trainRecord } from '../experiments/train-record';
import { countTrainable } from '../nn/network';
import { durationText, progressLine } from '../report/progress';
import { Table } from '../report/table';
import type { EpochRow } from '../train/loop';
import { dataLine } from './data';
import { displayProgress } from './display';
import { oneOf, wholeNumber } from './flags';
import type { Command } from './flags';
import { interruptSignal } from './interrupt';

/** `train`: one record, from data to a run folder. */
export const train: Command = {
  name: 'train',
  summary: 'Trains a record of the catalogue on CIFAR-10 and keeps the run in a folder.',
  positionals: ['RECORD'],
  flags: {
    scale: {
      value: 'SCALE',
      help: 'full as published; pocket (default): all images, width / 4, epochs / 6; smoke: seconds',
    },
    seed: { value: 'N', help: 'initial weights, order and augmentation (default 0)' },
    precision: {
      value: 'P',
      help: 'auto (default): what this hardware computes fastest in; or fp32, bf16, fp16',
    },
    eager: { help: 'run kernel by kernel in fp32, as TF.js does, instead of the captured step' },
    'data-dir': {
      value: 'DIR',
      help: 'a folder with the official CIFAR-10 files, instead of the cache',
    },
    'log-dir': { value: 'DIR', help: 'where the run folder is made (default runs)' },
    json: { help: 'one JSON line an epoch and one at the end, for programs' },
  },
  examples: ['train demo', 'train demo --scale full --seed 1', 'train demo --scale smoke --json'],
  run: async (given) => {
    const scale = oneOf(given, 'scale', scales, 'pocket');
    const seed = wholeNumber(given, 'seed', 0, 0);
    const isEager = given.switches.has('eager');
    const wanted = oneOf(given, 'precision', ['auto', ...precisions], isEager ? 'fp32' : 'auto');
    if (isEager && wanted !== 'fp32') {
      throw new UsageError(`--eager computes in fp32 only; leave out --precision ${wanted}.`);
    }
    const record = findExperiment(given.positionals[0]);
    const isJson = given.switches.has('json');
    const say = (text: string): void => {
      if (!isJson) process.stdout.write(`${text}\n`);
    };
    const display = displayProgress();
    const { signal, release } = interruptSignal((text) => display.note(text));
    try {
      const data = await loadCifar10({
        dataDir: given.values.get('data-dir'),
        signal,
        onNotice: (message) => display.note(message),
        onProgress: (at) => display.show(dataLine(at)),
      });
      display.clear();
      const printed = new Table<EpochRow>({ write: say });
      const { about, result, preprocessSec, folder } = await trainRecord(scaled(record, scale), {
        data,
        seed,
        engine: {
          mode: isEager ? 'eager' : 'captured',
          ...(wanted === 'auto' ? {} : { precision: wanted }),
        },
        logDir: given.values.get('log-dir') ?? 'runs',
        signal,
        onPrepare: (plan) => say(headline(plan)),
        onStart: ({ epochSec, about: { experiment } }) =>
          say(`about ${durationText(experiment.run.epochs * epochSec)} on this machine\n`),
        onProgress: (progress) => display.show(progressLine(progress, display.width)),
        onEpoch: (row) => {
          display.clear();
          if (isJson) process.stdout.write(`${JSON.stringify(row)}\n`);
          else printed.append(row);
        },
      });
      if (isJson) {
        const { mode, precision } = about;
        const { accPercent, trainSec, imagesPerSec } = result;
        process.stdout.write(
          `${JSON.stringify({ record: about.record, scale, seed, mode, precision, accPercent, trainSec, imagesPerSec, preprocessSec, folder })}\n`,
        );
      } else {
        say(
          `\ntest accuracy ${result.accPercent.toFixed(2)} %, ${result.trainSec.toFixed(1)} s of training ` +
            `(validation and ${preprocessSec.toFixed(2)} s of preprocessing not counted), ` +
            `${result.imagesPerSec.toFixed(0)} images/s`,
        );
        say(`kept in ${folder}: run.json, log.jsonl, logs.tsv, net.svg`);
        say(nextStep(about.experiment, scale, seed));
      }
      return 0;
    } finally {
      display.clear();
      release();
    }
  },
};

function headline({ experiment, scale, seed, precision, hardware, versions }: RunPlan): string {
  const { name, net, run, data } = experiment;
  const images = data.subset === undefined ? '50,000' : data.subset.train.toLocaleString('en');
  const parameters = countTrainable(networkOf(experiment)).toLocaleString('en');
  return (
    `${name}, ${scale} size: ${run.epochs} epochs of ${images} images, batch ${data.batchSize}, ` +
    `widths ${Object.values(net.channels).join('/')}, ${parameters} parameters\n` +
    `on ${hardwareLine(hardware)}; TensorFlow ${versions.tensorflow}, ${precision}, seed ${seed}`
  );
}

function nextStep({ name, published }: Experiment, scale: string, seed: number): string {
  if (scale === 'full')
    return `next: npx cifar10-fast train ${name} --scale full --seed ${seed + 1}`;
  const goal = published === undefined ? '' : ` (published: ${published.accPercent} %)`;
  return `next: npx cifar10-fast train ${name} --scale full${goal}; it says beforehand how long it takes`;
}
