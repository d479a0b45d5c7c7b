import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRunFolder } from '../src/runs/folder';
import { cliHere } from './cli-here';
import { cliIn, linkLibrary, jsonLines } from './cli-process';
import { figuresOf, rowsIn } from './cli-training';

/** `sweep`, `worker` and `report` as a user runs them: processes on CIFAR-10 from the cache. */
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-cli-sweep-'));
const { cli, main, run } = cliIn(scratch);
const long = 300_000;

beforeAll(() => linkLibrary(scratch), long);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Line {
  readonly seed: number;
  readonly accPercent: number;
  readonly threads: number;
  readonly folder: string;
  readonly finishedBefore?: boolean;
}

const sweepOf = (logDir: string, runs: number, ...more: string[]): string[] => [
  'sweep',
  'demo',
  '--scale',
  'smoke',
  '--runs',
  String(runs),
  '--log-dir',
  logDir,
  ...more,
];

/** Everything that must be bit-identical for the same seed. */
const figuresIn = (folder: string): unknown[] => figuresOf(rowsIn(folder));

describe('sweep', () => {
  test(
    'results are bit-identical for any number of workers and any thread count in the environment',
    async () => {
      const one = await cli(sweepOf('one', 2, '--workers', '1', '--json'));
      const two = await cli(sweepOf('two', 2, '--workers', '2', '--json'), {
        env: { TF_NUM_INTRAOP_THREADS: '2', TF_NUM_INTEROP_THREADS: '2', OMP_NUM_THREADS: '3' },
      });
      for (const { code, stdout, stderr } of [one, two]) {
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        const lines = jsonLines(stdout);
        const runs = lines.slice(0, -1) as Line[];
        expect(runs.map(({ seed }) => seed).toSorted((a, b) => a - b)).toEqual([0, 1]);
        expect(runs.map(({ threads }) => threads)).toEqual([1, 1]);
        const mean = runs.reduce((sum, { accPercent }) => sum + accPercent, 0) / 2;
        const last = lines.at(-1) as { groups: { acc: { mean: number; count: number } }[] };
        expect(last).toMatchObject({ failures: [], open: 0, unfinished: [] });
        expect(last.groups[0].acc.count).toBe(2);
        expect(last.groups[0].acc.mean).toBeCloseTo(mean, 10);
      }
      for (const seed of [0, 1]) {
        const name = `demo-smoke-${seed}`;
        expect(figuresIn(join(scratch, 'two', name))).toEqual(
          figuresIn(join(scratch, 'one', name)),
        );
      }
    },
    long,
  );

  test(
    'after Ctrl-C, resumes the unfinished runs and leaves finished ones untouched',
    async () => {
      // The first line about a run.
      const stopped = await cli(sweepOf('stopped', 2, '--workers', '1'), {
        interruptAt: /demo-smoke-0 /,
      });
      expect(stopped.code).toBe(130);
      expect(stopped.stderr).toMatch(
        /Stopping after this step; press Ctrl-C again to stop immediately\./,
      );
      expect(stopped.stderr).toMatch(
        /Interrupted\. 1 run is finished, 1 not; the same command resumes them\.\n$/,
      );
      const before = statSync(join(scratch, 'stopped/demo-smoke-0/run.json')).mtimeMs;
      const again = await cli(sweepOf('stopped', 2, '--json'));
      expect(again.code).toBe(0);
      const runs = jsonLines(again.stdout).slice(0, -1) as Line[];
      expect(runs.filter((line) => line.finishedBefore).map(({ seed }) => seed)).toEqual([0]);
      expect(statSync(join(scratch, 'stopped/demo-smoke-0/run.json')).mtimeMs).toBe(before);
      for (const { seed, folder } of runs) {
        expect(figuresIn(folder)).toEqual(figuresIn(join(scratch, `one/demo-smoke-${seed}`)));
      }
      const text = (await cli(sweepOf('stopped', 2))).stdout;
      expect(text).toMatch(/^0 of 2 runs to do, 2 already finished; smoke scale, /);
      expect(text).toMatch(/\nexperiment {2}n {2}mean % .*\ndemo {8}2 /);
    },
    long,
  );

  test(
    'if a worker is killed, another one resumes its run; the result is bit-identical',
    async () => {
      const sweep = cli(sweepOf('killed', 1, '--workers', '1', '--seed', '1', '--json'));
      await killWorker(join(scratch, 'killed'));
      const { code, stderr } = await sweep;
      expect(stderr).toMatch(
        /demo-smoke-1: sweep: a worker crashed: signal SIGKILL, possibly out of memory\. Restarted\./,
      );
      expect(code).toBe(0);
      expect(readdirSync(join(scratch, 'killed'))).toEqual(['demo-smoke-1']);
      expect(figuresIn(join(scratch, 'killed/demo-smoke-1'))).toEqual(
        figuresIn(join(scratch, 'one/demo-smoke-1')),
      );
    },
    long,
  );

  test(
    'an unfinished run is not trained twice at a time; one that cannot be resumed is trained again, with a notice',
    async () => {
      const folder = join(scratch, 'held/demo-smoke-0');
      cpSync(join(scratch, 'one/demo-smoke-0'), folder, { recursive: true });
      const file = join(folder, 'run.json');
      const { result: _, ...unfinished } = JSON.parse(readFileSync(file, 'utf8')) as object & {
        result: unknown;
      };
      writeFileSync(file, JSON.stringify(unfinished));
      const held = await openRunFolder(folder);
      const meanwhile = await cli(sweepOf('held', 1, '--workers', '1'));
      held.release();
      expect(meanwhile.code).toBe(1);
      expect(meanwhile.stderr).toMatch(
        /demo-smoke-0 failed: run: .*demo-smoke-0 is being trained by another process\./,
      );
      expect(readdirSync(join(scratch, 'held'))).toEqual(['demo-smoke-0']);

      const checkpoints = readdirSync(folder).filter((name) => name.startsWith('checkpoint'));
      for (const name of checkpoints) writeFileSync(join(folder, name), 'damaged');
      const later = await cli(sweepOf('held', 1, '--workers', '1'));
      expect(later.code).toBe(0);
      expect(later.stderr).toMatch(/checkpoint.*Trained again from epoch 1\./s);
      expect(figuresIn(join(scratch, 'held/demo-smoke-0-2'))).toEqual(
        figuresIn(join(scratch, 'one/demo-smoke-0')),
      );
    },
    long,
  );

  test(
    'a failed run is reported, and the exit code is 1',
    async () => {
      const { code, stdout, stderr } = await cli(
        sweepOf('wild', 1, '--set', 'optim.lr=1e30', '--json'),
      );
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /demo-smoke-optim\.lr=1e\+30-0 failed: train: the loss became NaN or infinite/,
      );
      expect(stderr).toMatch(
        /cifar10-fast: sweep: 1 of 1 runs failed:\ndemo-smoke-optim\.lr=1e\+30-0: train: the loss became NaN or infinite/,
      );
      expect(jsonLines(stdout)).toHaveLength(1);
    },
    long,
  );

  test('wrong usage', async () => {
    const errorOf = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await cliHere(['sweep', ...args], scratch);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      return stderr;
    };
    expect(await errorOf()).toMatch(/EXPERIMENT… is missing/);
    expect(await errorOf('demo', 'dmeo')).toMatch(
      /experiment "dmeo" does not exist\. Nearest: "demo"/,
    );
    expect(await errorOf('demo', 'fastest')).toMatch(
      /by default, demo is trained at pocket scale and fastest at full scale\. Give one for all, as in --scale pocket/,
    );
    expect(await errorOf('demo', '--runs', '0')).toMatch(
      /--runs "0" is not a whole number of at least 1/,
    );
    expect(await errorOf('demo', '--goal', 'much')).toMatch(/--goal "much" is not a percentage/);
    expect(await errorOf('demo', '--gpus', '1')).toMatch(/--gpus is for --ray/);
    expect(await errorOf('demo', '--ray', 'auto', '--workers', '2')).toMatch(
      /--workers is for runs on this machine/,
    );
    expect(await errorOf('demo', '--eager', '--precision', 'bf16')).toMatch(
      /--eager computes in fp32 only/,
    );
  });

  test('without Ray, says how to install it', async () => {
    const { code, stderr } = await cli(sweepOf('ray', 1, '--ray', 'auto'), {
      env: { CIFAR10_FAST_RAY_PYTHON: '/no/such/python' },
    });
    expect(code).toBe(1);
    expect(stderr).toBe(
      'cifar10-fast: sweep: Ray is not installed: /no/such/python does not exist. Install it with "npm run ray:setup", or ' +
        'name the Python of your cluster in CIFAR10_FAST_RAY_PYTHON.\n',
    );
    expect(existsSync(join(scratch, 'ray'))).toBe(false);
  });
});

