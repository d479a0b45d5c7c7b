// Draws docs/pictures/curve.png, the picture of README.md, from the full-scale runs of `fastest` in results/: test accuracy after
// each epoch, of the machine with most runs that it had to itself; if there are none, of one run against epochs, or the final
// accuracy of runs of different lengths against their operations.
//
//   node scripts/curve.mjs
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { findExperiment } from 'cifar10-fast';
import { chart } from 'cifar10-fast/notebook';
import { optionsOf } from './options.mjs';
import { fail, isTimed, readResults } from './result-files.mjs';

optionsOf(import.meta.url);

const { lengthOf } = createRequire(import.meta.url)('../dist/runs/full-runs.js');

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const acc = 'test accuracy %';

const { epochs } = findExperiment('fastest').run;

/** The epochs of a run whose length may be overridden; null if it overrides anything else. */
const epochsOf = ({ overrides = [] }) =>
  lengthOf(overrides) ?? (overrides.length === 0 ? epochs : null);

const runs = readResults(root).filter(
  (run) =>
    run.record === 'fastest' &&
    run.scale === 'full' &&
    run.budgetSec === undefined &&
    epochsOf(run) !== null,
);

/** Test accuracy of runs on one machine, epoch by epoch. */
function curvesOf(all) {
  const [{ hardware, precision, ...first }] = all;
  const x = isTimed(first) ? 'seconds of training' : 'epoch';
  return {
    x: { field: x },
    rows: all.flatMap(({ curve, seed }) =>
      curve.map(({ epoch, trainSec, accPercent }) => ({
        seed: String(seed),
        [x]: isTimed(first) ? trainSec : epoch,
        [acc]: accPercent,
      })),
    ),
    colour: 'seed',
    title: 'fastest: test accuracy while it trains',
    subtitle: `${hardware}, ${precision}; on 2,000 test images after each epoch, on all 10,000 at the end`,
  };
}

/** Final accuracy of runs of different lengths. */
function lengthsOf(all) {
  const x = 'PFLOP of the run, evaluation included';
  return {
    x: { field: x, zero: true },
    rows: all.map(({ pflop, accPercent }) => ({ [x]: pflop, [acc]: accPercent })),
    title: 'fastest: accuracy of runs of different lengths',
    subtitle: `${all.length} runs of ${[...new Set(all.map(epochsOf))].toSorted((a, b) => a - b).join(', ')} epochs; all 10,000 test images`,
  };
}

const whole = runs.filter((run) => run.overrides === undefined && run.curve !== undefined);
const counted = runs.filter((run) => run.pflop !== undefined);
if (counted.length < 2) fail('results/ holds too few runs of fastest for a curve.');
const timed = whole.filter(isTimed);
const on = (machine) => timed.filter(({ hardware }) => hardware === machine);
/** The runs of the machine that has most of them. */
const [shown = whole.slice(0, 1)] = timed
  .map(({ hardware }) => on(hardware))
  .toSorted((p, q) => q.length - p.length);
const { rows, ...described } = shown.length === 0 ? lengthsOf(counted) : curvesOf(shown);
const figure = await chart(rows, {
  mark: shown.length === 0 ? 'point' : ['line', 'point'],
  y: { field: acc, zero: false },
  guides: [{ y: 94, label: '94 %', end: 'left' }],
  width: 680,
  height: 200,
  ...described,
});
const file = join(root, 'docs/pictures/curve.png');
const margin = { top: 16, bottom: 16, left: 16, right: 16, background: 'white' };
// Trims the empty strip that charts reserve for a legend.
await sharp(Buffer.from(figure.bundle['image/png'], 'base64')).trim().extend(margin).toFile(file);
console.log(file);
