import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import { openRunFolder } from './folder';
import { checkDeletable, deleteRun, runPath, storedRuns } from './stored';

const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-stored-'));
const fixture = resolve(__dirname, '../../test/fixtures/runs/first-version');
let root = '';

/** Copies a finished run of the first version, optionally with a changed `run.json`. */
function leave(
  name: string,
  change: (run: Record<string, unknown>) => unknown = (run) => run,
): string {
  const path = join(root, name);
  cpSync(fixture, path, { recursive: true });
  const file = join(path, 'run.json');
  const run = change(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>);
  writeFileSync(file, typeof run === 'string' ? run : JSON.stringify(run));
  return path;
}
function unfinished(finished: Record<string, unknown>): unknown {
  const { result: _, ...run } = finished;
  return run;
}

beforeEach(() => {
  root = mkdtempSync(join(scratch, 'runs-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

describe('storedRuns', () => {
  test('returns the status of each run, including runs of the first version', async () => {
    leave('b-10');
    leave('b-2', unfinished);
    leave('c', (run) => ({
      ...(unfinished(run) as object),
      failure: { epoch: 2, message: 'NaN' },
    }));
    leave('d', () => '{');
    leave('e', unfinished);
    mkdirSync(join(root, 'no-run'));
    writeFileSync(join(root, 'notes.txt'), 'mine');
    const held = await openRunFolder(join(root, 'e'));
    const found = await storedRuns(root);
    held.release();
    expect(found.map(({ folder, status }) => [folder, status])).toEqual([
      ['b-2', 'stopped'],
      ['b-10', 'finished'],
      ['c', 'diverged'],
      ['d', 'damaged'],
      ['e', 'training'],
    ]);
    expect(found[3]).toMatchObject({ problem: expect.stringMatching(/is not JSON/) as string });
    expect(found[1].run?.result?.accPercent).toBeGreaterThan(0);
    expect(found[1].bytes).toBe(
      ['run.json', 'log.jsonl'].reduce(
        (sum, name) => sum + readFileSync(join(root, 'b-10', name)).length,
        0,
      ),
    );
  });

  test('a link to a run counts as a run; a broken link is skipped', async () => {
    const elsewhere = join(scratch, `elsewhere-${process.pid}`);
    renameSync(leave('demo-smoke-0'), elsewhere);
    symlinkSync(elsewhere, join(root, 'linked'));
    symlinkSync(join(scratch, 'gone'), join(root, 'broken'));
    const found = await storedRuns(root);
    expect(found.map(({ folder, status }) => [folder, status])).toEqual([['linked', 'finished']]);
  });

  test('a missing folder is an error that suggests a fix', async () => {
    await expect(storedRuns(join(root, 'none'))).rejects.toThrow(
      /none cannot be read: ENOENT: no such file or directory\. Name the folder that holds the runs/,
    );
  });
});

describe('runPath', () => {
  test('accepts a path or the name of a run, and suggests the nearest name', async () => {
    const path = leave('demo-smoke-0');
    expect(await runPath(path, 'elsewhere')).toBe(path);
    expect(await runPath('demo-smoke-0', root)).toBe(path);
    await expect(runPath('demo-smok-0', root)).rejects.toThrow(/Nearest: "demo-smoke-0"/);
  });
});

describe('deleteRun', () => {
  const options = { isUnfinishedToo: false };

  test('a missing folder is an error', async () => {
    const path = join(root, 'none');
    await expect(deleteRun(path, options)).rejects.toThrow(
      new RunError(`runs: ${path} cannot be read: ENOENT: no such file or directory.`),
    );
  });

  test('removes the folder of a finished run, and nothing else', async () => {
    const path = leave('gone');
    leave('stays');
    for (const name of ['checkpoint-2.safetensors', 'events.out.tfevents.1', 'report.html']) {
      writeFileSync(join(path, name), '');
    }
    await deleteRun(path, options);
    expect(readdirSync(root)).toEqual(['stays']);
  });

  test.each<readonly [what: string, make: () => string, message: RegExp]>([
    ['a folder without a run', () => mkdtempSync(join(root, 'x-')), /has no run\.json/],
    [
      'a run with a foreign file',
      () => {
        const path = leave('foreign');
        writeFileSync(join(path, 'thesis.tex'), 'mine');
        return path;
      },
      /contains "thesis\.tex", which no run writes.*Move that elsewhere/,
    ],
    [
      'a run with a folder in it',
      () => {
        const path = leave('deep');
        mkdirSync(join(path, 'run.json.d'));
        return path;
      },
      /contains "run\.json\.d"/,
    ],
    [
      'a link to a run',
      () => {
        symlinkSync(leave('real'), join(root, 'link'));
        return join(root, 'link');
      },
      /is a link/,
    ],
    ['a run that can be resumed', () => leave('open', unfinished), /--unfinished/],
    ['a damaged run', () => leave('bad', () => '[]'), /contains a damaged run/],
  ])('refuses to delete %s and gives the reason', async (_, make, message) => {
    const path = make();
    const before = readdirSync(path);
    await expect(deleteRun(path, options)).rejects.toThrow(RunError);
    await expect(deleteRun(path, options)).rejects.toThrow(message);
    expect(readdirSync(path)).toEqual(before);
  });

  test('deletes a stopped run on request, but never one that is being trained', async () => {
    const path = leave('open', unfinished);
    const held = await openRunFolder(path);
    await expect(checkDeletable(path, { isUnfinishedToo: true })).rejects.toThrow(
      /is being trained, so it is not deleted\. Stop that process first/,
    );
    held.release();
    await deleteRun(path, { isUnfinishedToo: true });
    expect(existsSync(path)).toBe(false);
  });
});
