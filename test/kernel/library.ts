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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { Client } from './client';
import type { StartOptions } from './client';

const root = resolve(__dirname, '../..');
const cache = join(root, 'node_modules/.cache/cifar10-fast');

/** The package as it would be installed from this source, and a project that uses it. */
export interface Library {
  /** The project. */
  readonly folder: string;
  /** Where its notebooks are. */
  readonly notebooks: string;
  /** What starts the kernel. */
  readonly main: string;
  readonly cli: string;
  readonly start: (options?: Partial<StartOptions>) => Promise<Client>;
  readonly remove: () => void;
}

/**
 * Compiles the library, as `dist` may be older than `src`, or be rebuilt while a test runs; what was compiled from the same
 * source is taken as it is. Around it is a project of the test's own.
 */
export function compileLibrary(): Library {
  const built = build();
  const folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-project-'));
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  linkPackages(folder, built);
  const notebooks = join(folder, 'notebooks');
  mkdirSync(notebooks);
  const main = join(built, 'dist/kernel/main.js');
  return {
    folder,
    notebooks,
    main,
    cli: join(built, 'dist/cli/main.js'),
    start: ({ env, ...options } = {}) =>
      Client.start({
        argv: [process.execPath, main, '{connection_file}'],
        cwd: notebooks,
        env: { CIFAR10_FAST_CACHE: join(folder, 'cache'), ...env },
        ...options,
      }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The folder of the package that was made from this source. */
function build(): string {
  const names = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .toSorted();
  const hash = createHash('sha256');
  const texts = names.map((name) => readFileSync(join(root, 'src', name), 'utf8'));
  for (const text of [...names, ...texts]) hash.update(text).update('\0');
  const done = join(cache, `library-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(done)) return done;

  removeOld();
  mkdirSync(cache, { recursive: true });
  const part = mkdtempSync(join(cache, 'part-'));
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) =>
    readFileSync(path, 'utf8'),
  ) as { config: { compilerOptions: object } };
  const given = { ...config.compilerOptions, incremental: false, tsBuildInfoFile: undefined };
  const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(given, root);
  for (const [index, name] of names.entries()) {
    const stem = join(part, 'dist', name.slice(0, -'.ts'.length));
    mkdirSync(dirname(stem), { recursive: true });
    if (stem.endsWith('.d')) continue;
    // Each file by itself, without looking at types.
    const options = { compilerOptions, fileName: join(root, 'src', name) };
    writeFileSync(`${stem}.js`, ts.transpileModule(texts[index], options).outputText);
    writeFileSync(`${stem}.d.ts`, ts.transpileDeclaration(texts[index], options).outputText);
  }
  cpSync(join(root, 'package.json'), join(part, 'package.json'));
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

/** What earlier sources left; a test of yesterday is over. */
function removeOld(): void {
  if (!existsSync(cache)) return;
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (Date.now() - statSync(path).mtimeMs > 24 * 3600 * 1000) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/** `node_modules` with everything that is installed, and the library under its own name. */
function linkPackages(folder: string, library: string): void {
  const from = join(root, 'node_modules');
  const to = join(folder, 'node_modules');
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (name !== 'cifar10-fast') symlinkSync(join(from, name), join(to, name));
  }
  symlinkSync(library, join(to, 'cifar10-fast'));
}
