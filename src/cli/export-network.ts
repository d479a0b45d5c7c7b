import { UsageError } from '../base/errors';
import { exported, exportFormats } from '../runs/exported';
import { readTrained } from '../runs/trained-network';
import { oneOf } from './flags';
import type { Command } from './flags';
import { writeFolder } from './output';

/** `export`: a trained network for other programs. */
export const exportNetwork: Command = {
  name: 'export',
  positionals: ['RUN'],
  flags: {
    output: {
      value: 'DIR',
      short: 'o',
      help: 'folder to write into: new, empty, or with an earlier export',
    },
    force: { help: 'write into a folder that holds other files, too' },
    format: { value: 'FORMAT', help: `${exportFormats.join(', ')} (default saved-model)` },
    plain: { help: 'of the image alone, if the experiment also evaluates its mirror image' },
    json: { help: 'what was written as one JSON object, for programs' },
  },
  examples: [
    'export runs/demo-pocket-0 -o demo',
    'export runs/demo-pocket-0 -o web/demo --format tfjs',
  ],
  run: async (given) => {
    const format = oneOf(given, 'format', exportFormats, 'saved-model');
    const folder = given.values.get('output');
    if (folder === undefined) {
      throw new UsageError('export: --output is missing. Say where to: export RUN -o DIR.');
    }
    const trained = await readTrained(given.positionals[0]);
    if (trained.warning !== undefined) process.stderr.write(`${trained.warning}\n`);
    const files = exported(trained, format, given.switches.has('plain') ? { tta: false } : {});
    const isForced = given.switches.has('force');
    await writeFolder(folder, files, { flag: '--output', isForced });
    const { name: record, scale, seed, epoch, checkpoint } = trained;
    const names = [...files.keys()];
    const facts = { record, scale, seed, epoch, checkpoint, format, folder, files: names };
    process.stdout.write(
      given.switches.has('json')
        ? `${JSON.stringify(facts)}\n`
        : `${record}, ${scale} scale, after epoch ${epoch}, in ${folder}: ${names.join(', ')}\n`,
    );
    return 0;
  },
};
