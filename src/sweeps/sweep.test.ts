import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { InterruptedError, RunError } from '../base/errors';
import { provideKernelHost } from '../base/kernel-host';
import type { KernelHost } from '../base/kernel-host';
import { findExperiment } from '../catalogue/catalogue';
import { scaled } from '../catalogue/scale';
import { localExecutor, sweep } from './sweep';
import type { ExecutorEvent, LocalOptions, SweepPlan } from './sweep';

const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-sweep-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/**
 * A worker that trains nothing. Its first argument sets its behaviour by seed, as JSON: `crash` (that many times), `fail`,
 * `wait` (until stopped), `cut` (exits silently with code 0).
 */
const worker = join(scratch, 'worker.cjs');
writeFileSync(
  worker,
  `
const { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const how = JSON.parse(process.argv[2]);
const say = (event) => process.stdout.write(JSON.stringify(event) + '\\n');
const lines = require('node:readline').createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const job = JSON.parse(line);
  if (job.kind === 'prepare') {
    appendFileSync(join(how.log, 'prepare'), process.pid + '\\n');
    if (how.prepare === 'fail') { say({ event: 'failed', message: 'no data' }); return lines.close(); }
    return say({ event: 'prepared', engine: { precision: 'fp32', device: 'cpu', algorithms: [], ...job.engine } });
  }
  const log = join(how.log, String(job.seed));
  appendFileSync(log, JSON.stringify({ pid: process.pid, gpu: process.env.CUDA_VISIBLE_DEVICES, resume: job.resume }) + '\\n');
  const attempts = readFileSync(log, 'utf8').trim().split('\\n').length;
  const does = how[job.seed] ?? {};
  const { experiment, seed, engine } = job;
  const folder = job.resume ?? join(job.logDir, job.id);
  const hardware = { cpu: 'none', cores: 1, memoryBytes: 0, cpuFlags: [], gpus: [] };
  const leave = (more) => writeFileSync(join(folder, 'run.json'), JSON.stringify({ record: experiment.name, scale: 'smoke', seed,
    started: '2026', ...engine, experiment, hardware, ...more }));
  if (does.cut) process.exit(0);
  mkdirSync(folder, { recursive: true });
  leave({});
  say({ event: 'started', folder, epochs: 1 });
  if (attempts <= (does.crash ?? 0)) { process.stderr.write('out of luck'); process.kill(process.pid, 'SIGSEGV'); }
  console.log('what a library prints');
  if (does.notice) say({ event: 'notice', message: does.notice });
  if (does.diverge) leave({ failure: { epoch: 1, step: 2, message: 'the loss is NaN or infinite' } });
  if (does.fail) { say({ event: 'failed', message: 'the loss is NaN or infinite' }); return lines.close(); }
  if (does.wait) return lines.once('close', () => say({ event: 'stopped', message: 'Interrupted.' }));
  const result = { epochs: 1, accPercent: 90 + seed, loss: 1, trainSec: 2, imagesPerSec: 3 };
  leave(does.torn ? { result, seed: 'two' } : { result });
  say({ event: 'done', folder, result });
});
`,
);

let folders = 0;

/** A plan in its own folder, and an executor with such workers. */
function prepared(
  how: Readonly<Record<string, unknown>> = {},
  options: Partial<LocalOptions> = {},
): { plan: SweepPlan; log: string; executor: ReturnType<typeof localExecutor> } {
  const root = join(scratch, String((folders += 1)));
  const log = join(root, 'log');
  mkdirSync(log, { recursive: true });
  const command = [process.execPath, worker, JSON.stringify({ log, ...how })];
  return {
    log,
    plan: {
      experiments: [scaled(findExperiment('demo'), 'smoke')],
      seeds: [0, 1, 2, 3],
      mode: 'captured',
      xla: false,
      threads: 1,
      logDir: join(root, 'runs'),
    },
    executor: localExecutor({ workers: 2, retries: 2, command, ...options }),
  };
}

/** What each worker that ran a seed logged about itself. */
interface Attempt {
  readonly pid: number;
  readonly gpu?: string;
  readonly resume?: string;
}

