// Writes generated sections of pages, between `<!-- NAME: … -->` and `<!-- /NAME -->`.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Replaces a section of a page. The path is relative to the root of the project, as in `docs/kernel.md`. */
export async function writeSection(page, name, text) {
  const path = join(root, page);
  const before = readFileSync(path, 'utf8');
  const place = new RegExp(`(<!-- ${name}:[^>]*-->\n)[\\s\\S]*?(\n<!-- /${name} -->)`);
  if (!place.test(before)) throw new Error(`${page} has no section ${name}.`);
  const after = before.replace(place, (_, start, end) => `${start}\n${text}\n${end}`);
  writeFileSync(path, await format(after, { ...(await resolveConfig(path)), parser: 'markdown' }));
}
