import type { Published } from '../catalogue/experiment';
import { mostOthers } from '../runs/load';
import type { Run } from '../runs/run';
import { columnsText } from '../text/columns';
import type { Comparison } from './compare';
import { machineNames } from './group-names';
import type { RunGroup, RunReport } from './groups';
import { fixed } from '../text/fixed';
import { intervalText, spreadText } from '../text/spread';

/** The statistics as a table for a terminal, with published figures and notes. */
export function reportText(report: RunReport): string {
  const { titles, rows } = summaryTable(report);
  const notes = notesOf(report);
  return [columnsText(titles, rows), ...(notes.length === 0 ? [] : ['', ...notes])].join('\n');
}

/** A comparison in sentences, one per line. */
export function comparisonText(
  a: string,
  b: string,
  { test, counts, difference, sd, interval, t, freedom, p, runsNeeded }: Comparison,
  level = 0.95,
): string {
  const how =
    test === 'paired'
      ? `${counts[0]} pairs of runs with the same seeds, paired t-test`
      : `${counts[0]} and ${counts[1]} unpaired runs, Welch's t-test`;
  const lines = [
    `${a} minus ${b}: ${signed(difference, 3)} percentage points of test accuracy (${how}).`,
  ];
  if (interval === null || p === null || sd === null || t === null || freedom === null) {
    const why = sd === 0 ? 'Cannot tell: there is no spread to judge it by. ' : '';
    return [...lines, `${why}More runs are needed to say whether that is significant.`].join('\n');
  }
  lines.push(
    `${share(level)} interval ${signed(interval.low, 3)} to ${signed(interval.high, 3)}; ` +
      `t = ${t.toFixed(2)}, ${Number(freedom.toFixed(1))} degrees of freedom, p = ${probability(p)}: ` +
      `${p < 1 - level ? 'significant' : 'not significant'}.`,
  );
  if (runsNeeded !== null) {
    lines.push(
      `If the true difference and spread (${sd.toFixed(3)}) are these, ${runsNeeded.toLocaleString('en')} runs of each ` +
        'detect it with 80 % probability.',
    );
  }
  return lines.join('\n');
}

/** The table of a report, one row per group. */
export function summaryTable({ groups, goal, level }: RunReport): {
  readonly titles: string[];
  readonly rows: string[][];
} {
  const differ = (key: 'scale' | 'precision' | 'machine'): boolean =>
    new Set(groups.map((group) => group[key])).size > 1;
  const machines = machineNames(groups.map(({ machine }) => machine));
  // The table omits what all groups share; labels show the rest.
  const optional = [
    ['scale', (group: RunGroup) => group.scale],
    ['precision', (group: RunGroup) => group.precision],
    ['machine', (group: RunGroup) => machines.get(group.machine) ?? group.machine],
  ] as const;
  const shown = optional.filter(([key]) => differ(key));
  const rows = groups.map((group) => {
    const { label, acc, time, imagesPerSec, published } = group;
    return [
      label,
      ...shown.map(([, cell]) => cell(group)),
      String(acc.count),
      fixed(acc.mean, 2),
      acc.sd === null ? '-' : fixed(acc.sd, 2),
      fixed(acc.median, 2),
      intervalText(acc.interval) ?? '-',
      `${acc.reached}/${acc.count}`,
      publishedText(published),
      time === null ? '-' : spreadText(time, 1),
      imagesPerSec === null ? '-' : Math.round(imagesPerSec).toLocaleString('en'),
    ];
  });
  const titles = [
    'experiment',
    ...shown.map(([key]) => key),
    'n',
    'mean %',
    'sd',
    'median',
    `${share(level)} interval`,
    `>= ${goal} %`,
    'published',
    'training s',
    'images/s',
  ];
  return { titles, rows };
}

/** Published accuracy, runs at the goal and seconds. */
function publishedText(published: Published | undefined): string {
  const { accPercent, timeSec, runs, reached } = published ?? {};
  const parts = [
    ...(accPercent === undefined ? [] : [`${accPercent} %`]),
    ...(reached === undefined || runs === undefined ? [] : [`${reached}/${runs}`]),
    ...(timeSec === undefined ? [] : [`${timeSec} s`]),
  ];
  return parts.length === 0 ? '-' : parts.join(', ');
}

/** The GPUs of published figures, without duplicates: `V100`, `V100 or A100`. */
export function hardwareText(published: readonly Pick<Published, 'hardware'>[]): string {
  return [...new Set(published.map(({ hardware }) => hardware))].join(' or ');
}

/** The most runs that a note names in full; of more, it names a few. */
const mostNamed = 5;

/** Folders of runs. Of many, only the first: the page lists every run and `--json` has each path. */
function paths(runs: readonly Run[]): string {
  const all = runs.map(({ path = '-' }) => path);
  if (all.length <= mostNamed) return all.join(', ');
  const few = all.slice(0, 3);
  return `${few.join(', ')} and ${all.length - few.length} more`;
}

