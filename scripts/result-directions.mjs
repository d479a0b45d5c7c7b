// Compares the accuracy changes of the study's steps, from the runs in results/, with the published ones.
import { compiled } from './result-files.mjs';
import { changesIn, executionOf, experiments, markdownTable, none } from './result-tables.mjs';

const signed = (value) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;

/** Pairs of experiments that differ by one step of the study: before and after. */
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
 * Compares the changes of accuracy at pocket scale with the published ones, and reports whether their directions agree. Both
 * sides are unchanged experiments, executed in the same way on the same machine. As in `report --compare`, a t-test decides
 * whether a change exceeds the noise between seeds: paired if both sides have the same seeds, otherwise Welch's.
 */
export function directionsOf(grouped) {
  const pockets = grouped.filter(([run]) => run.scale === 'pocket' && changesIn(run).length === 0);
  const run = steps.flatMap(([before, after]) => {
    const [from, to] = [before, after].map((name) =>
      pockets.filter(([{ record }]) => record === name),
    );
    if (from.length === 0 || to.length === 0) return [];
    return [{ before, after, sides: sidesOf(from, to) }];
  });
  if (run.length === 0) return none;
  const tested = run.filter(({ sides }) => sides !== undefined);
  const open = run.length - tested.length;
  const left = `Steps not compared because no two runs of each side share machine, precision and threads: ${open}.`;
  if (tested.length === 0) return left;
  const rows = tested.map(({ before, after, sides: [from, to] }) => {
    const [first, second] = [before, after].map(
      (name) => experiments().get(name).published?.accPercent,
    );
    const published = first === undefined || second === undefined ? undefined : second - first;
    const { difference, interval, p } = comparisonOf(to, from);
    return [
      `\`${before}\``,
      `\`${after}\``,
      published === undefined ? '-' : signed(published),
      signed(difference),
      interval === null ? '-' : `${signed(interval.low)} to ${signed(interval.high)}`,
      `${from.length}, ${to.length}`,
      directionOf(published, difference, p),
    ];
  });
  const titles =
    'from, to, published change % (full), change % (pocket), 95 % interval, runs, direction';
  return `${markdownTable(titles.split(', '), rows)}\n\n${left}`;
}

/** Two groups with at least two runs each, executed alike on one machine; of several such pairs, that with the most runs. */
function sidesOf(from, to) {
  const placeOf = ([run]) =>
    JSON.stringify([run.hardware, run.tensorflow, run.threads, executionOf(run)]);
  const pairs = from.flatMap((one) =>
    to.filter((other) => placeOf(other) === placeOf(one)).map((other) => [one, other]),
  );
  const fewest = (pair) => Math.min(...pair.map((group) => group.length));
  return pairs
    .filter((pair) => fewest(pair) > 1)
    .toSorted((a, b) => fewest(b) - fewest(a) || b.flat().length - a.flat().length)[0];
}

/** Compares accuracies by the library's test. */
function comparisonOf(found, old) {
  const [a, b] = [found, old].map((group) =>
    group.map(({ seed, accPercent }) => ({ seed, value: accPercent })),
  );
  return compiled('report/compare.js').compare(a, b);
}

function directionOf(published, difference, p) {
  if (p === null) return 'cannot tell';
  if (p >= 0.05) return 'within noise';
  if (published === undefined) return '-';
  return Math.sign(published) === Math.sign(difference) ? 'same' : 'other';
}
