import { Cifar10FastError, ExperimentError, InterruptedError, UsageError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { version } from '../base/version';
import { commands } from './commands';
import { commandHelp, parseFlags } from './flags';

function help(): string {
  const width = Math.max(...[...commands.keys()].map((name) => name.length));
  return [
    'cifar10-fast: how fast can a small network learn CIFAR-10?',
    '',
    ...[...commands].map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    '"cifar10-fast COMMAND --help" describes one; "cifar10-fast --version" prints the version.',
    '',
  ].join('\n');
}

/**
 * Runs the command line.
 *
 * @param args without node and the script
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted
 */
export async function runProgram(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(help());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  try {
    const entry = commands.get(name);
    if (entry === undefined) {
      throw new UsageError(
        `unknown command "${name}".${nearestHint(name, commands.keys())} "cifar10-fast --help" lists them.`,
      );
    }
    const command = await entry.load();
    if (rest.includes('--help') || rest.includes('-h')) {
      process.stdout.write(commandHelp(command, entry.summary));
      return 0;
    }
    return await command.run(parseFlags(command, rest));
  } catch (error) {
    return tell(error);
  }
}

function tell(error: unknown): number {
  if (error instanceof InterruptedError) {
    process.stderr.write(`${error.message}\n`);
    return 130;
  }
  if (error instanceof UsageError || error instanceof ExperimentError) {
    process.stderr.write(`cifar10-fast: ${error.message}\n`);
    return 2;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  // An error that the user can act on is printed without a stack; for any other, a bug report needs the stack.
  process.stderr.write(
    error instanceof Cifar10FastError ? `cifar10-fast: ${error.message}\n` : `${text}\n`,
  );
  return 1;
}
