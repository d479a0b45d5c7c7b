import { InterruptedError, RunError, UsageError } from '../base/errors';
import { readHardware } from '../engine/hardware';
import { findExperiment } from '../catalogue/catalogue';
import type { RunJob } from '../sweeps/job';
import { overridden, parseOverride } from '../catalogue/override';
import { connectRay } from '../sweeps/ray';
import { scales } from '../catalogue/experiment';
import { reportRuns } from '../report/groups';
import { reportJson, reportText } from '../report/report-text';
import { scaled } from '../catalogue/scale';
import { localExecutor, sweep as runSweep } from '../sweeps/sweep';
import type { Executor, ExecutorEvent } from '../sweeps/sweep';
import type { Run } from '../runs/run';
import { durationText } from '../text/progress';
import { wallClock } from '../train/timer';
import { engineFlags, engineOf } from './engine-flags';
import { oneOf, wholeNumber } from './flags';
import type { Command, Given } from './flags';
import { interruptSignal } from './stop-signals';
import { percentage } from './report';
import { displayLines, sweepLine } from './sweep-display';

/** Bytes of memory that a worker is reckoned with where their number is not said. */
const workerBytes = 4 * 2 ** 30;

/** `sweep`: many runs of one or several records. */
export const sweep: Command = {
  name: 'sweep',
  summary: 'Trains records with several seeds each, in worker processes, and sums them up.',
  positionals: ['RECORD…'],
  flags: {
    runs: { value: 'N', help: 'of each record, with seeds that follow each other (default 5)' },
    seed: { value: 'N', help: 'the first of them (default 0)' },
    scale: { value: 'SCALE', help: 'full, pocket (default) or smoke, as in train' },
    ...engineFlags,
    set: {
      value: 'PATH=VALUE',
      help: 'change every record, as in train; may be repeated',
      isRepeatable: true,
    },
    workers: {
      value: 'W',
      help: 'runs at the same time (default: as many as cores, memory and GPUs allow)',
    },
    threads: {
      value: 'T',
      help: 'of each run (default 1 on a CPU); results depend on it in their last bits, on --workers never',
    },
    retries: {
      value: 'N',
      help: 'times that a run whose worker crashed is begun again (default 2)',
    },
    'data-dir': {
      value: 'DIR',
      help: 'a folder with the official CIFAR-10 files, instead of the cache',
    },
    'log-dir': {
      value: 'DIR',
      help: 'where run folders are made (default runs); finished runs in it are not run again',
    },
    ray: {
      value: 'ADDRESS',
      help: 'let a Ray cluster do the runs: HOST:PORT of its head, or auto (docs/scale.md)',
    },
    gpus: {
      value: 'G',
      help: 'with --ray: GPUs of each run, as in 1 or 0.5 (default 1 if the cluster has any)',
    },
    goal: { value: 'PERCENT', help: 'test accuracy that runs are counted at (default 94)' },
    json: { help: 'one JSON line a finished run, and one with the statistics at the end' },
  },
  examples: [
    'sweep demo --runs 10',
    'sweep post1-baseline post4-final-24 --runs 5 --scale pocket --workers 2',
    'sweep demo --scale smoke --runs 4 --workers 2 --json',
    'sweep demo --runs 1000 --scale full --ray 10.0.0.1:6379',
  ],
  run: async (given) => {
    const scale = oneOf(given, 'scale', scales, 'pocket');
    const engine = engineOf(given);
    const overrides = (given.lists.get('set') ?? []).map(parseOverride);
    const experiments = [...new Set(given.positionals)].map((name) =>
      overrides.reduce(
        (record, { path, value }) => overridden(record, path, value),
        scaled(findExperiment(name), scale),
      ),
    );
    const first = wholeNumber(given, 'seed', 0, 0);
    const count = wholeNumber(given, 'runs', 1, 5);
    const goal = percentage(given, 'goal', 94);
    const logDir = given.values.get('log-dir') ?? 'runs';
    const dataDir = given.values.get('data-dir');
    const { executor, threads, workers, close } = await chooseExecutor(given);
    const isJson = given.switches.has('json');

    const display = displayLines();
    const { signal, release } = interruptSignal((text) => display.note(text));
    const watch = follow(display, (line) => {
      if (!isJson) process.stdout.write(`${line}\n`);
    });
    try {
      const outcome = await runSweep(
        {
          experiments,
          seeds: Array.from({ length: count }, (_, index) => first + index),
          ...engine,
          ...(threads === undefined ? {} : { threads }),
          logDir,
          ...(dataDir === undefined ? {} : { dataDir }),
        },
        executor,
        {
          signal,
          onPlan: ({ engine, jobs, finished }) => {
            const { precision, xla, intraOpThreads } = engine;
            const each =
              intraOpThreads === undefined
                ? ''
                : `, ${intraOpThreads} thread${intraOpThreads === 1 ? '' : 's'} each`;
            watch.begin(
              jobs.length,
              `${jobs.length} of ${count * experiments.length} runs to do` +
                `${finished.length === 0 ? '' : `, ${finished.length} finished before`}; ${scale} size, ${precision}${xla ? ', XLA' : ''}, ` +
                `${workers}${each}`,
            );
            if (isJson) for (const run of finished) process.stdout.write(runJson(run, true));
          },
          onEvent: watch.event,
          onRun: (run) => {
            if (isJson) process.stdout.write(runJson(run, false));
          },
        },
      );
      watch.end();
      const { runs, diverged, failures, open } = outcome;
      const report = runs.length === 0 ? undefined : reportRuns([...runs, ...diverged], { goal });
      if (isJson) {
        const { algorithms: _algorithms, ...engine } = outcome.engine;
        const lost = failures.map(({ job: { id }, message }) => ({ run: id, message }));
        const last = {
          ...(report === undefined ? {} : reportJson(report)),
          engine,
          failures: lost,
          open,
        };
        process.stdout.write(`${JSON.stringify(last)}\n`);
      } else if (report !== undefined) {
        process.stdout.write(`\n${reportText(report)}\n`);
      }
      if (signal.aborted) {
        throw new InterruptedError(
          `Interrupted. ${runs.length} run${runs.length === 1 ? ' is' : 's are'} finished, ${open} not; ` +
            'the same command goes on with them.',
        );
      }
      if (failures.length > 0) {
        throw new RunError(
          `sweep: ${failures.length} of ${count * experiments.length} runs failed:\n` +
            `${failures.map(({ job, message }) => `${job.id}: ${message}`).join('\n')}\n` +
            'The same command tries again those that did not diverge.',
        );
      }
      if (!isJson)
        process.stdout.write(`\nnext: npx cifar10-fast report ${logDir} -o report.html\n`);
      return 0;
    } finally {
      watch.end();
      await close();
      release();
    }
  },
};

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

