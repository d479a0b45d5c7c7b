// Step 5: the library, compiled from src/ into dist/, and the page of `cifar10-fast page`, bundled from page/.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { SetupError, beginStep, endStep } from '../output.mjs';
import { logTail, run as runCommand } from '../process.mjs';
import { isSame, readStamp, writeStamp } from '../stamps.mjs';
import * as packages from './packages.mjs';
import { isExecutable } from './venv.mjs';

const program = 'dist/cli/main.js';
const bundler = 'scripts/build-page.mjs';
const command = 'node_modules/.bin/cifar10-fast';
const self = 'node_modules/cifar10-fast';

/** Paths of the files below a folder of the checkout. */
const filesBelow = (root, folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1));

/** Key of what dist/ is built from: every source but the tests, and the packages. */
function libraryKey(context) {
  const { root } = context;
  const sources = ['src', 'page']
    .flatMap((folder) => filesBelow(root, folder))
    .filter((path) => !path.endsWith('.test.ts'));
  const hash = createHash('sha256');
  const paths = [...sources, bundler, 'tsconfig.json', 'package.json'];
  for (const path of paths.map(String).toSorted()) {
    const content = readFileSync(join(root, path));
    hash.update(`${path} ${content.length}\n`).update(content);
  }
  return `${hash.digest('hex')} ${packages.key(context)}`;
}

export function isDone(context) {
  const at = (path) => join(context.root, path);
  return (
    readStamp(context, 'library') === libraryKey(context) &&
    isExecutable(at(program)) &&
    isSame(at(command), at(program)) &&
    isSame(at(self), context.root)
  );
}

export const missing = (context) =>
  isDone(context) ? undefined : 'library: dist/ is not compiled from this src/, or not linked';

/** Removes the output of deleted sources, which the compiler would leave behind. */
function removeStale(root) {
  if (!existsSync(join(root, 'dist'))) return;
  for (const path of filesBelow(root, 'dist')) {
    if (!path.endsWith('.js')) continue;
    const name = path.slice('dist/'.length, -'.js'.length);
    if (existsSync(join(root, `src/${name}.ts`))) continue;
    for (const extension of ['.js', '.d.ts'])
      rmSync(join(root, `dist/${name}${extension}`), { force: true });
  }
  // The compiler's build info describes files that no longer exist.
  if (!existsSync(join(root, program))) rmSync(join(root, 'dist/.tsbuildinfo'), { force: true });
}

function link(path, target) {
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

export async function run(context) {
  const { root, stamps } = context;
  beginStep(5, 'library');
  const key = libraryKey(context);
  rmSync(join(stamps, 'library'), { force: true });
  removeStale(root);
  const compiler = ['node_modules/typescript-native/bin/tsc', '-p', 'tsconfig.json'];
  if (!(await runCommand(context, 'node', compiler)).ok)
    throw new SetupError(
      'the library does not compile:',
      logTail(context, Infinity).split('\n').slice(0, 8).join('\n'),
      'npm run types shows all errors.',
    );
  if (!(await runCommand(context, 'node', [bundler])).ok)
    throw new SetupError(
      'the page of cifar10-fast page cannot be bundled:',
      logTail(context, Infinity).split('\n').slice(0, 8).join('\n'),
      `node ${bundler} shows all errors.`,
    );
  chmodSync(join(root, program), 0o755);
  mkdirSync(join(root, 'node_modules/.bin'), { recursive: true });
  link(join(root, command), '../../dist/cli/main.js');
  link(join(root, self), '..');
  writeStamp(context, 'library', key);
  endStep('src/ compiled into dist/; linked as cifar10-fast');
}
