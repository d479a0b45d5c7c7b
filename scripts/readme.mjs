// Writes the tables of README.md: results from the runs in results/, speed from the rows in bench/results/step.tsv.
//
//   node scripts/readme.mjs              writes README.md again
//   node scripts/readme.mjs --check      writes nothing; exit code 1 where README.md lags behind them
//   node scripts/readme.mjs add FOLDER…  takes finished runs (folders that `train` made) into results/, then writes
//
// --root DIR before any of these means another checkout. results/README.md describes the files. Runs are one row of the
// table where record, size, precision, threads, hardware and TensorFlow are the same. Of the benchmark, the newest sitting of
// each machine is shown.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
const root = args[0] === '--root' ? resolve(args.splice(0, 2)[1]) : home;
const folder = join(root, 'results');
const page = join(root, 'README.md');

function fail(message) {
  console.error(`readme: ${message}`);
  process.exit(1);
}

const isText = (value) => typeof value === 'string' && value !== '';
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isPositive = (value) => Number.isFinite(value) && value > 0;
const scales = ['full', 'pocket', 'smoke'];

/** What a result holds, and what each value has to be.
 *
 * @type {Record<string, readonly [(value: any) => boolean, string]>}
 */
const fields = {
  record: [isText, 'the name of a record'],
  scale: [(value) => scales.includes(value), `one of ${scales.join(', ')}`],
  seed: [isCount, 'a whole number of at least 0'],
  accPercent: [(value) => isPositive(value) && value <= 100, 'a percentage'],
  trainSec: [isPositive, 'seconds'],
  imagesPerSec: [isPositive, 'a positive number'],
  precision: [(value) => ['fp32', 'bf16', 'fp16'].includes(value), 'fp32, bf16 or fp16'],
  threads: [(value) => isCount(value) && value > 0, 'a whole number of at least 1'],
  hardware: [isText, 'the line that "info" prints'],
  tensorflow: [(value) => /^\d+\.\d+\.\d+$/.test(value), 'a version, as in 2.21.0'],
  node: [(value) => /^\d+\.\d+\.\d+$/.test(value), 'a version, as in 22.1.0'],
  date: [(value) => /^\d{4}-\d\d-\d\d$/.test(value), 'a day, as in 2026-11-30'],
};

/** Fields that results have since some version, or only some of them have. */
const optionalFields = {
  overrides: [
    (value) => Array.isArray(value) && value.length > 0 && value.every(isText),
    'a list of path=value',
  ],
  evaluationSec: [isPositive, 'seconds'],
  pflop: [isPositive, 'a positive number'],
};

