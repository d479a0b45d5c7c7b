import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';

const native = resolve(__dirname, '../../native');

/**
 * Compiles a program of this folder with files of `native/`, runs it and returns the lines it prints.
 *
 * @param name of the program, without `.cc`
 * @param sources of `native/`, without `.cc`
 */
export function runProgram(
  name: string,
  sources: readonly string[],
  flags: readonly string[] = [],
): string[] {
  const folder = mkdtempSync(join(tmpdir(), `cifar10-fast-${name}-`));
  try {
    const program = join(folder, name);
    const files = [join(__dirname, `${name}.cc`), ...sources.map((of) => join(native, `${of}.cc`))];
    const compiled = spawnSync(
      process.env['CXX'] ?? 'c++',
      ['-std=c++17', '-O1', '-w', '-pthread', `-I${native}`, ...flags, ...files, '-o', program],
      { encoding: 'utf8' },
    );
    expect(compiled.stderr).toBe('');
    const { stdout, status } = spawnSync(program, { encoding: 'utf8' });
    expect(status).toBe(0);
    return stdout.trim().split('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
