import { exported, exportFormats } from '../runs/exported';
import { oneOf } from './flags';
import type { Command } from './flags';
import { exportFlags, folderFlags, writeExport } from './write-export';

/** `export`: a trained network for other programs. */
export const exportNetwork: Command = {
  name: 'export',
  positionals: ['RUN'],
  flags: {
    ...folderFlags('export'),
    format: { value: 'FORMAT', help: `${exportFormats.join(', ')} (default saved-model)` },
    ...exportFlags,
  },
  examples: [
    'export runs/demo-pocket-0 -o demo',
    'export runs/demo-pocket-0 -o web/demo --format tfjs',
  ],
  run: async (given) => {
    const format = oneOf(given, 'format', exportFormats, 'saved-model');
    return writeExport(given, {
      name: 'export',
      files: (trained, tta) => exported(trained, format, { tta }),
      facts: () => ({ format }),
      where: (folder, names) => `${folder}: ${names.join(', ')}`,
    });
  },
};
