import { realpath } from 'node:fs/promises';
import { UsageError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { scales } from '../catalogue/experiment';
import { checkDeletable, deleteRun, runPath, runStatuses, storedRuns } from '../runs/stored';
import type { StoredRun } from '../runs/stored';
import { checkUnread, oneOf } from './flags';
import type { Command, Given } from './flags';
import { listText } from './runs-text';
import { counted } from '../text/counted';

const actions = ['list', 'compare', 'open', 'delete'] as const;

type Action = (typeof actions)[number];

/** The flags that each action uses. */
const read: Readonly<Record<Action, readonly string[]>> = {
  list: ['log-dir', 'experiment', 'scale', 'status', 'since', 'json'],
  compare: ['log-dir', 'json'],
  open: ['log-dir'],
  delete: ['log-dir', 'yes', 'unfinished'],
};

/** `runs`: manages the runs stored in folders. */
export const runs: Command = {
  name: 'runs',
  positionals: ['[list|compare|open|delete]', '[RUN…]'],
  flags: {
    'log-dir': {
      value: 'DIR',
      help: 'where the runs are (default runs); a RUN is a name there, or a path',
    },
    experiment: { value: 'TEXT', help: 'list: only experiments with this in their name' },
    scale: { value: 'SCALE', help: `list: only ${scales.join(', ')}` },
    status: { value: 'STATUS', help: `list: only ${runStatuses.join(', ')}` },
    since: {
      value: 'DAY',
      help: 'list: only runs that started on this day or later, as in 2026-11-23',
    },
    yes: { help: 'delete: actually delete; without it, only print what would be deleted' },
    unfinished: { help: 'delete: also a run that was stopped and can be resumed' },
    json: { help: 'list, compare: one JSON object, for programs' },
  },
  examples: [
    'runs',
    'runs list --experiment demo --status finished',
    'runs compare demo-pocket-0 demo-pocket-0-2',
    'runs open demo-pocket-0',
    'runs delete demo-smoke-0 demo-smoke-1 --yes',
  ],
  run: async (given) => {
    const [action = 'list', ...names] = given.positionals;
    checkAction(action);
    checkUnread(given, `runs ${action}`, read[action]);
    switch (action) {
      case 'list':
        return list(given, names);
      case 'compare': {
        const { compareRuns } = await import('./runs-compare.js');
        return compareRuns(names, { logDir: logDirOf(given), isJson: given.switches.has('json') });
      }
      case 'open': {
        const { openRun } = await import('./runs-open.js');
        return openRun(names, given, logDirOf(given));
      }
      case 'delete':
        return remove(given, names);
      default:
        return action satisfies never;
    }
  },
};

function checkAction(action: string): asserts action is Action {
  if (actions.some((known) => known === action)) return;
  throw new UsageError(
    `runs: unknown action "${action}"; known: ${actions.join(', ')}.${nearestHint(action, actions)}`,
  );
}

const logDirOf = ({ values }: Given): string => values.get('log-dir') ?? 'runs';

async function list(given: Given, names: readonly string[]): Promise<number> {
  if (names.length > 0) {
    throw new UsageError(
      `runs list: "${names[0]}" is one argument too many. Name a folder with --log-dir.`,
    );
  }
  const isWanted = filterOf(given);
  const folder = logDirOf(given);
  const found = (await storedRuns(folder)).filter(isWanted);
  if (given.switches.has('json')) {
    process.stdout.write(`${JSON.stringify({ runs: found.map(runJson) })}\n`);
    return 0;
  }
  process.stdout.write(
    found.length === 0 ? `no matching runs in ${folder}\n` : `${listText(found)}\n`,
  );
  return 0;
}

/** The filter that the flags request. @throws UsageError if the value of a flag is invalid */
function filterOf(given: Given): (stored: StoredRun) => boolean {
  const { values } = given;
  const experiment = values.get('experiment');
  const since = values.get('since');
  const scale = values.has('scale') ? oneOf(given, 'scale', scales, 'full') : undefined;
  const status = values.has('status') ? oneOf(given, 'status', runStatuses, 'finished') : undefined;
  if (since !== undefined && !/^\d{4}-\d\d-\d\d$/.test(since)) {
    throw new UsageError(`--since "${since}" is not a day. Give one, as in --since 2026-11-23.`);
  }
  return ({ run, status: own, folder }) =>
    (status === undefined || own === status) &&
    (scale === undefined || run?.scale === scale) &&
    (experiment === undefined || (run?.name ?? folder).includes(experiment)) &&
    (since === undefined || (run?.started ?? '') >= since);
}

function runJson({ folder, path, status, run, problem, bytes }: StoredRun): object {
  if (run === undefined) return { folder, path, status, problem, bytes };
  const { name: record, scale, seed, overrides, mode, precision, threads, started, machine } = run;
  const { rows, experiment, budget, result, failure, load, continues } = run;
  const about = { record, scale, seed, overrides, mode, precision, threads, started, machine };
  const epochs = { done: rows.length, planned: experiment?.run.epochs };
  const became = { budget, result, failure, load, continues };
  return { folder, path, status, ...about, epochs, ...became, bytes };
}

async function remove(given: Given, names: readonly string[]): Promise<number> {
  if (names.length === 0) {
    throw new UsageError('runs delete: give the runs: cifar10-fast runs delete RUN… --yes.');
  }
  const options = { isUnfinishedToo: given.switches.has('unfinished') };
  const byPath = new Map<string, StoredRun>();
  // All are checked before any is deleted. A run can be named in several ways: a, a/ and runs/a.
  for (const name of names) {
    const path = await runPath(name, logDirOf(given));
    const stored = await checkDeletable(path, options);
    byPath.set(await realpath(path), stored);
  }
  const found = [...byPath.values()];
  const megabytes = found.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  const what = `${counted(found.length, 'run')}, ${megabytes.toFixed(1)} MB`;
  if (!given.switches.has('yes')) {
    process.stdout.write(`${found.map(({ path }) => path).join('\n')}\n`);
    throw new UsageError(`runs delete: nothing was deleted (${what}). Add --yes to delete it.`);
  }
  for (const { path } of found) {
    await deleteRun(path, options);
    process.stdout.write(`deleted ${path}\n`);
  }
  process.stdout.write(`${what}\n`);
  return 0;
}
