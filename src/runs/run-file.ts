import { join } from 'node:path';
import { z } from 'zod';
import { RunError } from '../base/errors';
import { plainName, plainNameExpected } from '../base/plain-name';
import { faultOf } from '../catalogue/fault';
import { experimentSchema } from '../catalogue/schema';
import { fromZero, number, truth } from '../catalogue/schema-parts';
import { hardwareLine, precisions } from '../engine/hardware';
import type { EpochRow } from '../train/training';
import { loadSchema } from './load-schema';
import type { PlannedRun, Run } from './run';
import { textIfAny } from './run-text';

// The message of each check completes a sentence that ends in "expected".
const text = z.string('a string');
const percent = z.number('a percentage').min(0, 'a percentage').max(100, 'a percentage');
const whole = (least: number, most = Number.MAX_SAFE_INTEGER): z.ZodType<number> => {
  const range =
    most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  const expected = `a whole number ${range}`;
  return z.int(expected).min(least, expected).max(most, expected);
};
const list = <T>(item: z.ZodType<T>, what: string): z.ZodType<T[]> =>
  z.array(item, `a list of ${what}`);
const day = text.regex(/^\d{4}/, 'a date, as in 2026-11-23');
/** More threads than any machine has would take minutes to start. */
const threads = whole(1, 1024);
const device = z.enum(['cpu', 'gpu'], 'one of cpu, gpu');
const timer = z.literal('dawnbench', '"dawnbench"');

const named = {
  record: text.regex(plainName, plainNameExpected),
  scale: z.enum(['smoke', 'pocket', 'full'], 'one of smoke, pocket, full'),
  seed: whole(0),
  precision: z.enum(precisions, `one of ${precisions.join(', ')}`),
};

const achieved = {
  accPercent: percent,
  trainSec: fromZero,
  imagesPerSec: fromZero,
  evaluationSec: z.exactOptional(fromZero),
  pflop: z.exactOptional(fromZero),
};

// Values that NVIDIA's driver does not report are NaN, which JSON writes as null.
const gpu = z.looseObject(
  {
    name: text,
    memoryBytes: z.nullable(number),
    computeCapability: z.nullable(number),
    driver: text,
  },
  'an object: a GPU',
);

const hardware = z.looseObject(
  {
    cpu: text,
    cores: whole(1),
    memoryBytes: fromZero,
    cpuFlags: list(text, 'texts'),
    gpus: list(gpu, 'GPUs'),
  },
  'an object: the hardware',
);

const result = z.looseObject(
  {
    ...achieved,
    epochs: z.exactOptional(whole(1)),
    loss: z.exactOptional(number),
    tta: z.exactOptional(z.looseObject({ accPercent: percent, loss: number }, 'an object')),
    divergedIn: z.exactOptional(whole(1)),
  },
  'an object: the result',
);

const failure = z.looseObject(
  { epoch: whole(1), step: z.exactOptional(whole(1)), message: text },
  'an object of epoch, step, message',
);

const resumption = z.looseObject(
  {
    at: text,
    epoch: whole(0),
    batches: whole(0),
    differences: z.exactOptional(list(text, 'texts')),
  },
  'an object of at, epoch, batches',
);

const continuation = z.looseObject(
  {
    run: text,
    epochs: whole(1),
    accPercent: percent,
    differences: z.exactOptional(list(text, 'texts')),
  },
  'an object of run, epochs, accPercent',
);

const algorithm = z.looseObject(
  {
    pass: z.exactOptional(text),
    shape: text,
    candidates: list(z.looseObject({}, 'an object'), 'candidates'),
    chosen: text,
  },
  'an object of pass, shape, candidates, chosen',
);

/** `run.json`. Fields that the first versions did not write are optional. */
const runSchema = z.looseObject(
  {
    ...named,
    started: day,
    mode: z.enum(['captured', 'eager'], 'one of captured, eager'),
    xla: z.exactOptional(truth),
    intraOpThreads: z.exactOptional(threads),
    device: z.exactOptional(device),
    experiment: experimentSchema,
    dataSha256: z.exactOptional(text),
    versions: z.exactOptional(
      z.looseObject({ node: text, tensorflow: text }, 'an object of versions'),
    ),
    hardware,
    environment: z.exactOptional(z.record(text, text, 'an object of strings')),
    algorithms: z.exactOptional(list(algorithm, 'measured algorithms')),
    preprocessSec: z.exactOptional(fromZero),
    checkpoints: z.exactOptional(
      z.custom(
        (value) => value === 'all' || whole(0).safeParse(value).success,
        'a whole number of at least 0, or "all"',
      ),
    ),
    resumed: z.exactOptional(list(resumption, 'resumptions')),
    continues: z.exactOptional(continuation),
    result: z.exactOptional(result),
    failure: z.exactOptional(failure),
    load: z.exactOptional(loadSchema),
    timer: z.exactOptional(timer),
    budget: z.exactOptional(
      z.looseObject({ seconds: fromZero, spentSec: fromZero }, 'an object of seconds, spentSec'),
    ),
  },
  'an object: a run',
);

/** A file of `results/`. */
const resultSchema = z.looseObject(
  {
    ...named,
    ...achieved,
    overrides: z.exactOptional(list(text, 'texts')),
    budgetSec: z.exactOptional(fromZero),
    hardware: text,
    date: day,
    threads: z.exactOptional(threads),
    xla: z.exactOptional(truth),
    device: z.exactOptional(device),
    timer: z.exactOptional(timer),
    divergedIn: z.exactOptional(whole(1)),
    tensorflow: z.exactOptional(text),
    node: z.exactOptional(text),
    load: z.exactOptional(loadSchema),
    alone: z.exactOptional(z.literal(true, 'true or absent')),
  },
  'an object: a result',
);

