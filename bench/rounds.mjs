// Measures several variants interleaved (A B C A B C), so that other load on the machine affects them all alike.
import { freemem, totalmem } from 'node:os';
import { startWorker } from './processes.mjs';

/**
 * Measures variants in turns, each in a process of its own. Only one process works at a time.
 *
 * A process is reused in the next round unless another one needs its memory; a restarted process burns in for one step. A
 * variant whose process dies is skipped from then on, and its `error` gives the reason.
 *
 * @param variants `{ worker, config, bytes }` and any other fields, where `bytes` is the expected memory; adds `seconds`,
 *   `losses`, `peakBytes`, `readies` (the messages of its processes after their burn-in) and `answers` to each
 * @param isEnough called with the number of finished rounds; returns true to stop
 * @param say called with a description of the progress
 */
export async function measureInTurns(variants, { stepsPerTurn, isEnough, say = () => {} }) {
  const open = new Map();
  const close = async (variant) => {
    await open.get(variant)?.close();
    open.delete(variant);
  };
  for (const variant of variants) {
    Object.assign(variant, { seconds: [], losses: [], peakBytes: 0, readies: [], answers: [] });
  }
  try {
    for (let round = 0; round === 0 || !isEnough(round); round++) {
      for (const variant of variants) {
        if (variant.error !== undefined) continue;
        say(`round ${round + 1}: ${variant.what} ${variant.precision}`);
        try {
          await makeRoom(variant, open, close);
          if (!open.has(variant)) {
            const isFirst = variant.readies.length === 0;
            const config = isFirst ? variant.config : { ...variant.config, burnIn: 1 };
            const worker = await startWorker(variant.worker, config);
            open.set(variant, worker);
            variant.readies.push(worker.ready);
            variant.losses.push(...worker.ready.losses);
          }
          const answer = await open.get(variant).ask({ steps: stepsPerTurn });
          variant.answers.push(answer);
          variant.seconds.push(...answer.seconds);
          variant.losses.push(...answer.losses);
          variant.peakBytes = Math.max(variant.peakBytes, answer.peakBytes);
        } catch (error) {
          variant.error = error.message;
          await close(variant);
        }
      }
    }
  } finally {
    await Promise.all([...open.keys()].map(close));
  }
}

/** Closes idle processes, the largest first, until there is enough memory for a variant's turn. */
async function makeRoom(variant, open, close) {
  const own = open.get(variant)?.residentBytes() ?? 0;
  const needed = variant.peakBytes || variant.bytes;
  const waiting = [...open.keys()]
    .filter((other) => other !== variant)
    .toSorted((a, b) => open.get(b).residentBytes() - open.get(a).residentBytes());
  // Leaves a seventh of the memory to the rest of the machine.
  const spare = totalmem() / 7;
  while (freemem() < needed - own + spare && waiting.length > 0) await close(waiting.shift());
}

/** Median, minimum and maximum of numbers; NaN if there are none. */
export function spread(values) {
  const sorted = [...values].toSorted((a, b) => a - b);
  const { length } = sorted;
  return {
    n: length,
    median: (sorted[(length - 1) >> 1] + sorted[length >> 1]) / 2,
    min: sorted[0] ?? NaN,
    max: sorted.at(-1) ?? NaN,
  };
}
