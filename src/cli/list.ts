import { UsageError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { byNotebook } from '../catalogue/catalogue';
import { scales } from '../catalogue/experiment';
import type { Experiment, Notebook, Published } from '../catalogue/experiment';
import { durationText } from '../text/progress';
import type { Command } from './flags';
import type { Timed, Timing } from './list-time';

const headings: Readonly<Record<Notebook, string>> = {
  demo: 'notebook demo: the network that post 4 ends with',
  experiments: 'notebook experiments: posts 1 to 4',
  batch_norm: 'notebook batch_norm: post 7',
  bag_of_tricks: 'notebook bag_of_tricks: post 8',
  scripts: 'scripts: also the commands dawn and new-dawn',
  posts: 'posts: in the text of a post only, in no notebook',
  speedrun: 'notebook speedrun: what was published after the posts',
};

/** The published figures, in brackets; empty without any. */
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

/** `list`: lists every experiment of the catalogue. */
export const list: Command = {
  name: 'list',
  positionals: ['[TEXT]'],
  flags: {
    time: {
      help: 'also the training time of each on this machine: from finished runs, or measured in a few seconds each',
    },
    scale: { value: 'SCALE', help: `with --time: ${scales.join(', ')} (default: as in train)` },
    'data-dir': {
      value: 'DIR',
      help: 'with --time: a folder with the official CIFAR-10 files (default: the cache)',
    },
    json: {
      help: 'one JSON document, for programs: experiments, and their number per notebook',
    },
  },
  examples: ['list', 'list post4', 'list fastest --time', 'list --json'],
  run: async (given) => {
    const groups = groupsWith(given.positionals[0]);
    const isTimed = given.switches.has('time');
    const extra = ['scale', 'data-dir'].find((name) => given.values.has(name));
    if (!isTimed && extra !== undefined) {
      throw new UsageError(`list: --${extra} needs --time. Add it, or leave out --${extra}.`);
    }
    const timed = isTimed ? await (await import('./list-time.js')).timing(given) : undefined;
    try {
      if (given.switches.has('json')) await printJson(groups, timed);
      else await printText(groups, timed);
    } finally {
      timed?.release();
    }
    return 0;
  },
};

type Groups = readonly (readonly [notebook: Notebook, group: readonly Experiment[]])[];

/** The experiments with `text` in their name, title or notebook. Default: all. @throws UsageError if none match */
function groupsWith(text: string | undefined): Groups {
  const all = [...byNotebook()];
  if (text === undefined) return all;
  const wanted = text.toLowerCase();
  const found = all.flatMap(([notebook, group]) => {
    const fits = group.filter(({ name, title }) =>
      [name, title, notebook].some((part) => part.toLowerCase().includes(wanted)),
    );
    return fits.length === 0 ? [] : [[notebook, fits] as const];
  });
  if (found.length > 0) return found;
  const names = all.flatMap(([, group]) => group.map(({ name }) => name));
  throw new UsageError(
    `list: no experiment has "${text}" in its name, title or notebook.${nearestHint(text, names)}`,
  );
}

async function printJson(groups: Groups, timed: Timing | undefined): Promise<void> {
  const perNotebook = Object.fromEntries(groups.map(([name, { length }]) => [name, length]));
  const records: object[] = [];
  for (const experiment of groups.flatMap(([, group]) => group)) {
    records.push(
      timed === undefined ? experiment : { ...experiment, here: await timed.of(experiment) },
    );
  }
  process.stdout.write(`${JSON.stringify({ perNotebook, records })}\n`);
}

async function printText(groups: Groups, timed: Timing | undefined): Promise<void> {
  const width = Math.max(...groups.flatMap(([, group]) => group.map(({ name }) => name.length)));
  for (const [index, [notebook, group]] of groups.entries()) {
    process.stdout.write(`${index === 0 ? '' : '\n'}${headings[notebook]} (${group.length})\n`);
    for (const experiment of group) {
      const { name, title, published } = experiment;
      const time = timed === undefined ? '' : timeText(await timed.of(experiment));
      process.stdout.write(`  ${name.padEnd(width)}  ${title}${publishedText(published)}${time}\n`);
    }
  }
}

function timeText({ scale, sec, runs }: Timed): string {
  const source = runs === 0 ? 'about ' : '';
  const mean = runs > 1 ? `, mean of ${runs} runs` : '';
  return `; here ${source}${durationText(sec)} at ${scale} scale${mean}`;
}