const figures = z.looseObject(
  { time: fromZero, loss: number, acc: number },
  'an object of time, loss, acc',
);

/** A line of `log.jsonl`. */
const rowSchema = z.looseObject(
  { epoch: whole(1), lr: number, train: figures, valid: figures, 'total time': fromZero },
  'an object: an epoch',
);

/** The type of `run.json`. */
type RunJson = Omit<Run, 'name' | 'threads' | 'overrides' | 'machine' | 'rows' | 'xla'> &
  Pick<PlannedRun, 'experiment' | 'hardware'> & {
    readonly record: string;
    readonly xla?: boolean;
    readonly intraOpThreads?: number;
  };

/**
 * Reads the run of a folder, finished or not, with its finished epochs; `undefined` if the folder has no `run.json`.
 *
 * @throws RunError if `run.json` or `log.jsonl` cannot be read or is invalid; names the file and the field
 */
export async function readRun(folder: string): Promise<Run | undefined> {
  const path = join(folder, 'run.json');
  const content = await textIfAny(path);
  if (content === undefined) return undefined;
  const run = parseRun(path, content);
  const log = join(folder, 'log.jsonl');
  const lines = ((await textIfAny(log)) ?? '').split('\n');
  const rows = lines.flatMap((line, index) =>
    line === '' ? [] : [parsed(rowSchema, log, line, `line ${index + 1} of `) as EpochRow],
  );
  return { ...run, path: folder, rows };
}

/**
 * Reads what is needed to resume the run of a folder, or to reuse it instead of training again; not its log.
 *
 * @throws RunError if the folder has no `run.json`, or it cannot be read, is damaged or lacks fields that older versions did not write
 */
export async function readPlan(folder: string): Promise<PlannedRun> {
  const path = join(folder, 'run.json');
  const content = await textIfAny(path);
  if (content === undefined) {
    throw new RunError(`run: ${folder} has no run.json. Train the experiment again.`);
  }
  const run = parseRun(path, content);
  const needed = [
    'threads',
    'device',
    'dataSha256',
    'versions',
    'environment',
    'algorithms',
  ] as const;
  const missing = needed.filter((key) => run[key] === undefined);
  if (missing.length > 0) {
    throw new RunError(
      `run: ${path} lacks ${missing.map((key) => `"${key === 'threads' ? 'intraOpThreads' : key}"`).join(', ')}, ` +
        'which older versions did not write. Train the experiment again.',
    );
  }
  return run as PlannedRun;
}

/** The text of `run.json`. Rows and weights are in separate files. */
export function runJson({
  name,
  threads: intraOpThreads,
  overrides: _overrides,
  machine: _machine,
  path: _path,
  rows: _rows,
  state: _state,
  scale,
  seed,
  started,
  mode,
  precision,
  xla,
  ...rest
}: Run): string {
  const first = { record: name, scale, seed, started, mode, precision, xla, intraOpThreads };
  return `${JSON.stringify({ ...first, ...rest }, null, 2)}\n`;
}

/**
 * Parses a file of `results/`.
 *
 * @throws RunError if it is invalid; names the field
 */
export function parseResult(path: string, content: string): Run {
  const json = parsed(resultSchema, path, content) as z.infer<typeof resultSchema>;
  const { record, scale, seed, precision, hardware: machine, date, threads: count } = json;
  const { accPercent, trainSec, imagesPerSec, evaluationSec, pflop, divergedIn } = json;
  const { xla = false, tensorflow, node } = json;
  return {
    name: record,
    scale,
    seed,
    overrides: json.overrides ?? [],
    ...(json.budgetSec === undefined ? {} : { budget: { seconds: json.budgetSec, spentSec: 0 } }),
    mode: 'captured',
    precision,
    xla,
    started: date,
    machine,
    ...(json.device === undefined ? {} : { device: json.device }),
    ...(json.timer === undefined ? {} : { timer: json.timer }),
    ...(count === undefined ? {} : { threads: count }),
    ...(node === undefined || tensorflow === undefined ? {} : { versions: { node, tensorflow } }),
    ...(json.load === undefined ? {} : { load: json.load }),
    ...(json.alone === undefined ? {} : { alone: json.alone }),
    path,
    rows: [],
    result: {
      accPercent,
      trainSec,
      imagesPerSec,
      ...(evaluationSec === undefined ? {} : { evaluationSec }),
      ...(pflop === undefined ? {} : { pflop }),
      ...(divergedIn === undefined ? {} : { divergedIn }),
    },
  };
}

function parseRun(path: string, content: string): Run {
  const json = parsed(runSchema, path, content) as RunJson;
  const { record, intraOpThreads, xla, ...rest } = json;
  return {
    ...rest,
    name: record,
    overrides: rest.experiment.overrides ?? [],
    xla: xla ?? false,
    ...(intraOpThreads === undefined ? {} : { threads: intraOpThreads }),
    machine: hardwareLine(rest.hardware),
    rows: [],
  };
}

/** Parses JSON and checks it. Returns the value as read, not as zod rebuilds it, because hashes depend on the order of keys. */
function parsed(schema: z.ZodType, path: string, content: string, place = ''): unknown {
  const repair = 'Correct it, or move it away and train again.';
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw new RunError(`run: ${place}${path} is not JSON: ${(cause as Error).message}. ${repair}`, {
      cause,
    });
  }
  const found = schema.safeParse(value);
  if (found.success) return value;
  throw new RunError(`run: ${place}${path}: ${faultOf(found.error.issues, value)} ${repair}`);
}
