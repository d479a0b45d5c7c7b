// Writes the tables of docs/experiments.md from the catalogue of the library that is built.
//
//   node scripts/records-page.mjs           writes docs/experiments.md again, formatted by Prettier
//   node scripts/records-page.mjs --check   writes nothing; exit code 1 if the page lags behind the catalogue
//
// `page` is what test/docs.test.ts compares with the source itself.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const file = join(root, 'docs/experiments.md');

/** The introduction of each group. A group without one is an error. */
const headings = {
  demo: 'Notebook demo: the network that post 4 ends with',
  experiments: 'Notebook experiments: posts 1 to 4',
  batch_norm: 'Notebook batch_norm: post 7',
  bag_of_tricks: 'Notebook bag_of_tricks: post 8',
  scripts: 'Scripts',
  posts: 'In the text of posts only',
  speedrun: 'Speed runs: after the posts',
};

function accuracy({ accPercent, ttaAccPercent, runs, reached } = {}) {
  return [
    ...(accPercent === undefined ? [] : [`${accPercent} %`]),
    ...(ttaAccPercent === undefined ? [] : [`${ttaAccPercent} % mirrored`]),
    ...(reached === undefined ? [] : [`${reached} of ${runs} runs at 94 %`]),
  ].join(', ');
}

function row({ name, title, cell, run, data, optim, published }) {
  const { timeSec, runs, reached, note = '' } = published ?? {};
  const count = runs === undefined || reached !== undefined ? '' : ` (${runs})`;
  return [
    `\`${name}\``,
    title,
    cell ?? '',
    run.epochs,
    data.batchSize,
    Number(Math.max(...optim.lr.vals).toPrecision(3)),
    accuracy(published) + count,
    timeSec ?? '',
    note,
  ].join(' | ');
}

/** The tables, in Markdown, of a catalogue as `byNotebook()` gives it. */
function tables(groups) {
  return [...groups]
    .map(([notebook, records]) => {
      const heading = headings[notebook];
      if (heading === undefined)
        throw new Error(`records-page: "${notebook}" has no heading here.`);
      return [
        `### ${heading}`,
        '',
        '| record | what it is | cell | epochs | batch | highest rate | published accuracy (runs) | s | of the figures |',
        '| --- | --- | --: | --: | --: | --: | --- | --: | --- |',
        ...records.map((record) => `| ${row(record)} |`),
        '',
      ].join('\n');
    })
    .join('\n');
}

/** The page with new tables between its marks, for the text that it has now. */
export async function page(text, groups) {
  const [open, close] = [
    '<!-- records: written by scripts/records-page.mjs -->',
    '<!-- /records -->',
  ];
  const [from, to] = [text.indexOf(open), text.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`records-page: the page lacks ${open} or ${close}.`);
  const whole = `${text.slice(0, from + open.length)}\n\n${tables(groups)}\n${text.slice(to)}`;
  return format(whole, { ...(await resolveConfig(file)), parser: 'markdown' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { byNotebook } = createRequire(import.meta.url)(join(root, 'dist/exports/all.js'));
  const text = readFileSync(file, 'utf8');
  const written = await page(text, byNotebook());
  if (!process.argv.includes('--check')) writeFileSync(file, written);
  else if (written !== text) {
    console.error(
      'records-page: docs/experiments.md lags behind the catalogue. Run: node scripts/records-page.mjs',
    );
    process.exitCode = 1;
  }
}
