// Checks that every variant does the same work: from the same weights, on the same images, all must compute the same losses.
import { hardwareLine, readHardware } from 'cifar10-fast';
import { fastestPrecision } from 'cifar10-fast/engine';
import { writeProblem } from './problem.mjs';
import { readPeers, startWorker } from './processes.mjs';
import { makeSay, table } from './report.mjs';
import { layersVariant, torchModes, torchVariant, trainerVariant } from './variants.mjs';

const steps = 4;

/** A thousand times a usual value, so that four steps show its effect. */
const weightDecay = 0.5;

/** Largest relative error of a loss: fp32 sums in another order; bf16 has 8 bits of mantissa in every activation. */
const tolerance = { fp32: 2e-3, bf16: 3e-2, fp16: 1e-2 };

/**
 * Trains every variant for a few steps, without augmentation, and compares each loss with that of our eager step.
 *
 * The losses after the first depend on the gradients of every tensor, on momentum and on weight decay.
 */
export async function checkWork({ quick }) {
  const hardware = readHardware();
  const precision = fastestPrecision(hardware, false);
  const peers = readPeers();
  const say = makeSay();
  const batch = quick ? 32 : 64;
  const problem = writeProblem('full', batch, { weightDecay });
  const config = { batch, problem, burnIn: 0 };
  const modes =
    peers === undefined ? [] : torchModes({ compiles: peers.compiles && !quick, hasAmx: true });
  const variants = [
    trainerVariant('eager', 'fp32', config),
    ...[...new Set(['fp32', 'bf16', precision])].map((number) =>
      trainerVariant('captured', number, config),
    ),
    layersVariant(config),
    ...modes.map((mode) => torchVariant(mode, config)),
  ];
  const faults = [];
  const rows = [];
  let expected;
  console.log(
    `${hardwareLine(hardware)}\nLosses of ResNet-9 on one batch of ${batch}, step by step`,
  );
  for (const { what, precision: number, ...variant } of variants) {
    const name = variant.worker === 'torch' ? what : `${what} ${number}`;
    say(name);
    try {
      const worker = await startWorker(variant.worker, variant.config);
      const { losses } = await worker.ask({ steps });
      await worker.close();
      expected ??= losses;
      const off = Math.max(...losses.map((loss, i) => Math.abs(loss / expected[i] - 1)));
      const isGood = losses.length === steps && off <= tolerance[number];
      if (!isGood) faults.push(`${name} is off by ${off}; the tolerance is ${tolerance[number]}`);
      rows.push([name, ...losses.map((loss) => loss.toFixed(4)), off.toExponential(1)]);
    } catch (error) {
      faults.push(`${name}: ${error.message}`);
    }
  }
  say.done();
  console.log(
    table([['', ...Array.from({ length: steps }, (_, i) => `${i + 1}`), 'off by'], ...rows]),
  );
  return { result: { compared: rows.length, faults: faults.length, quick }, faults };
}