/** What a reader of the table needs to know, one sentence each. */
export function notesOf(report: RunReport): string[] {
  const { groups, unfinished, repeated } = report;
  const labels = (some: readonly RunGroup[]): string => some.map(({ label }) => label).join(', ');
  const note = (isShown: boolean, text: () => string): string[] => (isShown ? [text()] : []);
  const small = groups.filter(({ scale, published }) => scale !== 'full' && published);
  const threads = groups.filter(
    ({ runs }) => new Set(runs.map((run) => run.threads ?? 0)).size > 1,
  );
  const total = groups.reduce((sum, { runs }) => sum + runs.length, 0);
  const untimed = groups.flatMap((group) => group.untimed);
  const dawnbench = groups.flatMap(({ runs }) => runs.filter(({ timer }) => timer === 'dawnbench'));
  const machines = new Set(groups.map(({ machine }) => machine));
  return [
    `${count(total, 'run', 'runs')} at ${kindsOf(groups)}, on ${[...machines].join('; ')}.`,
    ...divergedNotes(report),
    ...note(
      small.length > 0,
      () =>
        `Published figures are for full scale on one ${hardwareText(small.flatMap(({ published = [] }) => published))}; smaller ` +
        'scales train smaller networks for less time, so the figures are not comparable.',
    ),
    ...note(
      machines.size > 1,
      () =>
        `Seconds and images/s of different machines are not comparable: each machine has its own rows.`,
    ),
    ...note(untimed.length > 0, () => untimedText(untimed.length, paths(untimed))),
    ...note(
      dawnbench.length > 0,
      () =>
        `Times of ${paths(dawnbench)} follow DAWNBench's rule, which includes preprocessing; those of other runs exclude it.`,
    ),
    ...note(
      threads.length > 0,
      () =>
        `${labels(threads)} mixes runs with different numbers of threads, which change results and seconds.`,
    ),
    ...note(
      repeated.length > 0,
      () =>
        `${count(repeated.length, 'run was', 'runs were')} excluded, as a later run on the same machine has the same seed: ${paths(repeated)}.`,
    ),
    ...note(unfinished.length > 0, () => {
      const where = unfinished.map(
        ({ path = '-', rows, experiment }) =>
          `${path} (${rows.length} of ${experiment?.run.epochs ?? '?'} epochs)`,
      );
      return `${count(unfinished.length, 'run is', 'runs are')} not finished: ${where.join(', ')}.`;
    }),
  ];
}

/** Which runs diverged, and whether they are excluded from the statistics. */
function divergedNotes({ groups, diverged }: RunReport): string[] {
  const where = ({ seed, failure, result }: Run): string => {
    const step = failure?.step === undefined ? '' : `, step ${failure.step}`;
    return `seed ${seed} in epoch ${failure?.epoch ?? result?.divergedIn}${step}`;
  };
  const ofGroups = groups.flatMap((group) => {
    const { label, runs } = group;
    const total = runs.length + group.diverged.length;
    const ended = runs.filter(({ result }) => result.divergedIn !== undefined);
    const say = (some: readonly Run[], what: string): string[] =>
      some.length === 0
        ? []
        : [
            `${label}: ${some.length} of ${total} diverged (${some.map(where).join('; ')}); ${what}.`,
          ];
    return [
      ...say(group.diverged, 'excluded from the statistics'),
      ...say(ended, 'their figures are from the previous epoch'),
    ];
  });
  const names = [...new Set(diverged.map(({ name }) => name))];
  return [
    ...ofGroups,
    ...names.map((name) => {
      const runs = diverged.filter((run) => run.name === name);
      return `${name}: ${runs.length} of ${runs.length} diverged (${runs.map(where).join('; ')}).`;
    }),
  ];
}

/** States that the times of some runs do not count, and names them. */
export function untimedText(runs: number, names: string): string {
  return (
    `Times of ${count(runs, 'run', 'runs')} are excluded because other programs used more than ${share(mostOthers)} of the ` +
    `processor, or an unknown share: ${names}.`
  );
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** A report as JSON, without the epoch rows. */
export function reportJson(report: RunReport): object {
  const pathsOf = (runs: readonly Run[]): unknown[] => runs.map(({ path }) => path);
  return {
    goal: report.goal,
    level: report.level,
    groups: report.groups.map(({ label, name, runs, diverged, untimed, machine, ...group }) => ({
      label,
      record: name,
      ...group,
      hardware: machine,
      runs: runs.map(
        ({ seed, path, load, result: { accPercent, trainSec, imagesPerSec, pflop } }) => ({
          seed,
          accPercent,
          trainSec,
          imagesPerSec,
          pflop,
          load,
          folder: path,
        }),
      ),
      diverged: diverged.map(({ seed, path, failure }) => ({ seed, ...failure, folder: path })),
      untimed: pathsOf(untimed),
    })),
    unfinished: pathsOf(report.unfinished),
    repeated: pathsOf(report.repeated),
    diverged: pathsOf(report.diverged),
  };
}

/** A fraction in percent. */
export function share(level: number): string {
  return `${Number((100 * level).toFixed(2))} %`;
}

function signed(value: number, decimals: number): string {
  return `${value < 0 ? '−' : '+'}${fixed(Math.abs(value), decimals)}`;
}

function probability(p: number): string {
  return p < 1e-4 ? p.toExponential(1) : p.toFixed(4);
}

/** As in `pocket and full scale, bf16`. */
export function kindsOf(groups: readonly RunGroup[]): string {
  const scales = new Set(groups.map(({ scale }) => scale));
  const precisions = new Set(groups.map(({ precision }) => precision));
  return `${[...scales].join(' and ')} scale, ${[...precisions].join(' and ')}`;
}
