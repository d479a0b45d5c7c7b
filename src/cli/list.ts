import { catalogue } from '../experiments/catalogue';
import type { Command } from './flags';

/** `list`: every record of the catalogue. */
export const list: Command = {
  name: 'list',
  summary: 'Every record that can be trained, with what was published for it.',
  positionals: [],
  flags: { json: { help: 'one JSON object a record, for programs' } },
  examples: ['list'],
  run: ({ switches }) => {
    const records = [...catalogue.values()];
    if (switches.has('json')) {
      process.stdout.write(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
      return Promise.resolve(0);
    }
    const width = Math.max(...records.map(({ name }) => name.length));
    for (const { name, title, published } of records) {
      const { accPercent, timeSec } = published ?? {};
      const figures = [
        ...(accPercent === undefined ? [] : [`${accPercent} %`]),
        ...(timeSec === undefined ? [] : [`${timeSec} s`]),
      ];
      const told = figures.length === 0 ? '' : ` (published: ${figures.join(', ')})`;
      process.stdout.write(`${name.padEnd(width)}  ${title}${told}\n`);
    }
    return Promise.resolve(0);
  },
};
