// Checks that memory is flat: resident memory of the captured step over many small steps and some large ones.
import { hardwareLine, readHardware } from 'cifar10-fast';
import { fastestPrecision } from 'cifar10-fast/engine';
import { writeProblem } from './problem.mjs';
import { startWorker } from './processes.mjs';
import { figure, keepRows, makeSay, now, revision } from './report.mjs';
import { spread } from './rounds.mjs';
import { trainerVariant } from './variants.mjs';

const columns = [
  'hardware',
  'date',
  'what',
  'batch',
  'precision',
  'steps',
  'start MB',
  'end MB',
  'peak MB',
  'revision',
];

/**
 * Runs 3,000 steps of the narrow network at batch 64 and 30 of ResNet-9 at batch 512, each after a warm-up of as many steps,
 * and compares median resident memory in the last fifth of the steps with that in the first. Memory is flat if it grows by no
 * more than 2 % or 8 MB, whichever is larger.
 *
 * The warm-up is needed because TensorFlow does not return memory. Which operations run in parallel varies from step to step,
 * and so does their peak memory, which still rises during the first large steps.
 */
export async function measureMemory({ quick }) {
  const hardware = readHardware();
  const precision = fastestPrecision(hardware, false);
  const say = makeSay();
  const context = { hardware: hardwareLine(hardware), date: now(), revision: revision() };
  const runs = [
    { name: 'narrow', scale: 'smoke', batch: 64, steps: quick ? 500 : 3000, stepsPerEpoch: 10 },
    {
      name: 'full',
      scale: 'full',
      batch: quick ? 64 : 512,
      steps: quick ? 10 : 30,
      stepsPerEpoch: 1,
    },
  ];
  const faults = [];
  const result = { quick, precision, hardware: context.hardware };
  console.log(`${context.hardware}${quick ? ' (quick: too short to be reliable)' : ''}`);
  for (const { name, scale, batch, steps, stepsPerEpoch } of runs) {
    const problem = writeProblem(scale, batch);
    const { what, ...variant } = trainerVariant('captured', precision, {
      batch,
      problem,
      augment: true,
      stepsPerEpoch,
    });
    const worker = await startWorker(variant.worker, variant.config);
    const all = [];
    let peakBytes = 0;
    while (all.length * stepsPerEpoch < 2 * steps) {
      say(`${name}: ${all.length * stepsPerEpoch} of ${2 * steps} steps`);
      const answer = await worker.ask({ steps: Math.max(stepsPerEpoch, steps / 30) });
      all.push(...answer.rssBytes);
      peakBytes = answer.peakBytes;
    }
    await worker.close();
    say.done();
    const resident = all.slice(all.length / 2);
    const fifth = Math.ceil(resident.length / 5);
    const start = spread(resident.slice(0, fifth)).median;
    const end = spread(resident.slice(-fifth)).median;
    const grown = end - start;
    const isFlat = grown <= Math.max(0.02 * start, 8e6);
    const title = `${scale === 'smoke' ? 'a sixteenth of the widths' : 'ResNet-9'}, batch ${batch}`;
    const text = `${title}: ${figure(start / 1e6, 4)} MB, after ${steps} steps ${figure(end / 1e6, 4)} MB`;
    console.log(`${text}, at most ${figure(peakBytes / 1e6, 4)} MB`);
    if (!isFlat) faults.push(`memory grows: ${text}`);
    Object.assign(result, {
      [name]: { steps, batch, startBytes: start, grownBytes: grown, peakBytes, isFlat },
    });
    const row = { ...context, what: `${what} ${title}`, batch, precision, steps };
    keepRows(quick ? 'quick-memory' : 'memory', columns, [
      {
        ...row,
        'start MB': (start / 1e6).toFixed(1),
        'end MB': (end / 1e6).toFixed(1),
        'peak MB': (peakBytes / 1e6).toFixed(1),
      },
    ]);
  }
  return { result, faults };
}
