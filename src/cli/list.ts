import { byNotebook } from '../catalogue/catalogue';
import type { Notebook, Published } from '../catalogue/experiment';
import type { Command } from './flags';

const headings: Readonly<Record<Notebook, string>> = {
  demo: 'notebook demo: the network that post 4 ends with',
  experiments: 'notebook experiments: posts 1 to 4',
  batch_norm: 'notebook batch_norm: post 7',
  bag_of_tricks: 'notebook bag_of_tricks: post 8',
  scripts: 'scripts: also the commands dawn and new-dawn',
  posts: 'posts: in the text of a post only, in no notebook',
  speedrun: 'notebook speedrun: what was published after the posts',
};

/** What was published, in brackets; nothing where no figure was. */
export function publishedText(published: Published | undefined): string {
  const { accPercent, ttaAccPercent, timeSec, runs, reached } = published ?? {};
  const of = (reached: number): string => `${reached} of ${runs} runs at 94 %`;
  const figures = [
    ...(accPercent === undefined ? [] : [`${accPercent} %`]),
    ...(ttaAccPercent === undefined ? [] : [`${ttaAccPercent} % with mirror images`]),
    ...(reached === undefined ? [] : [of(reached)]),
    ...(timeSec === undefined ? [] : [`${timeSec} s`]),
  ];
  return figures.length === 0 ? '' : ` (published: ${figures.join(', ')})`;
}

/** `list`: every experiment of the catalogue. */
export const list: Command = {
  name: 'list',
  summary: 'Every experiment that can be trained, by notebook, with its published figures.',
  positionals: [],
  flags: {
    json: { help: 'one JSON document, for programs: experiments, and how many by notebook' },
  },
  examples: ['list', 'list --json'],
  run: ({ switches }) => {
    const groups = [...byNotebook()];
    if (switches.has('json')) {
      const perNotebook = Object.fromEntries(groups.map(([name, { length }]) => [name, length]));
      const records = groups.flatMap(([, group]) => group);
      process.stdout.write(`${JSON.stringify({ perNotebook, records })}\n`);
      return Promise.resolve(0);
    }
    const width = Math.max(...groups.flatMap(([, group]) => group.map(({ name }) => name.length)));
    const texts = groups.map(([notebook, group]) => {
      const lines = group.map(
        ({ name, title, published }) =>
          `  ${name.padEnd(width)}  ${title}${publishedText(published)}\n`,
      );
      return `${headings[notebook]} (${group.length})\n${lines.join('')}`;
    });
    process.stdout.write(texts.join('\n'));
    return Promise.resolve(0);
  },
};
