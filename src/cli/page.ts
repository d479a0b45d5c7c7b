import { join } from 'node:path';
import { UsageError } from '../base/errors';
import { pageFiles, pageOf } from '../runs/page';
import { readTrained } from '../runs/trained-network';
import { loadData } from './data';
import type { Command } from './flags';
import { checkFolder, writeFolder } from './output';
import { displayProgress } from './terminal';

/** `page`: a trained network as a page to play with. */
export const page: Command = {
  name: 'page',
  positionals: ['RUN'],
  flags: {
    output: {
      value: 'DIR',
      short: 'o',
      help: 'folder to write into: new, empty, or with an earlier page or export',
    },
    force: { help: 'write into a folder that holds other files, too' },
    'data-dir': { value: 'DIR', help: 'where CIFAR-10 lies (default: the cache)' },
    plain: { help: 'of the image alone, if the experiment also evaluates its mirror image' },
    json: { help: 'what was written as one JSON object, for programs' },
  },
  examples: ['page runs/demo-pocket-0 -o page'],
  run: async (given) => {
    const folder = given.values.get('output');
    if (folder === undefined) {
      throw new UsageError('page: --output is missing. Say where to: page RUN -o DIR.');
    }
    const trained = await readTrained(given.positionals[0]);
    if (trained.warning !== undefined) process.stderr.write(`${trained.warning}\n`);
    const isForced = given.switches.has('force');
    await checkFolder(folder, pageFiles, { flag: '--output', isForced });
    const progress = displayProgress();
    const { valid } = await loadData(given, progress, {});
    const tta = trained.tta && !given.switches.has('plain');
    const files = await pageOf(trained, valid, { tta });
    await writeFolder(folder, files, { flag: '--output', isForced });
    const { name: record, scale, seed, epoch, checkpoint } = trained;
    if (given.switches.has('json')) {
      const facts = {
        record,
        scale,
        seed,
        epoch,
        checkpoint,
        tta,
        folder,
        files: [...files.keys()],
      };
      process.stdout.write(`${JSON.stringify(facts)}\n`);
      return 0;
    }
    process.stdout.write(
      `${record}, ${scale} scale, after epoch ${epoch}, in ${join(folder, 'index.html')}. Open it in a browser.\n`,
    );
    return 0;
  },
};