function checked(result, file) {
  const known = { ...fields, ...optionalFields };
  const unknown = Object.keys(result).find((key) => !Object.hasOwn(known, key));
  if (unknown !== undefined) fail(`${file} holds "${unknown}", which is no field of a result.`);
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

function results() {
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.json'))
    : [];
  return names.toSorted().map((name) => checked(readJson(join(folder, name)), `results/${name}`));
}

/** A result of a run's folder, under a name that says what it is. */
function add(run) {
  const about = readJson(join(run, 'run.json'));
  if (about.result === undefined) fail(`${run} is not finished: its run.json has no result.`);
  if (about.mode === 'eager') fail(`${run} ran eagerly; results are of the captured engine.`);
  const { hardwareLine } = createRequire(import.meta.url)(join(home, 'dist/engine/hardware.js'));
  const round = (value, decimals) => Number(value.toFixed(decimals));
  const result = checked(
    {
      record: about.record,
      scale: about.scale,
      seed: about.seed,
      ...(about.experiment?.overrides === undefined
        ? {}
        : { overrides: about.experiment.overrides }),
      accPercent: round(about.result.accPercent, 2),
      trainSec: round(about.result.trainSec, 2),
      imagesPerSec: round(about.result.imagesPerSec, 1),
      ...(about.result.evaluationSec === undefined
        ? {}
        : { evaluationSec: round(about.result.evaluationSec, 2) }),
      ...(about.result.pflop === undefined ? {} : { pflop: round(about.result.pflop, 4) }),
      precision: about.precision,
      threads: about.intraOpThreads,
      hardware: hardwareLine(about.hardware),
      tensorflow: about.versions.tensorflow,
      node: about.versions.node,
      date: about.started.slice(0, 10),
    },
    run,
  );
  const taken = results().some((other) => JSON.stringify(other) === JSON.stringify(result));
  if (taken) fail(`${run} is in results/ already.`);
  const stem = [result.record, result.scale, result.precision, result.seed, result.date].join('-');
  for (let n = 1; ; n++) {
    const file = join(folder, `${n === 1 ? stem : `${stem}-${n}`}.json`);
    if (existsSync(file)) continue;
    writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
    console.log(file);
    return;
  }
}

/** Records by name, in the order of the catalogue; empty before the library is compiled. */
function records() {
  const file = join(home, 'dist/catalogue/catalogue.js');
  if (!existsSync(file)) fail('the library is not compiled. Run: npm run build');
  return createRequire(import.meta.url)(file).catalogue;
}

/** Runs that differ in nothing but seed, day and Node: in the order of the catalogue, the largest size first. */
function groups(runs) {
  const order = [...records().keys()];
  const found = new Map();
  for (const run of runs) {
    const { record, scale, precision, threads, hardware, tensorflow, overrides = [] } = run;
    const place = order.includes(record) ? order.indexOf(record) : order.length;
    const size = scales.indexOf(scale);
    const decisive = [record, overrides, precision, hardware, tensorflow];
    const parts = decisive.map((part) => JSON.stringify(part));
    const key = [String(place).padStart(4, '0'), size, ...parts, 1000 + threads].join(' ');
    found.set(key, [...(found.get(key) ?? []), run]);
  }
  return [...found].toSorted(([a], [b]) => byText(a, b)).map(([, group]) => group);
}

/** What the study gives for a record in full size, as in `94.08`; a dash where it gives nothing. */
function publishedOf(record) {
  const percent = records().get(record)?.published?.accPercent;
  return percent === undefined ? '-' : percent.toFixed(2);
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and standard deviation of the sample, as in `81.92 ± 0.24`; one run has no spread. */
function spread(values, decimals) {
  const centre = mean(values);
  if (values.length === 1) return centre.toFixed(decimals);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return `${centre.toFixed(decimals)} ± ${Math.sqrt(squares / (values.length - 1)).toFixed(decimals)}`;
}

const column = (group, key) => group.map((run) => run[key]);
const byText = (a, b) => (a < b ? -1 : 1);
const whole = (value) => Math.round(value).toLocaleString('en');
const versions = (group) => [...new Set(column(group, 'node'))].toSorted(byText).join(', ');

function tableOf(grouped) {
  if (grouped.length === 0) return '_no committed runs yet_';
  const rows = grouped.map((group) => {
    const [{ record, scale, precision, threads, hardware, tensorflow }] = group;
    return [
      `\`${record}\``,
      publishedOf(record),
      scale,
      group.length,
      spread(column(group, 'accPercent'), 2),
      spread(column(group, 'trainSec'), 1),
      whole(mean(column(group, 'imagesPerSec'))),
      precision,
      threads,
      hardware,
      tensorflow,
      versions(group),
    ];
  });
  const titles =
    'record, published % (full), size, runs, test accuracy %, training s, images/s, precision, threads, hardware, TensorFlow, Node';
  return markdownTable(titles.split(', '), rows);
}

/** Records that differ by one of the study's steps: before and after. */
const steps = [
  ['post1-baseline', 'post2-batch-512'],
  ['post2-batch-512', 'post3-cutout'],
  ['post3-cutout', 'post3-batch-768'],
  ['post4-backbone', 'post4-no-repeat'],
  ['post4-no-repeat', 'post4-conv-3x3'],
  ['post4-conv-3x3', 'post4-max-pool'],
  ['post4-max-pool', 'post4-global-max-pool'],
  ['post4-global-max-pool', 'post4-scales'],
  ['post4-scales', 'post4-double-width'],
  ['post4-double-width', 'post4-extra-layers'],
  ['post4-scales', 'post4-final-20'],
  ['post4-final-20', 'post4-final-24'],
  ['post8-baseline', 'post8-pool-before-norm-24'],
  ['post8-pool-before-norm-24', 'post8-smoothing-25'],
  ['post8-smoothing-25', 'post8-celu-23'],
  ['post8-celu-23', 'post8-ghost-20'],
  ['post8-ghost-20', 'post8-bias-64-18'],
  ['post8-bias-64-18', 'post8-whitening-17'],
  ['post8-whitening-17', 'post8-average-14'],
  ['post8-average-14', 'post8-tta-13'],
  ['post8-tta-13', 'post8-final'],
];

/**
 * The steps at pocket scale beside what was published, and whether they point the same way. Whether a change is more than the
 * luck of seeds is decided by Welch's test, as in `report --compare`: each side by the variance of its own runs.
 */
function directionsOf(grouped) {
  const pockets = grouped.filter(([{ scale }]) => scale === 'pocket');
  // One precision and number of threads for both sides of a step: those of most runs.
  const runsOf = (name) =>
    pockets.filter(([{ record }]) => record === name).toSorted((a, b) => b.length - a.length)[0];
  const rows = steps.flatMap(([before, after]) => {
    const [from, to] = [runsOf(before), runsOf(after)];
    if (from === undefined || to === undefined) return [];
    const [first, second] = [before, after].map(
      (name) => records().get(name).published?.accPercent,
    );
    const published = first === undefined || second === undefined ? undefined : second - first;
    const { difference, interval, p } = welch(to, from);
    return [
      [
        `\`${before}\``,
        `\`${after}\``,
        published === undefined ? '-' : signed(published),
        signed(difference),
        interval === null ? '-' : `${signed(interval.low)} to ${signed(interval.high)}`,
        `${from.length}, ${to.length}`,
        directionOf(published, difference, p),
      ],
    ];
  });
  if (rows.length === 0) return '_no committed runs yet_';
  const titles =
    'from, to, published change % (full), change % (pocket), 95 % interval, runs, direction';
  return markdownTable(titles.split(', '), rows);
}

const signed = (value) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;

/** Compares accuracies by the test of the library; no seed of one side is one of the other, so nothing is paired. */
function welch(found, old) {
  const file = join(home, 'dist/report/compare.js');
  if (!existsSync(file)) fail('the library is not compiled. Run: npm run build');
  const { compare } = createRequire(import.meta.url)(file);
  const [a, b] = [found, old].map((group, side) =>
    group.map(({ accPercent }, index) => ({ seed: 2 * index + side, value: accPercent })),
  );
  return compare(a, b);
}

function directionOf(published, difference, p) {
  if (p === null) return 'too few runs';
  if (p >= 0.05) return 'within noise';
  if (published === undefined) return '-';
  return Math.sign(published) === Math.sign(difference) ? 'same' : 'other';
}

function markdownTable(titles, rows) {
  const lines = [titles, titles.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The newest sitting of each machine in bench/results/step.tsv, a table each. */
function speedOf() {
  const file = join(root, 'bench/results/step.tsv');
  if (!existsSync(file)) return '_not measured yet_';
  const [titles, ...lines] = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  const rows = lines
    .map((cells) => Object.fromEntries(titles.map((title, index) => [title, cells[index]])))
    .filter((row) => row.batch !== '' && !row.what.includes('(screening)'));
  const tables = [...new Set(rows.map(({ hardware }) => hardware))].map((hardware) => {
    const all = rows.filter((row) => row.hardware === hardware);
    const date = all.at(-1).date;
    const own = all.filter((row) => row.date === date);
    const body = own.map((row) => {
      const batch = own.filter((other) => other.batch === row.batch);
      const ours = batch.filter(({ what }) => what === 'captured').map(rate);
      const name = row.what.startsWith('PyTorch') ? row.what : `${row.what} ${row.precision}`;
      const times = Math.max(...ours) / rate(row);
      const flops = Math.round(row['GFLOP/s']);
      return [row.batch, name, Math.round(rate(row)), flops, times.toFixed(2), row['peak MB']];
    });
    const columns = 'batch, training step, images/s, GFLOP/s, times slower than ours, peak MB';
    return `${hardware}, ${date.slice(0, 10)}\n\n${markdownTable(columns.split(', '), body)}`;
  });
  return tables.join('\n\n');
}

const rate = (row) => Number(row['img/s']);

/** The result that stands first: `demo`, in the largest size that was run, of which there are most runs. */
function headlineOf(grouped) {
  const demos = grouped.filter(([{ record, scale }]) => record === 'demo' && scale !== 'smoke');
  if (demos.length === 0) return '_no committed runs yet_';
  const rank = (group) => (group[0].scale === 'full' ? 1e6 : 0) + group.length;
  const best = demos.reduce((a, b) => (rank(b) > rank(a) ? b : a));
  const [{ scale, precision, hardware, tensorflow }] = best;
  const runs = best.length === 1 ? 'one run' : `mean ± standard deviation of ${best.length} runs`;
  return (
    `**${spread(column(best, 'accPercent'), 2)} % test accuracy in ${spread(column(best, 'trainSec'), 1)} s** of training ` +
    `(${runs}; record \`demo\`, ${scale} size, ${whole(mean(column(best, 'imagesPerSec')))} images/s, ${precision}), on ` +
    `${hardware}; TensorFlow ${tensorflow}, Node ${versions(best)}.`
  );
}

function written(text, name, content) {
  const [begin, end] = [`<!-- ${name}: written by scripts/readme.mjs -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) fail(`${page} has no "${begin}" … "${end}".`);
  return `${text.slice(0, from)}${begin}\n\n${content}\n\n${text.slice(to)}`;
}

const isCheck = args[0] === '--check';
if (args[0] === 'add' && args.length > 1) args.slice(1).forEach((run) => add(resolve(run)));
else if (args.length > (isCheck ? 1 : 0))
  fail('usage: node scripts/readme.mjs [--check | add FOLDER…]');

const grouped = groups(results());
const before = readFileSync(page, 'utf8');
const contents = {
  headline: headlineOf(grouped),
  speed: speedOf(),
  results: tableOf(grouped),
  directions: directionsOf(grouped),
};
const filled = Object.entries(contents).reduce(
  (text, [name, content]) => written(text, name, content),
  before,
);
const style = await resolveConfig(join(home, 'README.md'));
const after = await format(filled, { ...style, parser: 'markdown' });
if (isCheck && after !== before)
  fail('README.md lags behind its sources. Run: node scripts/readme.mjs');
if (!isCheck && after !== before) writeFileSync(page, after);
