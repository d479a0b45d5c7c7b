import { InterruptedError, UsageError } from '../base/errors';
import { loadCifar10 } from '../data/cifar10';
import { fastestPrecision, hardwareLine, precisions, readHardware } from '../engine/hardware';
import { loadTensorflow } from '../engine/tensorflow';
import { findExperiment } from '../experiments/catalogue';
import { scales } from '../experiments/record';
import type { Experiment } from '../experiments/record';
import { networkOf, prepareRun, resultOf } from '../experiments/run';
import { scaled } from '../experiments/scale';
import { dot } from '../graph/dot';
import { svg } from '../graph/svg';
import { countTrainable } from '../nn/network';
import { durationText, progressLine } from '../report/progress';
import { Table } from '../report/table';
import { timeLeft } from '../report/time-left';
import { tsv } from '../report/tsv';
import { createRunFolder } from '../runs/folder';
import type { RunFolder } from '../runs/folder';
import type { EpochRow } from '../train/loop';
import { wallClock } from '../train/timer';
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
    const experiment = scaled(record, scale);
    const isJson = given.switches.has('json');
    const say = (text: string): void => {
      if (!isJson) process.stdout.write(`${text}\n`);
    };
    const display = displayProgress();
    const { signal, release } = interruptSignal((text) => display.note(text));
    const rows: EpochRow[] = [];
    const started = new Date();
    let folder: RunFolder | undefined;

    const hardware = readHardware();
    const tensorflow = loadTensorflow();
    const precision = wanted === 'auto' ? fastestPrecision(hardware, tensorflow.gpu) : wanted;
    const engine = { mode: isEager ? 'eager' : 'captured', precision } as const;
    try {
      const data = await loadCifar10({
        dataDir: given.values.get('data-dir'),
        signal,
        onNotice: (message) => display.note(message),
        onProgress: (at) => display.show(dataLine(at)),
      });
      display.clear();
      const graph = networkOf(experiment);
      const { epochs } = experiment.run;
      say(headline(experiment, scale, countTrainable(graph)));
      say(
        `on ${hardwareLine(hardware)}; TensorFlow ${tensorflow.version}, ${precision}, seed ${seed}`,
      );

      let epochSec = 0;
      let epochStart = 0;
      const { trainer, preprocessSec, imagesPerEpoch } = prepareRun(experiment, data, seed, {
        engine,
        signal,
        onProgress: (progress) => {
          const validSec = rows.at(-1)?.valid.time ?? 0;
          const leftSec = timeLeft(progress, wallClock() - epochStart, { epochSec, validSec });
          display.show(progressLine({ ...progress, leftSec }, display.width));
        },
      });
      try {
        ({ epochSec } = await trainer.warmUp());
        say(`about ${durationText(epochs * epochSec)} on this machine\n`);
        folder = await createRunFolder(
          given.values.get('log-dir') ?? 'runs',
          `${record.name}-${scale}-${seed}`,
        );
        const versions = { node: process.versions.node, tensorflow: tensorflow.version };
        const about = {
          record: record.name,
          scale,
          seed,
          started: started.toISOString(),
          ...engine,
          algorithms: trainer.session.algorithms,
          experiment,
          versions,
          hardware,
        };
        await folder.write('run.json', `${JSON.stringify(about, null, 2)}\n`);
        await folder.write('net.svg', await svg(dot(graph, { name: record.name })));

        const printed = new Table<EpochRow>({ write: say });
        for (let epoch = 1; epoch <= epochs; epoch++) {
          epochStart = wallClock();
          const row = await trainer.runEpoch(epoch);
          epochSec = row.train.time + row.valid.time;
          rows.push(row);
          display.clear();
          if (isJson) process.stdout.write(`${JSON.stringify(row)}\n`);
          else printed.append(row);
          await folder.write('log.jsonl', rows.map((past) => `${JSON.stringify(past)}\n`).join(''));
          await folder.write('logs.tsv', tsv(rows));
        }
        const result = resultOf(rows, imagesPerEpoch);
        await folder.write(
          'run.json',
          `${JSON.stringify({ ...about, result, preprocessSec }, null, 2)}\n`,
        );
        if (isJson) {
          const { accPercent, trainSec, imagesPerSec } = result;
          process.stdout.write(
            `${JSON.stringify({ record: record.name, scale, seed, ...engine, accPercent, trainSec, imagesPerSec, preprocessSec, folder: folder.path })}\n`,
          );
        } else {
          say(
            `\ntest accuracy ${result.accPercent.toFixed(2)} %, ${result.trainSec.toFixed(1)} s of training ` +
              `(validation and ${preprocessSec.toFixed(2)} s of preprocessing not counted), ` +
              `${result.imagesPerSec.toFixed(0)} images/s`,
          );
          say(`kept in ${folder.path}: run.json, log.jsonl, logs.tsv, net.svg`);
          say(nextStep(record, scale, seed));
        }
        return 0;
      } finally {
        trainer.dispose();
      }
    } catch (error) {
      if (!(error instanceof InterruptedError) || folder === undefined) throw error;
      const kept =
        rows.length === 0
          ? `No epoch was finished; ${folder.path} holds what was to be run.`
          : `${rows.length} finished epoch${rows.length === 1 ? ' is' : 's are'} kept in ${folder.path}.`;
      throw new InterruptedError(`${error.message} ${kept}`, { cause: error });
    } finally {
      display.clear();
      release();
    }
  },
};

function headline(experiment: Experiment, scale: string, parameters: number): string {
  const { net, run, data } = experiment;
  const images = data.subset === undefined ? '50,000' : data.subset.train.toLocaleString('en');
  return (
    `${experiment.name}, ${scale} size: ${run.epochs} epochs of ${images} images, batch ${data.batchSize}, ` +
    `widths ${Object.values(net.channels).join('/')}, ${parameters.toLocaleString('en')} parameters`
  );
}

function nextStep({ name, published }: Experiment, scale: string, seed: number): string {
  if (scale === 'full')
    return `next: npx cifar10-fast train ${name} --scale full --seed ${seed + 1}`;
  const goal = published === undefined ? '' : ` (published: ${published.accPercent} %)`;
  return `next: npx cifar10-fast train ${name} --scale full${goal}; it says beforehand how long it takes`;
}
