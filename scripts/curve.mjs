// Draws docs/pictures/curve.png, the picture of README.md, from the full-scale runs of `fastest` in results/: test accuracy after
// each epoch if a run stores it (against time if the run had its machine to itself), else the final accuracy of runs of different
// lengths against their operations.
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

/** Test accuracy of one run, epoch by epoch. */
function curveOf({ curve, hardware, precision, seed, ...run }) {
  const x = isTimed(run) ? 'seconds of training' : 'epoch';
  return {
    x: { field: x },
    rows: curve.map(({ epoch, trainSec, accPercent }) => ({
      [x]: isTimed(run) ? trainSec : epoch,
      [acc]: accPercent,
    })),
    title: 'fastest: test accuracy while it trains',
    subtitle: `seed ${seed}, ${hardware}, ${precision}; on 2,000 test images after each epoch, on all 10,000 at the end`,
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
const shown = whole.find(isTimed) ?? whole[0];
const { x, rows, title, subtitle } = shown === undefined ? lengthsOf(counted) : curveOf(shown);
const figure = await chart(rows, {
  mark: shown === undefined ? 'point' : ['line', 'point'],
  x,
  y: { field: acc, zero: false },
  guides: [{ y: 94, label: '94 %', end: 'left' }],
  width: 680,
  height: 200,
  title,
  subtitle,
});
const file = join(root, 'docs/pictures/curve.png');
const margin = { top: 16, bottom: 16, left: 16, right: 16, background: 'white' };
// Trims the empty strip that charts reserve for a legend.
await sharp(Buffer.from(figure.bundle['image/png'], 'base64')).trim().extend(margin).toFile(file);
console.log(file);
