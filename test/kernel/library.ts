import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { builtLibrary, linkPackages } from '../built-library';
import { Client } from './client';
import type { StartOptions } from './client';

const root = resolve(__dirname, '../..');

/** The package as it would be installed from this source, and a project that uses it. */
export interface Library {
  /** The project. */
  readonly folder: string;
  /** The folder of its notebooks. */
  readonly notebooks: string;
  /** The program that starts the kernel. */
  readonly main: string;
  readonly cli: string;
  readonly start: (options?: Partial<StartOptions>) => Promise<Client>;
  readonly remove: () => void;
}

/** Compiles the library from its sources, and creates a project of the test's own that uses it. */
export function compileLibrary(): Library {
  const built = builtLibrary();
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