/** Who does the runs of a sweep, and what is to be said of them. */
interface Chosen {
  readonly executor: Executor;
  readonly threads: number | undefined;
  readonly workers: string;
  readonly close: () => Promise<void>;
}

/**
 * Chooses workers here or a cluster. The threads of a run are never made to fit the number of workers: results would depend
 * on it.
 */
async function chooseExecutor(given: Given): Promise<Chosen> {
  const retries = wholeNumber(given, 'retries', 0, 2);
  const address = given.values.get('ray');
  if (address !== undefined) return chooseRay(given, address, retries);
  if (given.values.has('gpus')) {
    throw new UsageError(
      '--gpus is for --ray. Here every worker has one GPU; CUDA_VISIBLE_DEVICES says which there are.',
    );
  }
  const { cores, memoryBytes, gpus } = readHardware();
  const visible = process.env['CUDA_VISIBLE_DEVICES'];
  const names =
    visible === undefined
      ? gpus.map((_, index) => String(index))
      : visible.split(',').filter((name) => name !== '' && gpus.length > 0);
  const threads = threadsOf(given, names.length > 0);
  const fitting =
    names.length > 0
      ? names.length
      : Math.min(Math.floor(cores / (threads ?? 1)), Math.floor(memoryBytes / workerBytes));
  const workers = wholeNumber(given, 'workers', 1, Math.max(1, fitting));
  return {
    executor: localExecutor({ workers, retries, gpus: names }),
    threads,
    workers: `${workers} worker${workers === 1 ? '' : 's'}`,
    close: () => Promise.resolve(),
  };
}

