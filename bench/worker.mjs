// The side of a measured process that talks; bench/processes.mjs is the side that asks.
import { createInterface } from 'node:readline';

/**
 * Runs the burn-in, says so in a JSON line, then runs steps as they are asked for until standard input ends.
 *
 * @param run runs `n` steps and returns at least `seconds`, one number a step, and `losses`; all of it is passed on,
 *   with the processor time that it took
 * @param info what is told once, beside the burn-in
 */
export async function serve(run, { burnIn = 2 }, info = {}) {
  const answer = async (steps) => {
    const before = process.cpuUsage();
    const found = steps === 0 ? { seconds: [], losses: [] } : await run(steps);
    const { user, system } = process.cpuUsage(before);
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    return { ...found, cpuSec: (user + system) / 1e6, peakBytes };
  };
  const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  say({ ready: true, ...(await answer(burnIn)), ...info });
  for await (const line of createInterface({ input: process.stdin })) {
    say(await answer(JSON.parse(line).steps));
  }
}

/** What the process was asked to be: the record that bench/processes.mjs passed. */
export function readConfig() {
  return JSON.parse(process.argv[2]);
}
