import { vi } from 'vitest';
import { runProgram } from '../src/cli/program';
import type { Outcome } from './cli-process';

/**
 * The command line in this process, without half a second of loading: for what does not depend on being a process, as
 * help and wrong usage. That a process prints the same and ends with the same code is for a few tests with a process.
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
