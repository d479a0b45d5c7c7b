import { spawn } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { builtLibrary } from './built-library';

/** What a program printed, and its exit code. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  /** Without the progress lines that a slow run prints every 30 seconds. */
  readonly stderr: string;
}

/** How a program is started. */
export interface Spawned {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sends SIGINT once standard output matches this. */
  readonly interruptAt?: RegExp;
}

/** The command line in a test's own folder. */
export interface CliProcess {
  /** The compiled program. */
  readonly main: string;
  /** Runs any program. Default `cwd`: the folder. */
  readonly run: (program: string, args: readonly string[], how?: Spawned) => Promise<Outcome>;
  /** Runs the command line. */
  readonly cli: (args: readonly string[], how?: Spawned) => Promise<Outcome>;
}

/** Links the library, compiled from its sources, and what it needs into a folder. */
export function linkLibrary(folder: string): void {
  const built = builtLibrary();
  for (const name of ['dist', 'node_modules', 'native'])
    symlinkSync(join(built, name), join(folder, name));
}

/** The command line that {@link linkLibrary} puts into a folder. */
export function cliIn(folder: string): CliProcess {
  const main = join(folder, 'dist/cli/main.js');
  const run: CliProcess['run'] = async (program, args, how = {}) => {
    const { cwd = folder, env = {}, interruptAt } = how;
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr, isInterrupted] = ['', '', false];
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      stdout += piece;
      if (isInterrupted || interruptAt?.test(stdout) !== true) return;
      isInterrupted = true;
      child.kill('SIGINT');
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      stderr += piece;
    });
    return new Promise((done, fail) => {
      child.on('error', fail);
      child.on('close', (code) => {
        done({ code, stdout, stderr: stderr.replaceAll(/^epoch +\d+\/\d+ .+ left\n/gm, '') });
      });
    });
  };
  return { main, run, cli: (args, how) => run(process.execPath, [main, ...args], how) };
}

/** Parses every line of a text as JSON. */
export function jsonLines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
