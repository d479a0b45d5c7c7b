import { join } from 'node:path';
import { pageFiles, pageOf } from '../runs/page';
import { loadData } from './data';
import type { Command } from './flags';
import { displayProgress } from './terminal';
import { exportFlags, folderFlags, writeExport } from './write-export';

/** `page`: writes a web page to try out a trained network. */
export const page: Command = {
  name: 'page',
  positionals: ['RUN'],
  flags: {
    ...folderFlags('page or export'),
    'data-dir': {
      value: 'DIR',
      help: 'a folder with the official CIFAR-10 files (default: the cache)',
    },
    ...exportFlags,
  },
  examples: ['page runs/demo-pocket-0 -o page'],
  run: (given) =>
    writeExport(given, {
      name: 'page',
      expected: pageFiles,
      files: async (trained, tta) => {
        const { valid } = await loadData(given, displayProgress(), {});
        return pageOf(trained, valid, { tta });
      },
      facts: (tta) => ({ tta }),
      where: (folder) => `${join(folder, 'index.html')}. Open it in a browser.`,
    }),
};
