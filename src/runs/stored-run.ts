import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RunError } from '../base/errors';
import { hardwareLine } from '../engine/hardware';
import type { Precision } from '../engine/hardware';
import type { SessionMode } from '../engine/session';
import type { EpochRow } from '../train/training';
import type { RunAbout } from './plan';
import { catalogue } from '../catalogue/catalogue';
import type { Experiment, Published, Scale } from '../catalogue/experiment';
import type { RunResult } from './prepare';

/** A run that lies on disk: in the folder that it left, or as one file of `results/`. */
export interface StoredRun {
  /** The folder or file. */
  readonly path: string;
  readonly record: string;
  readonly scale: Scale;
  readonly seed: number;
  /** What was changed about the record, each as `path=value`. */
  readonly overrides: readonly string[];
  readonly mode: SessionMode;
  readonly precision: Precision;
  /** Whether XLA compiled the steps. */
  readonly xla: boolean;
  /** Threads within an operation; absent where they were not kept. */
  readonly threads?: number;
  /** As in `AMD EPYC, 2 cores, AVX-512 BF16, 24 GB`. */
  readonly hardware: string;
  /** A time, or only a day, as in `2026-11-23T14:50:02.113Z`. */
  readonly started: string;
  readonly published?: Published;
  /** The record as it was trained; absent where it was not kept. */
  readonly experiment?: Experiment;
  /** Epochs that the run is to have; absent where the epochs were not kept. */
  readonly epochs?: number;
  /** Those that are over; none where they were not kept. */
  readonly rows: readonly EpochRow[];
  /** Absent while the run is not finished. */
  readonly result?: Pick<RunResult, 'accPercent' | 'trainSec' | 'imagesPerSec'>;
}

/** What `run.json` of a run folder holds. */
type RunJson = Omit<RunAbout, 'intraOpThreads' | 'xla'> &
  Partial<Pick<RunAbout, 'intraOpThreads' | 'xla'>> & { readonly result?: RunResult };

/** What a file of `results/` holds. */
type ResultJson = Pick<RunResult, 'accPercent' | 'trainSec' | 'imagesPerSec'> &
  Pick<RunAbout, 'record' | 'scale' | 'seed' | 'precision'> & {
    readonly hardware: string;
    readonly date: string;
  };

/**
 * Reads runs. Each path is a run's folder, a folder of such folders, a file as those in `results/`, or a folder of such
 * files. Runs come in the order of the paths, and within a folder by name; one that is found twice comes once.
 *
 * @throws RunError if there is no such path, no run in it, or a file that cannot be read as what it should be
 */
export async function findRuns(paths: readonly string[]): Promise<StoredRun[]> {
  const found = new Map<string, StoredRun>();
  for (const path of paths) {
    const runs = await runsAt(path);
    if (runs.length === 0) {
      throw new RunError(
        `report: ${path} holds no run: neither run.json, nor a folder with one. Point at a run's folder or at the ` +
          'folder that holds them, as --log-dir named it.',
      );
    }
    for (const run of runs) found.set(run.path, run);
  }
  return [...found.values()];
}

/**
 * The runs of a folder that may hold none, and need not be there.
 *
 * @throws RunError if a file in it is damaged
 */
export async function findAnyRuns(folder: string): Promise<StoredRun[]> {
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isFolder ? runsAt(folder) : [];
}

/** What a run has to have been, to be taken in place of one that is wanted. */
export interface WantedRun {
  /** As it is to be trained: of its size, with its overrides. */
  readonly experiment: Experiment;
  readonly seed: number;
  readonly mode: SessionMode;
  readonly precision: Precision;
  readonly xla: boolean;
  /** Within an operation; any number where absent. */
  readonly intraOpThreads?: number;
}