const attemptsOf = (log: string, seed: number): Attempt[] =>
  existsSync(join(log, String(seed)))
    ? readFileSync(join(log, String(seed)), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Attempt)
    : [];

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a sweep', () => {
  test('runs every experiment with every seed, with one process per worker, and returns the runs in plan order', async () => {
    const { plan, log, executor } = prepared();
    const experiments = [...plan.experiments, scaled(findExperiment('post8-final'), 'smoke')];
    const finished: number[] = [];
    const { runs, failures, open, engine } = await sweep({ ...plan, experiments }, executor, {
      onRun: ({ seed }) => finished.push(seed),
    });
    expect(runs.map(({ name, seed }) => `${name} ${seed}`)).toEqual(
      ['demo', 'post8-final'].flatMap((name) => [0, 1, 2, 3].map((seed) => `${name} ${seed}`)),
    );
    expect({ failures, open }).toEqual({ failures: [], open: 0 });
    expect(engine).toEqual({
      mode: 'captured',
      xla: false,
      precision: 'fp32',
      device: 'cpu',
      intraOpThreads: 1,
      algorithms: [],
    });
    expect(finished.toSorted((a, b) => a - b)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    const pids = [0, 1, 2, 3].flatMap((seed) => attemptsOf(log, seed).map(({ pid }) => pid));
    expect(pids).toHaveLength(8);
    expect(new Set(pids).size).toBe(2);
    expect(pids.some(isAlive)).toBe(false);
    // The process that prepares also trains; if nothing is left to train, it exits.
    await sweep({ ...plan, seeds: [0] }, executor);
    const preparing = readFileSync(join(log, 'prepare'), 'utf8').trim().split('\n').map(Number);
    expect(preparing).toHaveLength(2);
    expect(pids).toContain(preparing[0]);
    expect(preparing.some(isAlive)).toBe(false);
  });

  test('reuses finished runs if all settings that affect results match', async () => {
    const { plan, log, executor } = prepared();
    await sweep({ ...plan, seeds: [0, 1] }, executor);
    const jobs: string[] = [];
    const { runs } = await sweep(plan, executor, {
      onPlan: (announced) => {
        jobs.push(...announced.jobs.map(({ id }) => id));
        expect(announced.finished.map(({ seed }) => seed)).toEqual([0, 1]);
      },
    });
    expect(jobs).toEqual(['demo-smoke-2', 'demo-smoke-3']);
    expect(runs.map(({ seed }) => seed)).toEqual([0, 1, 2, 3]);
    expect(attemptsOf(log, 0)).toHaveLength(1);
    // A different number of threads, precision, XLA setting or schedule makes a different run.
    const [demo] = plan.experiments;
    const others: readonly Partial<SweepPlan>[] = [
      { threads: 2 },
      { precision: 'bf16' },
      { xla: true },
      { experiments: [{ ...demo, optim: { ...demo.optim, momentum: 0.8 } }] },
    ];
    for (const other of others) {
      const counts: number[] = [];
      await sweep({ ...plan, ...other }, executor, {
        onPlan: (announced) => counts.push(announced.jobs.length),
      });
      expect(counts).toEqual([4]);
    }
  });

  test.each([
    ['a run with a time budget', { budget: { seconds: 30, spentSec: 4 } }],
    ['a run that continues another', { continues: { run: 'runs/a', epochs: 1, accPercent: 20 } }],
    ['a run on the GPU', { device: 'gpu' }],
  ])('does not take %s for one of its runs', async (_, how) => {
    const { plan, executor } = prepared();
    await sweep({ ...plan, seeds: [0] }, executor);
    const file = join(plan.logDir, 'demo-smoke-0', 'run.json');
    const run = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...run, ...how }));
    const jobs: object[] = [];
    await sweep({ ...plan, seeds: [0] }, executor, { onPlan: (told) => jobs.push(...told.jobs) });
    expect(jobs).toEqual([expect.not.objectContaining({ resume: expect.anything() as string })]);
  });

  test('retries a run whose worker crashed, and gives up after the maximum number of retries', async () => {
    const { plan, log, executor } = prepared({
      1: { crash: 2 },
      2: { crash: 9 },
      3: { cut: true },
    });
    const events: [string, ExecutorEvent][] = [];
    const { runs, failures, open } = await sweep(plan, executor, {
      onEvent: ({ id }, event) => events.push([id, event]),
    });
    expect(runs.map(({ seed }) => seed)).toEqual([0, 1]);
    expect(open).toBe(0);
    const messages = new Map(failures.map(({ job, message }) => [job.id, message]));
    expect(Object.fromEntries(messages)).toEqual({
      'demo-smoke-2': 'sweep: a worker crashed: signal SIGSEGV.\nout of luck',
      'demo-smoke-3': 'sweep: a worker crashed: exit code 0.',
    });
    expect([0, 1, 2, 3].map((seed) => attemptsOf(log, seed).length)).toEqual([1, 3, 3, 3]);
    // Each retry resumes the folder of the previous worker.
    const folder = join(plan.logDir, 'demo-smoke-1');
    expect(attemptsOf(log, 1).map(({ resume }) => resume)).toEqual([undefined, folder, folder]);
    const retries = events.filter(
      ([id, { event }]) => id === 'demo-smoke-1' && event === 'retried',
    );
    expect(retries.map(([, event]) => ('attempt' in event ? event.attempt : 0))).toEqual([1, 2]);
  });

  test('does not retry a run that would fail again', async () => {
    const { plan, log, executor } = prepared({ 1: { fail: true } });
    const { runs, failures } = await sweep(plan, executor);
    expect(runs).toHaveLength(3);
    expect(failures.map(({ message }) => message)).toEqual(['the loss is NaN or infinite']);
    expect(attemptsOf(log, 1)).toHaveLength(1);
  });

  test('does not retrain a diverged run, and reports it', async () => {
    const { plan, log, executor } = prepared({ 1: { diverge: true, fail: true } });
    const first = await sweep(plan, executor);
    expect(first.diverged.map(({ seed, failure }) => [seed, failure?.step])).toEqual([[1, 2]]);
    const again = await sweep(plan, executor);
    expect(again.runs.map(({ seed }) => seed)).toEqual([0, 2, 3]);
    expect(again.diverged).toEqual(first.diverged);
    expect(again.failures.map(({ message }) => message)).toEqual(['the loss is NaN or infinite']);
    expect(again.open).toBe(0);
    expect(attemptsOf(log, 1)).toHaveLength(1);
  });

  test('reports a result that cannot be read as a failure', async () => {
    const { plan, executor } = prepared({ 2: { torn: true } });
    const { runs, failures } = await sweep(plan, executor);
    expect(runs).toHaveLength(3);
    expect(failures[0].message).toContain('run.json: "seed" is "two"; expected a whole number');
  });

  test('passes on what its workers notice', async () => {
    const notice = 'checkpoint-1.safetensors is damaged. Trained again from epoch 1.';
    const { plan, executor } = prepared({ 1: { notice } });
    const notices: string[] = [];
    await sweep(plan, executor, { onNotice: (text) => notices.push(text) });
    expect(notices).toEqual([notice]);
  });

  test('stops its workers, starts no more runs, and resumes when called again', async () => {
    const { plan, log, executor } = prepared({ 0: { wait: true }, 1: { wait: true } });
    const controller = new AbortController();
    let begun = 0;
    const { runs, failures, open } = await sweep(plan, executor, {
      signal: controller.signal,
      onEvent: (_, { event }) => {
        if (event === 'started') begun += 1;
        if (begun === 2) controller.abort();
      },
    });
    expect({ runs, failures, open }).toEqual({ runs: [], failures: [], open: 4 });
    expect(attemptsOf(log, 2)).toEqual([]);
    for (const { pid } of [...attemptsOf(log, 0), ...attemptsOf(log, 1)]) {
      expect(isAlive(pid)).toBe(false);
    }
    const { executor: patient } = prepared({ log });
    expect((await sweep(plan, patient)).runs).toHaveLength(4);
    const last = [0, 1, 2, 3].map((seed) => attemptsOf(log, seed).at(-1)?.resume);
    const folders = [0, 1].map((seed) => join(plan.logDir, `demo-smoke-${seed}`));
    expect(last).toEqual([...folders, undefined, undefined]);
  });

  test("uses the cell's signal in a notebook cell", async () => {
    const { plan, log, executor } = prepared({ 0: { wait: true }, 1: { wait: true } });
    const controller = new AbortController();
    provideKernelHost({ interruptSignal: () => controller.signal } as unknown as KernelHost);
    try {
      let begun = 0;
      const { open } = await sweep(plan, executor, {
        onEvent: (_, { event }) => {
          if (event === 'started') begun += 1;
          if (begun === 2) controller.abort();
        },
      });
      expect(open).toBe(4);
    } finally {
      provideKernelHost(undefined as unknown as KernelHost);
    }
    expect(attemptsOf(log, 2)).toEqual([]);
    for (const { pid } of [...attemptsOf(log, 0), ...attemptsOf(log, 1)]) {
      expect(isAlive(pid)).toBe(false);
    }
  });

  test('assigns GPUs to its workers in turn', async () => {
    const { plan, log, executor } = prepared({}, { gpus: ['3', '5'], workers: 2 });
    await sweep({ ...plan, seeds: [0, 1] }, executor);
    const given = [0, 1].map((seed) => attemptsOf(log, seed)[0].gpu);
    expect(new Set(given)).toEqual(new Set(['3', '5']));
  });

  test('reports why it could not start', async () => {
    const { plan, executor } = prepared({ prepare: 'fail' });
    await expect(sweep(plan, executor)).rejects.toThrow(new RunError('no data'));
    const lost = prepared({}, { command: ['/no/such/program'] });
    await expect(sweep(plan, lost.executor)).rejects.toThrow('ENOENT');
    const controller = new AbortController();
    controller.abort();
    const { plan: again, executor: good } = prepared();
    const stopped = sweep({ ...again, seeds: [] }, good, { signal: controller.signal });
    await expect(stopped).resolves.toMatchObject({ runs: [], open: 0 });
  });

  test('is not stopped by a damaged run or the output of a report in its folder', async () => {
    const { plan, executor } = prepared();
    await sweep({ ...plan, seeds: [0] }, executor);
    const damaged = join(plan.logDir, 'demo-smoke-0', 'run.json');
    writeFileSync(damaged, '{"record":');
    writeFileSync(join(plan.logDir, 'report.json'), '{"groups":[{"accPercent":94}]}');
    const notices: string[] = [];
    const { runs } = await sweep({ ...plan, seeds: [1] }, executor, {
      onNotice: (text) => notices.push(text),
    });
    expect(runs.map(({ seed }) => seed)).toEqual([1]);
    expect(notices).toEqual([
      expect.stringContaining(`Skipped: run: ${damaged} is not JSON`),
      expect.stringContaining('report.json has an accuracy, but'),
    ]);
  });

  test('leaves other files in the folder alone', async () => {
    const { plan, executor } = prepared();
    mkdirSync(join(plan.logDir, 'notes'), { recursive: true });
    writeFileSync(join(plan.logDir, 'sweep.txt'), 'mine');
    await sweep({ ...plan, seeds: [0] }, executor);
    expect(new Set(readdirSync(plan.logDir))).toEqual(
      new Set(['demo-smoke-0', 'notes', 'sweep.txt']),
    );
  });
});

test('throws InterruptedError if stopped during prepare', async () => {
  const command = [
    process.execPath,
    '-e',
    'process.stdin.resume().on("end", () => console.log(JSON.stringify({ event: "stopped", message: "" })))',
  ];
  const controller = new AbortController();
  const { plan } = prepared();
  const executor = localExecutor({ workers: 1, retries: 0, command });
  const end = sweep(plan, executor, { signal: controller.signal });
  controller.abort();
  await expect(end).rejects.toThrow(InterruptedError);
});