/** Kills the worker that trains into a folder with SIGKILL, after its first epoch. */
async function killWorker(logDir: string): Promise<void> {
  for (;;) {
    const hasEpoch =
      existsSync(logDir) &&
      readdirSync(logDir).some((name) => existsSync(join(logDir, name, 'log.jsonl')));
    for (const pid of hasEpoch ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : []) {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        // Only workers of this test's sweeps: other tests have workers, too.
        const isOurs = readlinkSync(`/proc/${pid}/cwd`) === realpathSync(scratch);
        if (isOurs && args[1].endsWith('/cli/main.js') && args[2] === 'worker') {
          process.kill(Number(pid), 'SIGKILL');
          return;
        }
      } catch {
        // It has ended in the meantime.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('worker', () => {
  test('stops when its standard input ends, and rejects invalid jobs', async () => {
    const given = async (text: string): Promise<{ code: number | null; said: string }> => {
      const child = spawn(process.execPath, [main, 'worker'], { stdio: ['pipe', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (piece: string) => (said += piece));
      }
      child.stdin.end(text);
      return new Promise((done) => child.on('close', (code) => done({ code, said })));
    };
    expect(await given('')).toEqual({
      code: 2,
      said: 'cifar10-fast: worker: standard input has no job.\n',
    });
    expect((await given('what\n')).said).toMatch(/worker: the job is not JSON: /);
    expect((await given('{"kind":"dance"}\n')).said).toMatch(/the job has an unknown kind/);
  });
});

describe('report', () => {
  test('prints a table, JSON and a comparison, and writes a page', async () => {
    const table = await cli(['report', 'one']);
    expect(table).toMatchObject({ code: 0, stderr: '' });
    expect(table.stdout).toMatch(
      /^experiment {2}n .*\ndemo {8}2 .* 0\/2 {2}94\.08 %, 35\/50, 79 s /,
    );
    const json = await cli(['report', 'one', 'two/demo-smoke-1', '--goal', '1', '--json']);
    // The second folder repeats a seed of the first: the later run counts.
    expect(JSON.parse(json.stdout)).toMatchObject({
      goal: 1,
      groups: [{ label: 'demo', acc: { count: 2, reached: 2 } }],
      repeated: ['one/demo-smoke-1'],
    });
    const page = await cli(['report', 'one', '-o', 'report.html']);
    expect(page.stdout).toMatch(/\nwritten to report\.html\n$/);
    expect(readFileSync(join(scratch, 'report.html'), 'utf8')).toMatch(/^<!doctype html>/);
    const other = await cli(['report', 'one', '--compare', 'demo', 'dmeo']);
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toMatch(/no finished runs named "dmeo"\. Nearest: "demo"/);
  });

  test('rejects a folder that does not exist and a missing value', async () => {
    expect(await run(process.execPath, [main, 'report', 'nowhere'])).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'cifar10-fast: report: nowhere does not exist. Name the folder of a run, or of several; "cifar10-fast train demo" makes one in runs/.\n',
    });
    expect((await cli(['report', '--compare', 'demo'])).stderr).toBe(
      'cifar10-fast: --compare needs 2 values: --compare A B.\n',
    );
  });
});