/** Whether a run is the one that is wanted: the same network, data, optimiser and seed, executed in the same way. */
export function isSameRun(
  run: StoredRun,
  { experiment, seed, mode, precision, xla, intraOpThreads }: WantedRun,
): boolean {
  const decisive = ({ net, loss, data, optim, run }: Experiment): string =>
    JSON.stringify([net, loss, data, optim, run]);
  return (
    run.record === experiment.name &&
    run.scale === (experiment.scale ?? 'full') &&
    run.seed === seed &&
    run.mode === mode &&
    run.precision === precision &&
    run.xla === xla &&
    (intraOpThreads === undefined || run.threads === intraOpThreads) &&
    run.experiment !== undefined &&
    decisive(run.experiment) === decisive(experiment)
  );
}

async function runsAt(path: string): Promise<StoredRun[]> {
  const kind = await stat(path).catch(() => undefined);
  if (kind === undefined) {
    throw new RunError(
      `report: there is no ${path}. Point at a run's folder, or at one of several.`,
    );
  }
  if (kind.isFile()) return [resultFile(path, await readFile(path, 'utf8'))];
  const own = await readRunFolder(path);
  if (own !== undefined) return [own];
  const entries = await readdir(path, { withFileTypes: true });
  // Numbers by size: demo-smoke-2 comes before demo-smoke-10.
  const byName = new Intl.Collator('en', { numeric: true });
  const runs: StoredRun[] = [];
  for (const entry of entries.toSorted((a, b) => byName.compare(a.name, b.name))) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) {
      const run = await readRunFolder(inside);
      if (run !== undefined) runs.push(run);
    } else if (entry.name.endsWith('.json')) {
      const text = await readFile(inside, 'utf8');
      // Other programs leave JSON beside runs, too; a result says which record it is of.
      if (/"accPercent":/.test(text)) runs.push(resultFile(inside, text));
    }
  }
  return runs;
}

/**
 * Reads what a run left in its folder, finished or not; `undefined` where it holds no `run.json`.
 *
 * @throws RunError if a file in it is damaged
 */
export async function readRunFolder(folder: string): Promise<StoredRun | undefined> {
  const path = join(folder, 'run.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const json = parse<RunJson>(path, text, ['record', 'scale', 'seed', 'precision', 'experiment']);
  const { experiment, result } = json;
  const log = join(folder, 'log.jsonl');
  const lines = await readFile(log, 'utf8').catch(() => '');
  const rows = lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parse<EpochRow>(log, line, ['epoch', 'valid']));
  const published = experiment.published;
  return {
    path: folder,
    record: json.record,
    scale: json.scale,
    seed: json.seed,
    overrides: experiment.overrides ?? [],
    mode: json.mode,
    precision: json.precision,
    xla: json.xla ?? false,
    ...(json.intraOpThreads === undefined ? {} : { threads: json.intraOpThreads }),
    hardware: hardwareLine(json.hardware),
    started: json.started,
    ...(published === undefined ? {} : { published }),
    experiment,
    epochs: experiment.run.epochs,
    rows,
    ...(result === undefined ? {} : { result }),
  };
}

function resultFile(path: string, text: string): StoredRun {
  const json = parse<ResultJson>(path, text, [
    'record',
    'scale',
    'seed',
    'precision',
    'accPercent',
  ]);
  const { record, scale, seed, precision, hardware, date } = json;
  const { accPercent, trainSec, imagesPerSec } = json;
  const published = catalogue.get(record)?.published;
  return {
    path,
    record,
    scale,
    seed,
    overrides: [],
    mode: 'captured',
    precision,
    xla: false,
    hardware,
    started: date,
    ...(published === undefined ? {} : { published }),
    rows: [],
    result: { accPercent, trainSec, imagesPerSec },
  };
}

function parse<T>(path: string, text: string, keys: readonly (keyof T & string)[]): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RunError(
      `report: ${path} is damaged: ${(cause as Error).message}. Run it again, or take it out of the folder.`,
      { cause },
    );
  }
  const missing = keys.filter((key) => (value as Partial<T> | null)?.[key] === undefined);
  if (missing.length > 0) {
    throw new RunError(
      `report: ${path} says nothing of ${missing.join(', ')}, so it was not left by a run. Take it out of the folder.`,
    );
  }
  return value as T;
}
