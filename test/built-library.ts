import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(__dirname, '..');
const bundler = 'scripts/build-page.mjs';
const cache = join(root, 'node_modules/.cache/cifar10-fast');

/**
 * The package compiled from the current sources, as it would be installed: a folder with `dist`, `package.json`, `native`,
 * `setup/kernel` and `node_modules`. The `dist` of the checkout may be older, or be recompiled while a test runs. The folder is
 * named by a hash of the sources, so all test files of a run share it.
 */
export function builtLibrary(): string {
  const names = ['src', 'page']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(?:ts|html|css)$/.test(name) && !name.endsWith('.test.ts'))
        .map((name) => `${folder}/${name}`),
    )
    .toSorted();
  const hash = createHash('sha256');
  for (const name of [...names, bundler, 'tsconfig.json', 'package.json', 'package-lock.json'])
    hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  const done = join(cache, `library-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(done)) return done;

  removeOld();
  mkdirSync(cache, { recursive: true });
  const part = mkdtempSync(join(cache, 'part-'));
  compile(join(part, 'dist'));
  cpSync(join(root, 'package.json'), join(part, 'package.json'));
  for (const subpath of ['engine', 'notebook', 'studies'])
    cpSync(join(root, subpath), join(part, subpath), { recursive: true });
  cpSync(join(root, 'setup/kernel'), join(part, 'setup/kernel'), { recursive: true });
  symlinkSync(join(root, 'native'), join(part, 'native'));
  linkPackages(part, '..');
  try {
    renameSync(part, done);
  } catch {
    // Another test file has made it meanwhile.
    rmSync(part, { recursive: true, force: true });
  }
  return done;
}

/** Compiles and bundles without type checking, which `npm run types` does. */
function compile(outDir: string): void {
  const compiler = join(root, 'node_modules/typescript-native/bin/tsc');
  const options = ['-p', root, '--outDir', outDir, '--incremental', 'false', '--noCheck'];
  const run = (args: string[], fault: string): void => {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${fault}:\n${stdout}${stderr}`);
  };
  run([compiler, ...options], 'the library does not compile');
  run([join(root, bundler), outDir], 'the page cannot be bundled');
}

/** Removes builds of earlier sources that are more than a day old. */
function removeOld(): void {
  if (!existsSync(cache)) return;
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (Date.now() - statSync(path).mtimeMs > 24 * 3600 * 1000) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/** Makes `node_modules` in a folder: everything that is installed, and the library under its own name. */
export function linkPackages(folder: string, library: string): void {
  const from = join(root, 'node_modules');
  const to = join(folder, 'node_modules');
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (name !== 'cifar10-fast' && name !== '.cache') symlinkSync(join(from, name), join(to, name));
  }
  symlinkSync(library, join(to, 'cifar10-fast'));
}
