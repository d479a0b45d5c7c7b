import { rm } from 'node:fs/promises';
import { findExperiment } from '../catalogue/catalogue';
import { scales } from '../catalogue/experiment';
import { scaled } from '../catalogue/scale';
import { trainDawnbench } from '../runs/dawnbench';
import type { DawnbenchRow, DawnbenchRun } from '../runs/dawnbench';
import { makeFolder } from '../runs/folder';
import { slowPrecision } from '../runs/run';
import { durationText, progressLine } from '../text/progress';
import { Table } from '../text/table';
import { tsv } from '../text/tsv';
import { loadData } from './data';
import { displayProgress } from './terminal';
import { engineFlags, engineOf } from './engine-flags';
import { oneOf, wholeNumber } from './flags';
import type { Command } from './flags';
import { createFree, writeOutput } from './output';
import { interruptSignal } from './stop-signals';
import { disturbanceText } from './train-text';
import { fixed } from '../text/fixed';
import { counted } from '../text/counted';

/** A script of the study as a command: its experiment, its flags, its output. */
function script(name: 'dawn' | 'new-dawn'): Command {
  return {
    name,
    positionals: [],
    flags: {
      'data-dir': {
        value: 'DIR',
        help: 'a folder with the official CIFAR-10 files, instead of the cache',
      },
      'log-dir': {
        value: 'DIR',
        help: 'where the run folder is created (default runs); if given, logs.tsv is also written there, under the next free name',
      },
      scale: {
        value: 'SCALE',
        help: 'full (default) as published; pocket: width / 4, epochs / 6; smoke: seconds',
      },
      seed: { value: 'N', help: 'initial weights, order and augmentation (default 0)' },
      precision: engineFlags.precision,
      xla: engineFlags.xla,
      json: { help: 'one JSON line per epoch and one at the end, for programs' },
    },
    examples: [name, `${name} --data_dir ~/data --log_dir logs`, `${name} --scale smoke --json`],
    run: async (given) => {
      const scale = oneOf(given, 'scale', scales, 'full');
      const seed = wholeNumber(given, 'seed', 0, 0);
      const logDir = given.values.get('log-dir') ?? 'runs';
      const isJson = given.switches.has('json');
      const experiment = scaled(findExperiment(name), scale);
      const say = (line: string): void => {
        if (!isJson) process.stdout.write(`${line}\n`);
      };
      const display = displayProgress();
      const { signal, release } = interruptSignal((text) => display.note(text));
      const rows: DawnbenchRow[] = [];
      let log: string | undefined;
      try {
        // Comes first, so that a folder that cannot be written fails immediately.
        await makeFolder(logDir, '--log-dir');
        if (given.values.has('log-dir'))
          log = await createFree(logDir, 'logs', '.tsv', '--log-dir');
        say('Loading CIFAR-10');
        const data = await loadData(given, display, { signal });
        const table = new Table<DawnbenchRow>({ write: say });
        const run = await trainDawnbench(experiment, {
          data,
          seed,
          logDir,
          engine: engineOf(given),
          signal,
          say,
          onEstimate: (plan, totalSec) => {
            for (const warning of slowPrecision(plan)) display.note(warning);
            display.note(
              `${name}, ${scale} scale: about ${durationText(totalSec)} for ${counted(experiment.run.epochs, 'epoch')} on ` +
                `${plan.machine}, ${plan.precision}`,
            );
          },
          onProgress: (progress) => display.show(progressLine(progress, display.width)),
          onEpoch: async (row) => {
            rows.push(row);
            display.clear();
            if (isJson) process.stdout.write(`${JSON.stringify(row)}\n`);
            else table.append(row);
            if (log !== undefined) await writeOutput(log, tsv(rows), '--log-dir');
          },
        });
        if (isJson) process.stdout.write(`${JSON.stringify(runLine(run, log))}\n`);
        else for (const line of ['', ...endText(run, log)]) say(line);
        return 0;
      } finally {
        display.clear();
        release();
        if (log !== undefined && rows.length === 0) await rm(log, { force: true });
      }
    },
  };
}

function runLine(run: DawnbenchRun, log: string | undefined): object {
  const { name: record, scale, seed, mode, precision, result, preprocessSec, load, path } = run;
  const { accPercent, trainSec: totalSec } = result;
  const about = { record, scale, seed, mode, precision, accPercent, totalSec, preprocessSec };
  return { ...about, load, folder: path, ...(log === undefined ? {} : { log }) };
}

function endText(run: DawnbenchRun, log: string | undefined): string[] {
  const { accPercent, trainSec } = run.result;
  return [
    `test accuracy ${fixed(accPercent, 2)} %, ${trainSec.toFixed(1)} s by DAWNBench's rule (preprocessing counted, validation not)`,
    ...disturbanceText(run),
    `kept in ${run.path}${log === undefined ? '' : `, log also in ${log}`}`,
  ];
}

/** `dawn`: the script of post 4. */
export const dawn: Command = script('dawn');

/** `new-dawn`: the script of post 8. */
export const newDawn: Command = script('new-dawn');
