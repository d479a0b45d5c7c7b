// The protocol of a worker process; bench/processes.mjs sends the requests.
import { createInterface } from 'node:readline';

/**
 * Runs the burn-in, prints its result as a JSON line, then runs steps on request until standard input ends.
 *
 * @param run runs `n` steps and returns at least `seconds`, one number per step, and `losses`; the answer is what it returns,
 *   with the CPU time and the peak memory
 * @param info further fields of the first message
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

/** The configuration that bench/processes.mjs passed on the command line. */
export function readConfig() {
  return JSON.parse(process.argv[2]);
}
