// Generates the sections of README.md and docs/ from the files in results/ and bench/results/.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compiled, isTimed, scales } from './result-files.mjs';

export const none = '_no committed runs yet_';

export const experiments = () => compiled('catalogue/catalogue.js').catalogue;

/** The changes of a run to its experiment, its time budget included, in the library's wording. */
export const changesIn = ({ overrides = [], budgetSec }) =>
  compiled('runs/run-changes.js').runChanges({
    overrides,
    ...(budgetSec === undefined ? {} : { budget: { seconds: budgetSec } }),
  });

/** The precision of a run, and what differs from the default, in the library's wording: `bf16`, `bf16, XLA`. */
export const executionOf = ({ hardware: machine, xla = false, ...run }) =>
  compiled('runs/execution.js').executionText({ ...run, mode: 'captured', machine, xla });

/** Groups runs that differ only in seed, date and Node version. Order: the catalogue's, then the largest scale first. */
export function groupsOf(runs) {
  const order = [...experiments().keys()];
  const found = new Map();
  for (const run of runs) {
    const { record, scale, threads, hardware, tensorflow } = run;
    const place = order.includes(record) ? order.indexOf(record) : order.length;
    const decisive = [record, changesIn(run), executionOf(run), hardware, tensorflow];
    const parts = decisive.map((part) => JSON.stringify(part));
    const key = [
      String(place).padStart(4, '0'),
      scales.indexOf(scale),
      ...parts,
      1000 + threads,
    ].join(' ');
    found.set(key, [...(found.get(key) ?? []), run]);
  }
  return [...found].toSorted(([a], [b]) => byText(a, b)).map(([, group]) => group);
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and sample standard deviation, as in `81.92 ± 0.24`; a single run has no spread. */
function spread(values, decimals) {
  const centre = mean(values);
  if (values.length === 1) return fixed(centre, decimals);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return `${fixed(centre, decimals)} ± ${fixed(Math.sqrt(squares / (values.length - 1)), decimals)}`;
}

const column = (group, key) => group.map((run) => run[key]);
const fixed = (value, decimals) => compiled('text/fixed.js').fixed(value, decimals);
const byText = (a, b) => (a < b ? -1 : 1);
const unique = (values) => [...new Set(values)];

/** Training seconds of the runs that had their machine to themselves; a dash if there are none. */
function secondsOf(group) {
  const timed = group.filter(isTimed);
  return timed.length === 0 ? '-' : spread(column(timed, 'trainSec'), 1);
}

/** The published accuracy of an experiment, as in `94.08`; a dash if there is none. */
function publishedOf(record) {
  const percent = experiments().get(record)?.published?.accPercent;
  return percent === undefined ? '-' : fixed(percent, 2);
}

export function markdownTable(titles, rows) {
  const lines = [titles, titles.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Whether a group is a single run below full scale and without a time, which does not deserve a row. */
const isSingle = (group) =>
  group.length === 1 && group[0].scale !== 'full' && secondsOf(group) === '-';

/** The number of groups without a row, by scale, and the command that prints them. */
function singlesOf(groups) {
  if (groups.length === 0) return [];
  const counts = unique(groups.map(([{ scale }]) => scale)).map((scale) => {
    const count = groups.filter(([run]) => run.scale === scale).length;
    return `${count} at ${scale} scale`;
  });
  return [
    `Single runs below full scale without a training time are not shown: ${counts.join(', ')}. \`npx cifar10-fast report results\` prints them.`,
  ];
}

/** One table per machine, with a row for each group of runs, followed by the number of single runs. */
export function resultsOf(grouped) {
  if (grouped.length === 0) return none;
  const machineOf = ([{ hardware, tensorflow }]) => `${hardware}; TensorFlow ${tensorflow}`;
  const titles =
    'experiment, published % (full), scale, runs, test accuracy %, training s, precision, threads';
  const parts = unique(grouped.map(machineOf)).map((machine) => {
    const own = grouped.filter((group) => machineOf(group) === machine);
    const nodes = unique(column(own.flat(), 'node')).toSorted(byText).join(', ');
    const rows = own
      .filter((group) => !isSingle(group))
      .map((group) => {
        const [{ record, scale, threads }] = group;
        return [
          [`\`${record}\``, ...changesIn(group[0]).map((change) => `\`${change}\``)].join(' '),
          publishedOf(record),
          scale,
          group.length,
          spread(column(group, 'accPercent'), 2),
          secondsOf(group),
          executionOf(group[0]),
          threads,
        ];
      });
    const table = rows.length === 0 ? [] : [markdownTable(titles.split(', '), rows)];
    return [`${machine}, Node ${nodes}`, ...table, ...singlesOf(own.filter(isSingle))].join('\n\n');
  });
  return parts.join('\n\n');
}

/** Tables of a file of bench/results/, one for the newest session of each machine; `tableOf` makes a table of its rows. */
function sittingsOf(root, name, tableOf) {
  const file = join(root, 'bench/results', name);
  if (!existsSync(file)) return '_not measured yet_';
  const [titles, ...lines] = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  const rows = lines.map((cells) =>
    Object.fromEntries(titles.map((title, index) => [title, cells[index]])),
  );
  const tables = unique(rows.map(({ hardware }) => hardware)).map((hardware) => {
    const all = rows.filter((row) => row.hardware === hardware);
    const { date } = all.at(-1);
    const table = tableOf(all.filter((row) => row.date === date));
    return `${hardware}, ${date.slice(0, 10)}\n\n${table}`;
  });
  return tables.join('\n\n');
}

/** Models of tf.layers by `model.fit`, by `accelerate` in its fastest precision and by PyTorch. */
export function modelsOf(root) {
  const titles =
    'model, batch, n, model.fit, accelerate, precision, times faster, PyTorch, peak MB of model.fit, of accelerate';
  return sittingsOf(root, 'models.tsv', (rows) => {
    const perSec = (row) => (row === undefined ? '-' : Math.round(row['per second']));
    const body = unique(column(rows, 'model')).map((name) => {
      const [fit, own, peer] = ['model.fit', 'accelerate', 'PyTorch'].map(
        (what) =>
          rows
            .filter((row) => row.model === name && row.what === what)
            .toSorted((a, b) => b['per second'] - a['per second'])[0],
      );
      const faster = (own['per second'] / fit['per second']).toFixed(1);
      const speeds = [perSec(fit), perSec(own), own.precision, faster, perSec(peer)];
      return [name, fit.batch, fit.n, ...speeds, fit['peak MB'], own['peak MB']];
    });
    return markdownTable(titles.split(', '), body);
  });
}

/** A training step of ResNet-9 by this library, TF.js and PyTorch. */
export const speedOf = (root) => stepsOf(root, 'step.tsv', 'captured');

/** A training step of the network of `fastest` by this build, by an earlier build of the library and by PyTorch. */
export const fastestStepOf = (root) => stepsOf(root, 'speedrun.tsv', 'this build');

/** Training steps in a file of bench/results/; `own` is the name of this library's variant. */
function stepsOf(root, file, own) {
  return sittingsOf(root, file, (sitting) => {
    const steps = sitting.filter((row) => row.batch !== '' && !row.what.includes('(screening)'));
    const body = steps.map((row) => {
      const batch = steps.filter((other) => other.batch === row.batch);
      const ours = batch.filter(({ what }) => what === own).map(rate);
      const name = row.what.startsWith('PyTorch') ? row.what : `${row.what} ${row.precision}`;
      const times = Math.max(...ours) / rate(row);
      const flops = Math.round(row['GFLOP/s']);
      const speed = [Math.round(rate(row)), flops, times.toFixed(2)];
      return [row.batch, name, row.n, ...speed, row['peak MB']];
    });
    const columns = 'batch, training step, n, images/s, GFLOP/s, times slower than ours, peak MB';
    return markdownTable(columns.split(', '), body);
  });
}

const rate = (row) => Number(row['img/s']);

/** An epoch of `airbench94-muon` by this library and by PyTorch. */
export function airbenchOf(root) {
  return sittingsOf(root, 'airbench.tsv', (rows) => {
    const epoch = (row) => Number(row['s an epoch']);
    const ours = Math.min(...rows.filter(({ what }) => what === 'cifar10-fast').map(epoch));
    const body = rows.map((row) => [
      `${row.what} ${row.precision}`,
      row.n,
      Math.round(epoch(row)),
      (epoch(row) / ours).toFixed(2),
    ]);
    return markdownTable(
      'airbench94-muon, n, s an epoch, times slower than ours'.split(', '),
      body,
    );
  });
}

/** A whole run of `fastest` by this library and one of `airbench94-muon` by PyTorch. */
export function wholeOf(root) {
  return sittingsOf(root, 'whole.tsv', (rows) => {
    const ours = Number(rows.find(({ what }) => what === 'cifar10-fast').s);
    const body = rows.map((row) => {
      const seconds = [row['training s'], row.s].map((text) => Math.round(text));
      const name = `\`${row.recipe}\`, ${row.what} ${row.precision}`;
      return [name, row['accuracy %'], ...seconds, (row.s / ours).toFixed(2)];
    });
    const columns = 'a run, accuracy %, training s, with evaluation s, times slower than ours';
    return markdownTable(columns.split(', '), body);
  });
}

/** Epochs of ResNet-9 on a GPU by this library and by PyTorch. */
export function gpuOf(root) {
  return sittingsOf(root, 'gpu.tsv', (rows) => {
    const columns = ['variant', 'n', 'images/s', 'median epoch s', 'best epoch s', 'warm-up s'];
    const fastest = rows.toSorted((a, b) => b['images/s'] - a['images/s']);
    const body = fastest.map((row) => columns.map((name) => row[name]));
    const versions = unique(column(rows, 'peer')).join(', ');
    return `${versions}\n\n${markdownTable(columns, body)}`;
  });
}

/** Full-scale runs of an unchanged experiment, on any machine: except for noise, accuracy does not depend on the machine. */
function fullRuns(runs, name) {
  return runs.filter(
    (run) => run.record === name && run.scale === 'full' && changesIn(run).length === 0,
  );
}

/** Training seconds on each machine, as in `207 s (AMD EPYC, 2 cores, …)`, of runs that had the machine to themselves. */
function timesOf(runs) {
  return groupsOf(runs.filter(isTimed)).map((group) => {
    const [{ hardware }] = group;
    return {
      count: group.length,
      seconds: spread(column(group, 'trainSec'), 0),
      // Names only the GPUs if there are any, since they do the work.
      hardware: /NVIDIA [^(]*/.exec(hardware)?.[0].trim() ?? hardware,
      execution: executionOf(group[0]),
    };
  });
}

/** PFLOP of a run, as in `0.1845`; on GPUs more, because their gradients also compute outputs that pooling drops. */
function pflopOf(runs) {
  const countsOn = (isGpu) => {
    const { deviceOf } = compiled('runs/execution.js');
    const own = runs.filter((run) => {
      const { device, hardware: machine } = run;
      return (deviceOf({ device, machine }) === 'gpu') === isGpu;
    });
    return unique(column(own, 'pflop').filter(Boolean))
      .toSorted((a, b) => a - b)
      .join(' or ');
  };
  const [cpus, gpus] = [countsOn(false), countsOn(true)];
  return cpus === '' || gpus === '' || cpus === gpus
    ? cpus || gpus
    : `${cpus} on CPUs, ${gpus} on GPUs`;
}

const counted = (count) => (count === 1 ? 'one run' : `${count} runs`);

/** Statistics of the test accuracy of runs, with the number of those that reached 94 %. */
const summaryOf = (runs) =>
  compiled('report/stats.js').summarise(column(runs, 'accPercent'), { target: 94 });

/** The headline: accuracy of all full-scale runs of `fastest`, and times of those that had their machine to themselves. */
export function headlineOf(runs) {
  const all = fullRuns(runs, 'fastest');
  if (all.length === 0) return none;
  const times = timesOf(all);
  const { reached, min, mean: accuracyMean } = summaryOf(all);
  const operations = pflopOf(all) === '' ? '' : ` (PFLOP: ${pflopOf(all)})`;
  const accuracy =
    `**${fixed(accuracyMean, 2)} % test accuracy**, the mean of ${counted(all.length)}${operations}, of which ${reached} ` +
    `reached 94 %; the lowest was ${fixed(min, 2)} %.`;
  const parts = times.map(
    ({ count, seconds, hardware, execution }) =>
      `- **${seconds} s of training** on ${hardware}, in ${execution} (${counted(count)})`,
  );
  const timed = all.filter(isTimed).length;
  const note =
    timed === all.length
      ? 'Time'
      : `Time of the runs known to have had the machine to themselves (${timed} of ${all.length})`;
  return times.length === 0 ? accuracy : `${accuracy} ${note}:\n\n${parts.join('\n')}`;
}

/** Experiments compared at full scale: the study's first and last networks, the speed records since then, and our last two steps. */
const compared = [
  'demo',
  'post8-final',
  'airbench94-muon',
  'hiverge',
  'fulcrum',
  'speedrun-batch-1024',
  'fastest',
];

/** Full-scale runs beside the published results. */
export function fullOf(runs) {
  const rows = compared.map((name) => {
    const { accPercent, timeSec, hardware } = experiments().get(name).published ?? {};
    const own = fullRuns(runs, name);
    const times = timesOf(own).map((time) => `${time.seconds} s (${time.hardware})`);
    return [
      `\`${name}\``,
      accPercent === undefined ? '-' : `${fixed(accPercent, 2)} % in ${timeSec} s, one ${hardware}`,
      own.length === 0 ? '-' : `${spread(column(own, 'accPercent'), 2)} %`,
      own.length,
      times.join('; ') || '-',
    ];
  });
  return markdownTable(['experiment', 'published', 'here', 'runs here', 'training here'], rows);
}

/** Statistics of the accuracy of `fastest`: mean, standard deviation, confidence interval, and runs at 94 %. */
export function sampleOf(runs) {
  const own = fullRuns(runs, 'fastest');
  if (own.length === 0) return none;
  const { count, sd, min, max, interval, reached, mean } = summaryOf(own);
  const two = (value) => fixed(value, 2);
  const figures = {
    runs: count,
    'mean test accuracy %': two(mean),
    'standard deviation': sd === null ? '-' : two(sd),
    '95 % interval of the mean':
      interval === null ? '-' : `${two(interval.low)} to ${two(interval.high)}`,
    'lowest, highest': `${two(min)}, ${two(max)}`,
    'runs at 94 %': `${reached} of ${count}`,
    'PFLOP a run': pflopOf(own),
    'training, alone on the machine':
      timesOf(own)
        .map(({ seconds, hardware }) => `${seconds} s on ${hardware}`)
        .join('; ') || '-',
  };
  return markdownTable(['committed runs', ''], Object.entries(figures));
}
