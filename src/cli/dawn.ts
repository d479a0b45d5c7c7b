import { join } from 'node:path';
import { InterruptedError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { trainDawnbench } from '../runs/dawnbench';
import type { DawnbenchRow } from '../runs/dawnbench';
import { scales } from '../catalogue/experiment';
import { scaled } from '../catalogue/scale';
import { durationText, progressLine } from '../text/progress';
import { Table } from '../text/table';
import { tsv } from '../text/tsv';
import { makeFolder } from '../runs/folder';
import { loadData } from './data';
import { displayProgress } from './terminal';
import { engineFlags, engineOf } from './engine-flags';
import { oneOf, wholeNumber } from './flags';
import type { Command } from './flags';
import { writeOutput } from './output';
import { interruptSignal } from './stop-signals';

/** A script of the study as a command: its record, its flags, its words and its `logs.tsv`. */
function script(name: 'dawn' | 'new-dawn', summary: string): Command {
  return {
    name,
    summary,
    positionals: [],
    flags: {
      'data-dir': {
        value: 'DIR',
        help: 'a folder with the official CIFAR-10 files, instead of the cache',
      },
      'log-dir': { value: 'DIR', help: 'where logs.tsv is written (default .)' },
      scale: {
        value: 'SCALE',
        help: 'full (default) as published; pocket: width / 4, epochs / 6; smoke: seconds',
      },
      seed: { value: 'N', help: 'initial weights, order and augmentation (default 0)' },
      precision: engineFlags.precision,
      xla: engineFlags.xla,
      json: { help: 'one JSON line an epoch and one at the end, for programs' },
    },
    examples: [name, `${name} --data_dir ~/data --log_dir logs`, `${name} --scale smoke --json`],
    run: async (given) => {
      const scale = oneOf(given, 'scale', scales, 'full');
      const seed = wholeNumber(given, 'seed', 0, 0);
      const logDir = given.values.get('log-dir') ?? '.';
      const isJson = given.switches.has('json');
      const experiment = scaled(findExperiment(name), scale);
      const say = (line: string): void => {
        if (!isJson) process.stdout.write(`${line}\n`);
      };
      const display = displayProgress();
      const { signal, release } = interruptSignal((text) => display.note(text));
      const rows: DawnbenchRow[] = [];
      try {
        // First of all: a folder that cannot be written is an error at once.
        await makeFolder(logDir, '--log-dir');
        say('Loading CIFAR-10');
        const data = await loadData(given, display, { signal });
        const table = new Table<DawnbenchRow>({ write: say });
        const { run, preprocessSec } = await trainDawnbench(experiment, {
          data,
          seed,
          engine: engineOf(given),
          signal,
          say,
          onEstimate: ({ machine, precision }, totalSec) =>
            display.note(
              `${name}, ${scale} size: about ${durationText(totalSec)} for ${experiment.run.epochs} epochs on ` +
                `${machine}, ${precision}`,
            ),
          onProgress: (progress) => display.show(progressLine(progress, display.width)),
          onEpoch: async (row) => {
            rows.push(row);
            display.clear();
            if (isJson) process.stdout.write(`${JSON.stringify(row)}\n`);
            else table.append(row);
            await writeOutput(join(logDir, 'logs.tsv'), tsv(rows), '--log-dir');
          },
        });
        if (isJson) {
          const { mode, precision } = run;
          const { valid, 'total time': totalSec } = rows[rows.length - 1];
          process.stdout.write(
            `${JSON.stringify({ record: name, scale, seed, mode, precision, accPercent: 100 * valid.acc, totalSec, preprocessSec, log: join(logDir, 'logs.tsv') })}\n`,
          );
        }
        return 0;
      } catch (error) {
        if (!(error instanceof InterruptedError) || rows.length === 0) throw error;
        throw new InterruptedError(
          `${error.message} ${rows.length} finished epoch${rows.length === 1 ? ' is' : 's are'} kept in ` +
            `${join(logDir, 'logs.tsv')}.`,
          { cause: error },
        );
      } finally {
        display.clear();
        release();
      }
    },
  };
}

/** `dawn`: the script of post 4. */
export const dawn: Command = script(
  'dawn',
  "The study's script dawn: ResNet-9 in 24 epochs, timed by the rule of DAWNBench.",
);

/** `new-dawn`: the script of post 8. */
export const newDawn: Command = script(
  'new-dawn',
  "The study's script new_dawn: every trick of post 8 in ten epochs, timed by the rule of DAWNBench.",
);
