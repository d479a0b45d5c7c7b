// The tools that set-up needs, found by setup/tools.sh.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { SetupError } from './output.mjs';

/**
 * Runs setup/tools.sh, which prints problems itself, and stores what it finds.
 *
 * @returns whether all were found
 */
export function lookFor(context, names) {
  const { status, stdout } = spawnSync('bash', [join(context.root, 'setup/tools.sh'), ...names], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for (const line of stdout.trim().split('\n')) {
    const [name, version, ...command] = line.split('\t');
    if (name !== '') context.tools.set(name, { version, command });
  }
  return status === 0;
}

/**
 * The command of a tool that a step needs: its absolute path, and arguments. Looks for it if the survey did not.
 *
 * @throws SetupError if it is not there
 */
export function needTool(context, name) {
  if (!context.tools.has(name) && !lookFor(context, [name]))
    throw new SetupError(`${name} is needed; see above.`);
  return context.tools.get(name).command;
}
