// npm run bench:keep: appends the rows in bench/measured to the files of the same name in bench/results, which are committed.
//
//   node scripts/bench-keep.mjs [NAME...]     only those files, as in: step convolutions
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

const bench = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bench');
const from = join(bench, 'measured');
const to = join(bench, 'results');
const { words: names } = optionsOf(import.meta.url, {}, { mostWords: Infinity });
const found = existsSync(from) ? readdirSync(from).map((file) => file.replace(/\.tsv$/, '')) : [];
const missing = names.filter((name) => !found.includes(name));
if (missing.length > 0) {
  console.error(
    `bench: nothing was measured for ${missing.join(', ')}; there is: ${found.join(', ') || 'nothing'}.`,
  );
  process.exit(1);
}
mkdirSync(to, { recursive: true });
for (const name of names.length > 0 ? names : found) {
  const source = join(from, `${name}.tsv`);
  const target = join(to, `${name}.tsv`);
  const [header, ...rows] = readFileSync(source, 'utf8').trimEnd().split('\n');
  const old = existsSync(target) ? readFileSync(target, 'utf8').split('\n')[0] : undefined;
  if (old !== undefined && old !== header) {
    console.error(
      `bench: the columns of ${target} differ from those of ${source}. Rename one of the files.`,
    );
    process.exit(1);
  }
  appendFileSync(target, [...(old === undefined ? [header] : []), ...rows, ''].join('\n'));
  rmSync(source);
  console.log(`bench: ${rows.length} rows added to bench/results/${name}.tsv`);
}
