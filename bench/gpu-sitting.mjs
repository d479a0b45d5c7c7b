// One session of bench:gpu: the rows saved so far, the time limit, and the processes that measure.
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { hardwareLine, readHardware } from 'cifar10-fast';
import { figure, now } from './report.mjs';

const here = dirname(fileURLToPath(import.meta.url));

/**
 * Opens a file of results, one JSON line per row.
 *
 * @param part `speed`, `dawn` or `runs`
 * @param seconds time limit, after which no measurement starts
 * @param each seconds after which a process is killed and counts as failed
 * @param isTiny smoke scale; works without a GPU
 * @returns `known`, the rows so far; `isDone(key)`; `isLate()`; `untilMs()`, the deadline of a process that starts now;
 *   `begin(name)`, which prints what is measured next; `keep(row)`, which saves a row; `fail(name, code, reason)`; and
 *   `failed()`, the number of failures
 */
export function openSitting({ part, state, seconds, each, isTiny }) {
  const deadline = performance.now() + 1000 * seconds;
  const known = existsSync(state)
    ? readFileSync(state, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
    : [];
  let failed = 0;
  // All starts share one date, because the tables in docs/ show the rows of the newest date.
  const context = { date: known[0]?.date ?? now(), hardware: hardwareLine(readHardware()) };
  const keep = (found) => {
    const row = { ...context, ...found };
    mkdirSync(dirname(state), { recursive: true });
    known.push(row);
    appendFileSync(state, `${JSON.stringify(row)}\n`);
  };
  return {
    part,
    isTiny,
    untilMs: () => Math.min(deadline, performance.now() + 1000 * each),
    known,
    keep,
    isDone: (key) => known.some((row) => row.key === key && row.error === undefined),
    isLate: () => performance.now() >= deadline,
    begin: (name) => console.log(`${part}: ${name}`),
    fail: (name, code, reason) => {
      failed += 1;
      keep({ key: `${name} failed`, part, name, error: `${code}: ${reason}` });
    },
    failed: () => failed,
  };
}

/** Runs a process and passes each of its JSON lines to `onLine`; kills it at `untilMs`, a time of `performance.now()`. */
async function follow(command, args, { env = {}, untilMs, onLine }) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint = (complaint + text).slice(-1500);
  });
  const closed = new Promise((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done(signal ?? code));
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), Math.max(0, untilMs - performance.now()));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{')) onLine(JSON.parse(line));
  }
  const code = await closed;
  clearTimeout(timer);
  return { code, complaint };
}

/**
 * Trains an experiment with the seeds that are not done yet; saves every run as soon as it ends.
 *
 * @returns false if the time limit was reached
 */
export async function trainSeeds(sitting, name, config, env) {
  const { part, isTiny, known } = sitting;
  const left = config.seeds.filter((seed) => !sitting.isDone(`${name} ${seed}`));
  if (left.length === 0) return true;
  sitting.begin(name);
  const size = { scale: isTiny ? 'smoke' : 'full', isGpuNeeded: !isTiny };
  const given = JSON.stringify({ ...size, ...config, seeds: left });
  const count = known.length;
  const onLine = (row) => {
    if (row.seed === undefined) return;
    sitting.keep({ key: `${name} ${row.seed}`, part, name, ...row });
    console.log(
      `  seed ${row.seed}: ${figure(row.imagesPerSec, 4)} images/s, ${figure(row.trainSec, 4)} s, ` +
        `${row.accPercent.toFixed(2)} %, warm-up ${figure(row.warmUpSec)} s`,
    );
  };
  const worker = [join(here, 'workers/gpu.mjs'), given];
  const { code, complaint } = await follow(process.execPath, worker, {
    env,
    untilMs: sitting.untilMs(),
    onLine,
  });
  if (code === 0) return true;
  if (sitting.isLate()) return false;
  const reason = complaint.trim().split('\n').slice(-4).join('\n');
  console.error(
    `bench:gpu: ${name} ended with ${code} after ${known.length - count} runs: ${reason}`,
  );
  sitting.fail(name, code, reason);
  return true;
}

/** The name of a mode of PyTorch in tables. */
export const torchName = (mode) => `PyTorch ${mode}, channels last`;

/**
 * Measures one mode of PyTorch, unless that has been done.
 *
 * @returns false if the time limit was reached
 */
export async function measureTorch(sitting, mode) {
  const { part, isTiny } = sitting;
  const name = torchName(mode);
  if (sitting.isDone(name)) return true;
  if (sitting.isLate()) return false;
  sitting.begin(name);
  const tiny = {
    epochs: 1,
    device: 'cpu',
    steps: 2,
    batch: 16,
    widths: { prep: 4, layer1: 8, layer2: 8, layer3: 8 },
  };
  const size = isTiny ? tiny : { epochs: 4, steps: 97, batch: 512 };
  const peer = [join(here, 'peers/resnet9_gpu.py'), JSON.stringify({ mode, ...size })];
  const onLine = (row) => {
    sitting.keep({ key: name, part, name, ...row });
    console.log(`  ${row.peer}: ${figure(row.imagesPerSec, 4)} images/s`);
  };
  const python = process.env.PYTHON || 'python3';
  const { code, complaint } = await follow(python, peer, { untilMs: sitting.untilMs(), onLine });
  if (code === 0) return true;
  if (sitting.isLate()) return false;
  const reason = complaint.trim().split('\n').at(-1);
  console.error(
    `bench:gpu: ${name} ended with ${code}: ${reason}. PYTHON names another Python, --no-peer leaves it out.`,
  );
  sitting.fail(name, code, reason);
  return true;
}
