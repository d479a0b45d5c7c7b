import { findExperiment } from '../catalogue/catalogue';
import { networkOf } from '../catalogue/network';
import { countTrainable } from '../nn/network';
import { expectedAccPercent } from '../runs/frontier';
import { lengthOf } from '../runs/full-runs';
import { isTimed, mostOthers, othersShare } from '../runs/load';
import type { FinishedRun, PlannedRun } from '../runs/run';
import type { Expected } from '../runs/train-to-end';
import { durationText } from '../text/progress';
import { frontier } from './train-start';
import { counted } from '../text/counted';
import { fixed } from '../text/fixed';

/** The experiment, and the machine it trains on. */
export function headline({
  experiment,
  scale,
  seed,
  precision,
  xla,
  machine,
  versions,
}: PlannedRun): string {
  const { name, net, run, data, overrides = [] } = experiment;
  const changes = overrides.length === 0 ? '' : `changed: ${overrides.join(', ')}\n`;
  const images = data.subset === undefined ? '50,000' : data.subset.train.toLocaleString('en');
  const parameters = countTrainable(networkOf(experiment)).toLocaleString('en');
  return (
    `${name}, ${scale} scale: ${counted(run.epochs, 'epoch')} of ${images} images, batch ${data.batchSize}, ` +
    `widths ${Object.values(net.channels).join('/')}, ${parameters} parameters\n` +
    changes +
    `on ${machine}; TensorFlow ${versions.tensorflow}, ${precision}${xla ? ', XLA' : ''}, seed ${seed}`
  );
}

/** Estimates before training: time, operations and, for an experiment with a frontier, accuracy. */
export async function forecast(
  { rows, budget, experiment, machine, scale }: PlannedRun,
  { epochSec, epochs, pflop, shortenedFromSec }: Expected,
): Promise<string> {
  const left = epochs - rows.length;
  const are = rows.length === 1 ? 'is' : 'are';
  const before = rows.length === 0 ? '' : `${counted(rows.length, 'epoch')} ${are} finished; `;
  const time =
    budget === undefined
      ? `about ${durationText(Math.max(1, left * epochSec))} on this machine`
      : `${epochs.toFixed(2)} epochs fit into ${durationText(budget.seconds)} on this machine` +
        (shortenedFromSec === undefined
          ? ''
          : `, where all ${experiment.run.epochs} would take ${durationText(shortenedFromSec)}`);
  // Below this, three decimals would show 0.
  if (pflop === undefined || pflop < 5e-4) return `${before}${time}`;
  const cost = `${before}${time}; ${pflop.toFixed(3)} PFLOP`;
  const isOnFrontier = scale === 'full' && lengthOf(experiment.overrides ?? []) !== null;
  const points = isOnFrontier ? await frontier(experiment.name) : [];
  const acc = expectedAccPercent(points, pflop);
  if (acc === undefined) return cost;
  const elsewhere = points.every(({ machines }) => !machines.includes(machine))
    ? ', measured on other machines'
    : '';
  return `${cost}, about ${acc.toFixed(1)} % test accuracy${elsewhere}`;
}

/** The outcome of a run, one line per fact. */
export function outcome({
  experiment,
  scale,
  result,
  preprocessSec,
  ...run
}: FinishedRun): string[] {
  const { tta, divergedIn, evaluationSec = 0, pflop } = result;
  const isFull = scale === 'full';
  const mirrored = tta === undefined ? '' : ` (${fixed(tta.accPercent, 2)} % with mirror images)`;
  return [
    ...(divergedIn === undefined
      ? []
      : [`training diverged in epoch ${divergedIn}, which this experiment allows`, '']),
    `test accuracy ${fixed(result.accPercent, 2)} %${mirrored}, ${result.trainSec.toFixed(1)} s of training ` +
      `(validation and ${preprocessSec.toFixed(2)} s of preprocessing not counted), ` +
      `${result.imagesPerSec.toFixed(0)} images/s`,
    ...disturbanceText(run),
    ...(pflop === undefined || !isFull
      ? []
      : [
          `${pflop.toFixed(4)} PFLOP of convolutions and matrix products, including the final evaluation (${evaluationSec.toFixed(1)} s)`,
        ]),
    ...(experiment.post <= 8 || !isFull
      ? []
      : [
          `${(result.trainSec + evaluationSec).toFixed(0)} s including the final evaluation; ${publishedTimes()}`,
        ]),
    `kept in ${run.path}: run.json, log.jsonl, logs.tsv, net.svg, ${run.checkpoints === 0 ? '' : 'checkpoint, '}events`,
  ];
}

/** Seconds of the study's two fastest runs and of the newest published result, from the catalogue; only post 4's include a test. */
function publishedTimes(): string {
  const [post4, post8, newest] = ['demo', 'post8-final', 'fulcrum'].map((name) => {
    const { timeSec = NaN, hardware } = findExperiment(name).published ?? {};
    return { sec: Number(timeSec.toPrecision(3)), hardware };
  });
  return (
    `the study took ${post4.sec} s (post 4) and, without evaluation, ${post8.sec} s (post 8) on one ${post4.hardware}, ` +
    `the newest published result, without evaluation, ${newest.sec} s on one ${newest.hardware}`
  );
}

/** A line about other programs if the times of a run do not count; otherwise empty. */
export function disturbanceText(run: Pick<FinishedRun, 'load'>): string[] {
  if (isTimed(run)) return [];
  const others = othersShare(run.load);
  return [
    others === undefined
      ? 'the processor use of other programs is unknown, so reports exclude the times of this run'
      : `other programs used ${(100 * others).toFixed(0)} % of the processor during the run, so reports exclude its times; the limit is ${100 * mostOthers} %`,
  ];
}

/** A suggested next command. */
export function nextStep({ experiment, scale, seed, continues, path }: FinishedRun): string {
  const { name, published, overrides = [] } = experiment;
  const train = `npx cifar10-fast train ${name} --scale`;
  if (continues !== undefined) {
    return `next: npx cifar10-fast runs compare ${continues.run} ${path}`;
  }
  if (scale === 'full') {
    const changes = overrides.map((change) => ` --set '${change}'`).join('');
    return `next: ${train} full${changes} --seed ${seed + 1}`;
  }
  if (overrides.length > 0) {
    // Overrides that suit a small network in a short run would harm the full one.
    return `next: ${train} ${scale} --seed ${seed} trains it unchanged, to compare with`;
  }
  const { accPercent } = published ?? {};
  const goal = accPercent === undefined ? '' : ` (published: ${accPercent} %)`;
  return `next: ${train} full${goal}; it prints the expected time first`;
}
