import { UsageError } from '../base/errors';
import { hardwareLine, precisions } from '../engine/hardware';
import type { RunPlan } from '../experiments/about';
import { findExperiment } from '../experiments/catalogue';
import { overridden, parseOverride } from '../experiments/override';
import { scales } from '../experiments/record';
import type { Experiment } from '../experiments/record';
import { networkOf } from '../experiments/run';
import { scaled } from '../experiments/scale';
import { trainRecord } from '../experiments/train-record';
import { countTrainable } from '../nn/network';
import { durationText, progressLine } from '../report/progress';
import { Table } from '../report/table';
import type { EpochRow } from '../train/loop';
import { loadData } from './data';
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
    set: {
      value: 'PATH=VALUE',
      help: 'change the record, as in --set optim.lr=0.6; may be repeated; acts after the size',
      isRepeatable: true,
    },
    'data-dir': {
      value: 'DIR',
      help: 'a folder with the official CIFAR-10 files, instead of the cache',
    },
    'log-dir': { value: 'DIR', help: 'where the run folder is made (default runs)' },
    json: { help: 'one JSON line an epoch and one at the end, for programs' },
  },
  examples: [
    'train demo',
    'train demo --scale full --seed 1',
    'train demo --set optim.lr=0.6 --set net.channels.prep=32',
    'train demo --scale smoke --json',
  ],
  run: async (given) => {
    const scale = oneOf(given, 'scale', scales, 'pocket');
    const seed = wholeNumber(given, 'seed', 0, 0);
    const isEager = given.switches.has('eager');
    const wanted = oneOf(given, 'precision', ['auto', ...precisions], isEager ? 'fp32' : 'auto');
    if (isEager && wanted !== 'fp32') {
      throw new UsageError(`--eager computes in fp32 only; leave out --precision ${wanted}.`);
    }
    const experiment = (given.lists.get('set') ?? [])
      .map(parseOverride)
      .reduce(
        (record, { path, value }) => overridden(record, path, value),
        scaled(findExperiment(given.positionals[0]), scale),
      );
    const isJson = given.switches.has('json');
    const say = (text: string): void => {
      if (!isJson) process.stdout.write(`${text}\n`);
    };
    const display = displayProgress();
    const { signal, release } = interruptSignal((text) => display.note(text));
    try {
      const data = await loadData(given, display, { signal });
      const printed = new Table<EpochRow>({ write: say });
      const { about, result, preprocessSec, folder } = await trainRecord(experiment, {
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
        const { accPercent, tta, divergedIn, trainSec, imagesPerSec } = result;
        const { overrides } = experiment;
        process.stdout.write(
          `${JSON.stringify({ record: about.record, scale, seed, overrides, mode, precision, accPercent, ttaAccPercent: tta?.accPercent, divergedIn, trainSec, imagesPerSec, preprocessSec, folder })}\n`,
        );
      } else {
        const { tta, divergedIn } = result;
        if (divergedIn !== undefined) {
          say(
            `\nthe loss is no finite number in epoch ${divergedIn}, which this record may end with`,
          );
        }
        const mirrored =
          tta === undefined ? '' : ` (${tta.accPercent.toFixed(2)} % with mirror images)`;
        say(
          `\ntest accuracy ${result.accPercent.toFixed(2)} %${mirrored}, ${result.trainSec.toFixed(1)} s of training ` +
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
  const { name, net, run, data, overrides = [] } = experiment;
  const changes = overrides.length === 0 ? '' : `changed: ${overrides.join(', ')}\n`;
  const images = data.subset === undefined ? '50,000' : data.subset.train.toLocaleString('en');
  const parameters = countTrainable(networkOf(experiment)).toLocaleString('en');
  return (
    `${name}, ${scale} size: ${run.epochs} epoch${run.epochs === 1 ? '' : 's'} of ${images} images, batch ${data.batchSize}, ` +
    `widths ${Object.values(net.channels).join('/')}, ${parameters} parameters\n` +
    changes +
    `on ${hardwareLine(hardware)}; TensorFlow ${versions.tensorflow}, ${precision}, seed ${seed}`
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
