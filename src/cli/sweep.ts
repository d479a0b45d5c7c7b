import { InterruptedError, RunError, UsageError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { scales } from '../catalogue/experiment';
import type { Experiment, Scale } from '../catalogue/experiment';
import { defaultScale, scaled } from '../catalogue/scale';
import { reportRuns } from '../report/groups';
import type { RunReport } from '../report/groups';
import { reportJson, reportText } from '../report/report-text';
import type { Run } from '../runs/run';
import type { JobEngine } from '../sweeps/job';
import { sweep as runSweep } from '../sweeps/sweep';
import type { SweepOutcome, SweepPlan } from '../sweeps/sweep';
import { changeFlags, changesOf, withChanges } from './change-flags';
import { engineFlags, engineOf } from './engine-flags';
import { oneOf, wholeNumber } from './flags';
import type { Command, Given } from './flags';
import { percentage } from './report';
import { interruptSignal } from './stop-signals';
import { displayLines } from './sweep-display';
import { chooseExecutor } from './sweep-executor';
import { watchSweep } from './sweep-watch';
import { counted } from '../text/counted';

/** Eleven days, at ten seconds per run. */
const mostRuns = 100_000;

/** `sweep`: many runs of one or more experiments. */
export const sweep: Command = {
  name: 'sweep',
  positionals: ['EXPERIMENT…'],
  flags: {
    runs: { value: 'N', help: 'runs per experiment, with consecutive seeds (default 5)' },
    seed: { value: 'N', help: 'the first seed (default 0)' },
    scale: { value: 'SCALE', help: 'full, pocket or smoke, by default as in train' },
    ...engineFlags,
    ...changeFlags,
    workers: {
      value: 'W',
      help: 'runs at the same time (default: as many as cores, memory and GPUs allow)',
    },
    threads: {
      value: 'T',
      help: 'threads per run (default 1 on a CPU); changes the last bits of results, unlike --workers',
    },
    retries: {
      value: 'N',
      help: 'how often a run is restarted after its worker crashed (default 2)',
    },
    'data-dir': {
      value: 'DIR',
      help: 'a folder with the official CIFAR-10 files, instead of the cache',
    },
    'log-dir': {
      value: 'DIR',
      help: 'where run folders are created (default runs); finished runs in it are not repeated',
    },
    ray: {
      value: 'ADDRESS',
      help: 'train on a Ray cluster: HOST:PORT of its head, or auto (docs/scale.md)',
    },
    gpus: {
      value: 'G',
      help: 'with --ray: GPUs per run, such as 1 or 0.5 (default 1 if the cluster has any)',
    },
    goal: {
      value: 'PERCENT',
      help: 'target test accuracy: counts the runs that reach it (default 94)',
    },
    json: { help: 'one JSON line per finished run, and one with the statistics at the end' },
  },
  examples: [
    'sweep demo --runs 10',
    'sweep post1-baseline post4-final-24 --runs 5 --scale pocket --workers 2',
    'sweep demo --scale smoke --runs 4 --workers 2 --json',
    'sweep demo --runs 1000 --scale full --ray 10.0.0.1:6379',
  ],
  run: async (given) => {
    const { scale, plan } = planOf(given);
    const total = plan.experiments.length * plan.seeds.length;
    const goal = percentage(given, 'goal', 94);
    const { executor, threads, workers, close } = await chooseExecutor(given);
    const isJson = given.switches.has('json');
    const print = (text: string, isFor: 'people' | 'programs'): void => {
      if ((isFor === 'programs') === isJson) process.stdout.write(text);
    };
    const display = displayLines();
    const { signal, release } = interruptSignal((text) => display.note(text));
    const watch = watchSweep(display, (line) => print(`${line}\n`, 'people'));
    try {
      const outcome = await runSweep(
        { ...plan, ...(threads === undefined ? {} : { threads }) },
        executor,
        {
          signal,
          onNotice: (text) => display.note(text),
          onPlan: ({ engine, jobs, finished }) => {
            const before = finished.length === 0 ? '' : `, ${finished.length} already finished`;
            watch.begin(
              jobs.length,
              `${jobs.length} of ${total} runs to do${before}; ${scale} scale, ${engineText(engine)}, ${workers}${threadsText(engine)}`,
            );
            for (const run of finished) print(runJson(run, true), 'programs');
          },
          onEvent: watch.event,
          onRun: (run) => print(runJson(run, false), 'programs'),
        },
      );
      watch.end();
      const report = reportOf(outcome, goal);
      print(`${JSON.stringify(summaryJson(outcome, report))}\n`, 'programs');
      if (report !== undefined) print(`\n${reportText(report)}\n`, 'people');
      checkOutcome(outcome, total, signal);
      print(`\nnext: npx cifar10-fast report ${plan.logDir} -o report.html\n`, 'people');
      return 0;
    } finally {
      watch.end();
      await close();
      release();
    }
  },
};

/** The sweep that the flags request. @throws UsageError, ExperimentError */
function planOf(given: Given): { readonly scale: Scale; readonly plan: SweepPlan } {
  const experiments = [...new Set(given.positionals)].map(findExperiment);
  const scale = scaleOf(given, experiments);
  const changes = changesOf(given);
  const first = wholeNumber(given, 'seed', 0, 0);
  const count = wholeNumber(given, 'runs', 1, 5);
  if (count > mostRuns) {
    throw new UsageError(
      `--runs ${count} is more than ${mostRuns.toLocaleString('en-US')}. Start several sweeps, each with its --seed.`,
    );
  }
  const dataDir = given.values.get('data-dir');
  const plan = {
    experiments: experiments.map((experiment) => withChanges(scaled(experiment, scale), changes)),
    seeds: Array.from({ length: count }, (_, index) => first + index),
    ...engineOf(given),
    logDir: given.values.get('log-dir') ?? 'runs',
    ...(dataDir === undefined ? {} : { dataDir }),
  };
  return { scale, plan };
}

/** The default scale of all experiments. @throws UsageError if they differ in it and `--scale` is missing */
function scaleOf(given: Given, experiments: readonly Experiment[]): Scale {
  const [first, ...others] = experiments;
  const other = others.find((one) => defaultScale(one) !== defaultScale(first));
  if (other !== undefined && !given.values.has('scale')) {
    throw new UsageError(
      `sweep: by default, ${first.name} is trained at ${defaultScale(first)} scale and ${other.name} at ${defaultScale(other)} scale. ` +
        'Give one for all, as in --scale pocket.',
    );
  }
  return oneOf(given, 'scale', scales, defaultScale(first));
}

function engineText({ precision, xla }: JobEngine): string {
  return `${precision}${xla ? ', XLA' : ''}`;
}

function threadsText({ intraOpThreads: count }: JobEngine): string {
  return count === undefined ? '' : `, ${counted(count, 'thread')} each`;
}

function reportOf({ runs, diverged }: SweepOutcome, goal: number): RunReport | undefined {
  return runs.length === 0 ? undefined : reportRuns([...runs, ...diverged], { goal });
}

function summaryJson(
  { engine: { algorithms: _algorithms, ...engine }, failures, open }: SweepOutcome,
  report: RunReport | undefined,
): object {
  return {
    ...(report === undefined ? {} : reportJson(report)),
    engine,
    failures: failures.map(({ job: { id }, message }) => ({ run: id, message })),
    open,
  };
}

/** @throws InterruptedError if the sweep was stopped, RunError if a run failed */
function checkOutcome(
  { runs, failures, open }: SweepOutcome,
  total: number,
  signal: AbortSignal,
): void {
  if (signal.aborted) {
    throw new InterruptedError(
      `Interrupted. ${runs.length} run${runs.length === 1 ? ' is' : 's are'} finished, ${open} not; ` +
        'the same command resumes them.',
    );
  }
  if (failures.length === 0) return;
  throw new RunError(
    `sweep: ${failures.length} of ${total} runs failed:\n` +
      `${failures.map(({ job, message }) => `${job.id}: ${message}`).join('\n')}\n` +
      'The same command retries those that did not diverge.',
  );
}

function runJson(run: Run, isBefore: boolean): string {
  const { name, scale, seed, mode, precision, threads, path, result } = run;
  const { accPercent, trainSec, imagesPerSec } = result ?? {};
  const line = {
    record: name,
    scale,
    seed,
    mode,
    precision,
    threads,
    accPercent,
    trainSec,
    imagesPerSec,
    folder: path,
    ...(isBefore ? { finishedBefore: true } : {}),
  };
  return `${JSON.stringify(line)}\n`;
}
