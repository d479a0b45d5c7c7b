// What set-up prints: one line for each step, a live line on a terminal, problems with their repair.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Ends set-up with exit code 1: what is wrong, then lines that say how to repair it. */
export class SetupError extends Error {
  constructor(message, ...repair) {
    super(message);
    this.repair = repair;
  }
}

let step;
let ticker;

const clearLine = '\r\u001B[K';
const title = () => `${step.number}/7 ${step.name.padEnd(11)}`;

/** Seconds since a time of performance.now(), with one decimal. */
export const secondsSince = (start) => ((performance.now() - start) / 1000).toFixed(1);

function stopTicker() {
  if (ticker === undefined) return;
  clearInterval(ticker);
  ticker = undefined;
  process.stdout.write(clearLine);
}

function tick(folder) {
  const { start } = step;
  const show = (size) => {
    if (ticker === undefined) return;
    const seconds = Math.floor((performance.now() - start) / 1000);
    process.stdout.write(`${clearLine}${title()} ${seconds} s${size === '' ? '' : `, ${size} MB`}`);
  };
  if (folder === undefined || !existsSync(folder)) return show('');
  return execFile('du', ['-sm', folder], (error, stdout) => show(stdout.split('\t')[0]));
}

/**
 * Starts the line of a step. A terminal shows the seconds so far.
 *
 * @param folder its size in MB is shown too
 */
export function beginStep(number, name, folder) {
  step = { number, name, start: performance.now() };
  if (!process.stdout.isTTY) return;
  ticker = setInterval(() => tick(folder), 1000);
}

/** Prints the line of the step that ends: number, name, result, seconds. */
export function endStep(result) {
  stopTicker();
  print(`${title()} ${result.padEnd(60)} ${secondsSince(step.start).padStart(6)} s`);
}

export function print(text) {
  stopTicker();
  process.stdout.write(`${text}\n`);
}

/** Reports a problem or a warning on standard error. */
export function complain(what, ...repair) {
  stopTicker();
  const lines = repair.flatMap((text) => text.trimEnd().split('\n')).map((line) => `  ${line}\n`);
  process.stderr.write(`kernel-setup: ${what}\n${lines.join('')}`);
}
