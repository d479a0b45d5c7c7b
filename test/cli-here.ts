import { vi } from 'vitest';
import { runProgram } from '../src/cli/program';
import type { Outcome } from './cli-process';

/**
 * Runs the command line in this process, which saves half a second of loading: for tests that need no process of their own,
 * such as help and wrong usage. A few tests with a process check that it prints the same and ends with the same code.
 */
export async function cliHere(args: readonly string[], cwd: string): Promise<Outcome> {
  const said = { stdout: '', stderr: '' };
  const streams = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  const before = process.cwd();
  process.chdir(cwd);
  try {
    return { code: await runProgram(args), ...said };
  } finally {
    process.chdir(before);
    for (const stream of streams) stream.mockRestore();
  }
}
