// Validates and reads the files of results/, and adds finished runs. results/README.md describes the fields.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));

const isText = (value) => typeof value === 'string' && value !== '';
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isPositive = (value) => Number.isFinite(value) && value > 0;
const isPercent = (value) => isPositive(value) && value <= 100;

/** From the most operations to the fewest. */
export const scales = ['full', 'pocket', 'smoke'];

/**
 * The fields of a result: a check, and a description of what it expects.
 *
 * @type {Record<string, readonly [(value: any) => boolean, string]>}
 */
const fields = {
  record: [isText, 'the name of an experiment'],
  scale: [(value) => scales.includes(value), `one of ${scales.join(', ')}`],
  seed: [isCount, 'a whole number of at least 0'],
  accPercent: [isPercent, 'a percentage'],
  trainSec: [isPositive, 'seconds'],
  imagesPerSec: [isPositive, 'a positive number'],
  precision: [(value) => ['fp32', 'bf16', 'fp16'].includes(value), 'fp32, bf16 or fp16'],
  threads: [(value) => isCount(value) && value > 0, 'a whole number of at least 1'],
  hardware: [isText, 'the line that "info" prints'],
  tensorflow: [(value) => /^\d+\.\d+\.\d+$/.test(value), 'a version, as in 2.21.0'],
  node: [(value) => /^\d+\.\d+\.\d+$/.test(value), 'a version, as in 22.1.0'],
  date: [(value) => /^\d{4}-\d\d-\d\d$/.test(value), 'a day, as in 2026-11-30'],
};

/** Fields that only some results have. */
const optionalFields = {
  overrides: [
    (value) => Array.isArray(value) && value.length > 0 && value.every(isText),
    'a list of path=value',
  ],
  budgetSec: [isPositive, 'seconds'],
  evaluationSec: [isPositive, 'seconds'],
  pflop: [isPositive, 'a positive number'],
  xla: [(value) => value === true, 'true or absent'],
  device: [(value) => value === 'cpu' || value === 'gpu', 'cpu or gpu'],
  timer: [(value) => value === 'dawnbench', '"dawnbench" or absent'],
  divergedIn: [(value) => isCount(value) && value > 0, 'a whole number of at least 1'],
  alone: [(value) => value === true, 'true or absent'],
  load: [
    (value) => isPositive(value?.wallSec) && isPositive(value?.cpuSec) && isCount(value?.cores),
    'an object of wallSec, cpuSec, othersSec, cores',
  ],
  curve: [
    (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.every(
        (point) =>
          isCount(point.epoch) && isPositive(point.trainSec) && isPercent(point.accPercent),
      ),
    'a list of { epoch, trainSec, accPercent }',
  ],
};

/** Prints a message and exits with 1. */
export function fail(message) {
  console.error(`readme: ${message}`);
  process.exit(1);
}

/** A module of the compiled library. */
export function compiled(path) {
  const file = join(home, 'dist', path);
  if (!existsSync(file)) fail('the library is not compiled. Run: npm run build');
  return createRequire(import.meta.url)(file);
}

/** Whether the times of a run count, by the library's rule, and exclude preprocessing, as those of `dawn` do not. */
export const isTimed = (run) => run.timer === undefined && compiled('runs/load.js').isTimed(run);

function checked(result, file) {
  const known = { ...fields, ...optionalFields };
  const unknown = Object.keys(result).find((key) => !Object.hasOwn(known, key));
  if (unknown !== undefined) fail(`${file} has the unknown field "${unknown}".`);
  for (const [key, [holds, expected]] of Object.entries(known)) {
    if (key in optionalFields && result[key] === undefined) continue;
    if (!holds(result[key])) {
      fail(`${file}: ${key} is ${JSON.stringify(result[key])}; expected ${expected}.`);
    }
  }
  return result;
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return fail(`${file} cannot be read: ${error.message}`);
  }
}