async function chooseRay(given: Given, address: string, retries: number): Promise<Chosen> {
  if (given.values.has('workers')) {
    throw new UsageError(
      '--workers is for runs on this machine; with --ray the cluster says how many there are.',
    );
  }
  const text = given.values.get('gpus');
  const gpusPerRun = text === undefined ? undefined : Number(text);
  if (gpusPerRun !== undefined && !(gpusPerRun >= 0)) {
    throw new UsageError(`--gpus "${text}" is no number of GPUs. Give one, as in --gpus 1.`);
  }
  const cluster = await connectRay({
    address,
    retries,
    ...(gpusPerRun === undefined ? {} : { gpusPerRun }),
  });
  const { nodes, cpus } = cluster;
  return {
    executor: cluster.executor,
    threads: threadsOf(given, cluster.gpusPerRun > 0),
    workers: `Ray at ${address}, ${nodes} node${nodes === 1 ? '' : 's'}, ${cpus} CPUs`,
    close: () => cluster.close(),
  };
}

/** One on a CPU, where runs side by side use the cores better than one run does; TensorFlow's own choice on a GPU. */
function threadsOf(given: Given, usesGpu: boolean): number | undefined {
  return given.values.has('threads') || !usesGpu ? wholeNumber(given, 'threads', 1, 1) : undefined;
}

/** Where a run stands. */
interface Standing {
  readonly worker: string;
  readonly id: string;
  readonly done: number;
  readonly text: string;
}

/** Shows a sweep: a line a worker on a terminal, a line an event elsewhere. */
function follow(
  display: ReturnType<typeof displayLines>,
  say: (line: string) => void,
): {
  readonly begin: (total: number, headline: string) => void;
  readonly event: (job: RunJob, event: ExecutorEvent) => void;
  readonly end: () => void;
} {
  const standings = new Map<string, Standing>();
  let [total, over, start] = [0, 0, 0];
  let timer: NodeJS.Timeout | undefined;
  const show = (): void => {
    const active = [...standings.values()].toSorted((a, b) =>
      a.worker.localeCompare(b.worker, 'en', { numeric: true }),
    );
    const share = (over + active.reduce((sum, { done }) => sum + done, 0)) / Math.max(1, total);
    display.show([
      ...active.map(({ worker, id, text }) => `${worker.padStart(3)}  ${id}  ${text}`),
      sweepLine(over, total, share, wallClock() - start),
    ]);
  };
  const note = (line: string): void => {
    display.clear();
    say(line);
  };
  return {
    begin(count, headline) {
      [total, start] = [count, wallClock()];
      note(headline);
      timer = setInterval(show, 500);
    },
    event(job, event) {
      const { id } = job;
      const before = standings.get(id);
      const { worker = '' } = 'worker' in event ? event : (before ?? {});
      const left = (): string => sweepLine(over, total, over / total, wallClock() - start);
      switch (event.event) {
        case 'assigned':
          standings.set(id, { worker, id, done: 0, text: 'starts' });
          break;
        case 'progress': {
          const { done, epoch, epochs, imagesPerSec, acc, leftSec } = event;
          const text =
            `epoch ${epoch}/${epochs}  ${Math.floor(100 * done)} %  ${imagesPerSec.toFixed(0)} img/s  ` +
            `acc ${(100 * acc).toFixed(2)} %  ${durationText(leftSec)} left`;
          standings.set(id, { worker, id, done, text });
          break;
        }
        case 'epoch': {
          const { row } = event;
          const { epochs } = job.experiment.run;
          const text = `epoch ${row.epoch}/${epochs}  test accuracy ${(100 * row.valid.acc).toFixed(2)} %`;
          standings.set(id, { worker, id, done: row.epoch / epochs, text });
          break;
        }
        case 'done': {
          standings.delete(id);
          over += 1;
          const { accPercent, trainSec } = event.result;
          note(`${id}  ${accPercent.toFixed(2)} %  ${trainSec.toFixed(1)} s  (${left()})`);
          break;
        }
        case 'retried':
          display.note(`${id}: ${event.message} Begun again.`);
          break;
        case 'failed':
        case 'lost':
          standings.delete(id);
          over += 1;
          display.note(`${id} failed: ${event.message}`);
          break;
        case 'stopped':
          standings.delete(id);
          break;
        case 'prepared':
        case 'started':
          break;
        default:
          event satisfies never;
      }
    },
    end() {
      clearInterval(timer);
      display.clear();
    },
  };
}
