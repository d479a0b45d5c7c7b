// Bundles the page of `cifar10-fast page`: page/ and TF.js become one file, dist/page/index.html, in which a comment marks
// where the data of a run is inserted.
//
//   node scripts/build-page.mjs [DIST]    DIST: the folder of the compiled library (default: dist)
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { words } = optionsOf(import.meta.url, {}, { mostWords: 1 });
const [dist = join(root, 'dist')] = words;
const read = (name) => readFileSync(join(root, 'page', name), 'utf8');

const { output } = await build({
  input: join(root, 'page/main.ts'),
  cwd: root,
  platform: 'browser',
  moduleTypes: { '.wasm': 'dataurl' },
  output: { format: 'iife', minify: true },
  write: false,
});
// HTML ends a script at the first such tag, even inside a string literal.
const program = output[0].code.replaceAll('</script', '<\\/script');
const hash = createHash('sha256').update(program).digest('base64');
// With this policy the browser blocks every request that leaves the page.
const policy = [
  "default-src 'none'",
  `script-src 'sha256-${hash}' 'wasm-unsafe-eval'`,
  "style-src 'unsafe-inline'",
  'img-src data: blob:',
  'connect-src data:',
].join('; ');
const parts = {
  policy: `<meta http-equiv="Content-Security-Policy" content="${policy}" />`,
  style: `<style>\n${read('style.css')}</style>`,
  program: `<script>${program}</script>`,
};
const html = read('index.html').replaceAll(/<!-- (\w+) -->/g, (mark, name) => parts[name] ?? mark);
mkdirSync(join(dist, 'page'), { recursive: true });
writeFileSync(join(dist, 'page/index.html'), html);