/** All results of a checkout, sorted by file name, as the library sorts runs. */
export function readResults(root) {
  const folder = join(root, 'results');
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.json'))
    : [];
  const { byName } = compiled('base/by-name.js');
  return names
    .toSorted(byName)
    .map((name) => checked(readJson(join(folder, name)), `results/${name}`));
}

/** The results that the tables count, by the rule of `report`: of runs that differ only in when they ran, the latest. */
export function countedResults(root) {
  const results = readResults(root);
  const { parseResult } = compiled('runs/run-file.js');
  const runs = results.map((result, index) => parseResult(`${index}`, JSON.stringify(result)));
  const { repeated } = compiled('report/groups.js').withoutRepetitions(runs);
  const excluded = new Set(repeated.map(({ path }) => path));
  return results.filter((_, index) => !excluded.has(`${index}`));
}

const round = (value, decimals) => Number(value.toFixed(decimals));

/** Test accuracy after each epoch, from the log of a run. */
function curveOf(run) {
  const file = join(run, 'log.jsonl');
  if (!existsSync(file)) return undefined;
  const rows = readFileSync(file, 'utf8').trimEnd().split('\n').filter(Boolean);
  return rows.map((line) => {
    const row = JSON.parse(line);
    return {
      epoch: row.epoch,
      trainSec: round(row['total time'], 1),
      accPercent: round(100 * row.valid.acc, 2),
    };
  });
}

const roundedLoad = (load) =>
  Object.fromEntries(Object.entries(load).map(([key, value]) => [key, round(value, 1)]));

/** The result of a run, from its folder. */
function resultOf(run) {
  const about = readJson(join(run, 'run.json'));
  if (about.result === undefined) fail(`${run} is not finished: its run.json has no result.`);
  if (about.mode === 'eager') fail(`${run} ran eagerly; results are of the captured engine.`);
  const { hardwareLine } = compiled('engine/hardware.js');
  const { accPercent, trainSec, imagesPerSec, evaluationSec, pflop, divergedIn } = about.result;
  const overrides = about.experiment?.overrides;
  const curve = about.scale === 'full' ? curveOf(run) : undefined;
  return checked(
    {
      record: about.record,
      scale: about.scale,
      seed: about.seed,
      ...(overrides === undefined ? {} : { overrides }),
      ...(about.budget === undefined ? {} : { budgetSec: about.budget.seconds }),
      accPercent: round(accPercent, 2),
      trainSec: round(trainSec, 2),
      imagesPerSec: round(imagesPerSec, 1),
      ...(evaluationSec === undefined ? {} : { evaluationSec: round(evaluationSec, 2) }),
      ...(pflop === undefined ? {} : { pflop: round(pflop, 4) }),
      ...(divergedIn === undefined ? {} : { divergedIn }),
      ...(about.load === undefined ? {} : { load: roundedLoad(about.load) }),
      ...(about.timer === undefined ? {} : { timer: about.timer }),
      precision: about.precision,
      ...(about.xla === true ? { xla: true } : {}),
      ...(about.device === undefined ? {} : { device: about.device }),
      threads: about.intraOpThreads,
      hardware: hardwareLine(about.hardware),
      tensorflow: about.versions.tensorflow,
      node: about.versions.node,
      date: about.started.slice(0, 10),
      ...(curve === undefined ? {} : { curve }),
    },
    run,
  );
}

/** Adds a run to the results of a checkout, named by its experiment, scale, precision, seed and date. */
export function addResult(root, run) {
  const result = resultOf(run);
  const taken = readResults(root).some((other) => JSON.stringify(other) === JSON.stringify(result));
  if (taken) fail(`${run} is in results/ already.`);
  const stem = [result.record, result.scale, result.precision, result.seed, result.date].join('-');
  for (let n = 1; ; n++) {
    const file = join(root, 'results', `${n === 1 ? stem : `${stem}-${n}`}.json`);
    if (existsSync(file)) continue;
    writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
    console.log(file);
    return;
  }
}
