// Kills training runs at random moments with SIGKILL, resumes each, and requires a result bit-identical to that of an
// uninterrupted run: rows, network, optimiser and average, each epoch once in every log, no partly written file.
//
//   node scripts/test-kill.mjs                    20 kills at random moments, 4 while a checkpoint is being written
//   node scripts/test-kill.mjs --kills 3 --seed 7 fewer; the seed makes the moments reproducible
//
// Every third run is killed a second time, after it is resumed. The last line is `N passed, N failed`, one test per run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { optionsOf, wholeNumber } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const main = join(root, 'dist/cli/main.js');
const { kills, seed } = optionsOf(
  import.meta.url,
  {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(1 + (Date.now() % 1_000_000)) },
  },
  {
    read: (given) => ({
      kills: wholeNumber('kills', given.kills),
      seed: wholeNumber('seed', given.seed),
    }),
  },
);
const { createRng, readCheckpoint } = createRequire(import.meta.url)(join(root, 'dist/index.js'));
const writeKills = Math.ceil(kills / 5);
const epochs = 6;
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-kill-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

// With a moving average, so that the checkpoint has every part of the training state.
const experiment = ['demo', '--scale', 'smoke', '--seed', '1', '--set', `run.epochs=${epochs}`];
const average = ['--set', 'optim.ema={"momentum":0.9,"updateFreq":3}'];
const trainArgs = (logDir) => ['train', ...experiment, ...average, '--log-dir', logDir];

/** Starts the command line; `end` resolves with its exit code, signal and standard error. */
function start(args) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const end = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr }));
  return { child, end };
}

async function runToEnd(args) {
  const { code, stderr } = await start(args).end;
  if (code !== 0) throw new Error(`"${args.join(' ')}" ended with code ${code}: ${stderr.trim()}`);
}

/** Waits until a folder holds a run that can be resumed; false if the process ends first. */
async function hasStarted(folder, { child }) {
  while (!existsSync(join(folder, 'run.json'))) {
    if (child.exitCode !== null) return false;
    await sleep(5);
  }
  return true;
}

/** Kills a process after `afterMs`; false if it ends first. */
async function killAfter({ child, end }, afterMs) {
  await Promise.race([end, sleep(afterMs, undefined, { ref: false })]);
  child.kill('SIGKILL');
  return (await end).signal === 'SIGKILL';
}

/** Kills a process as soon as the temporary file of its `count`th checkpoint appears; false if it ends first. */
async function killInWrite({ child, end }, folder, count) {
  const seen = new Set();
  const watcher = watch(folder, (_, name) => {
    if (!/^checkpoint.*\.part$/.test(name ?? '')) return;
    seen.add(name);
    if (seen.size === count) child.kill('SIGKILL');
  });
  const { signal } = await end;
  watcher.close();
  return signal === 'SIGKILL';
}

const filesOf = (folder, pattern) => readdirSync(folder).filter((name) => pattern.test(name));
const rowsOf = (folder) =>
  existsSync(join(folder, 'log.jsonl'))
    ? readFileSync(join(folder, 'log.jsonl'), 'utf8').trimEnd().split('\n').map(JSON.parse)
    : [];

/** Everything that must be bit-identical: the rows without times, and the training state. */
function bitsOf(folder) {
  const { snapshot, rows } = readCheckpoint(join(folder, `checkpoint-${epochs}.safetensors`));
  const figures = rows.map(({ epoch, lr, train, valid }) => {
    return [epoch, lr, train.loss, train.acc, valid.loss, valid.acc];
  });
  return { figures, tensors: snapshot.learnt };
}

/** The faults of a run that was killed and resumed. */
function faultsOf(folder, wanted) {
  const faults = [];
  const [bits, rows] = [bitsOf(folder), rowsOf(folder)];
  for (const part of ['figures', 'tensors']) {
    if (!isDeepStrictEqual(bits[part], wanted[part])) faults.push(`${part} differ`);
  }
  const { rows: kept } = readCheckpoint(join(folder, `checkpoint-${epochs}.safetensors`));
  if (!isDeepStrictEqual(rows, kept)) faults.push('log.jsonl differs from the checkpoint');
  const total = rows.reduce((sum, { train }) => sum + train.time, 0);
  if (Math.abs(total - rows.at(-1)['total time']) > 1e-6) faults.push('seconds do not add up');
  const lines = readFileSync(join(folder, 'logs.tsv'), 'utf8').trimEnd().split('\n').length;
  if (lines !== epochs + 1) faults.push(`logs.tsv has ${lines} lines`);
  const events = filesOf(folder, /tfevents/)
    .map((name) => readFileSync(join(folder, name), 'latin1').split('time/total').length - 1)
    .reduce((sum, count) => sum + count, 0);
  if (events !== epochs) faults.push(`${events} epochs are in the events`);
  const left = filesOf(folder, /\.part$|\.damaged$/);
  if (left.length > 0) faults.push(`${left.join(', ')} is left`);
  const checkpoints = filesOf(folder, /^checkpoint-/);
  if (checkpoints.length > 2) faults.push(`${checkpoints.length} checkpoints are left`);
  const { result } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
  if (result?.epochs !== epochs) faults.push('run.json has no result');
  return faults;
}

console.log(`moments are drawn from seed ${seed}`);
const reference = join(scratch, 'reference', 'demo-smoke-1');
const whole = start(trainArgs(dirname(reference)));
if (!(await hasStarted(reference, whole))) {
  console.error(`test-kill: no run starts: ${(await whole.end).stderr}`);
  process.exit(1);
}
const startMs = performance.now();
const { code, stderr } = await whole.end;
if (code !== 0) {
  console.error(`test-kill: the uninterrupted run exited with code ${code}: ${stderr}`);
  process.exit(1);
}
const lengthMs = performance.now() - startMs;
const wanted = bitsOf(reference);
console.log(`a run of ${epochs} epochs takes ${(lengthMs / 1000).toFixed(1)} s after its start`);

let [passed, failed] = [0, 0];
for (let kill = 1; kill <= kills + writeKills; kill++) {
  const rng = createRng(seed, 'kill', kill);
  const inWrite = kill > kills;
  const folder = join(scratch, String(kill), 'demo-smoke-1');
  const notes = [];
  let faults;
  try {
    // If the run ends before the moment drawn, another one is drawn.
    for (let isKilled = false; !isKilled;) {
      rmSync(dirname(folder), { recursive: true, force: true });
      const run = start(trainArgs(dirname(folder)));
      if (!(await hasStarted(folder, run))) throw new Error((await run.end).stderr);
      if (inWrite) {
        const count = 1 + rng.integer(epochs);
        isKilled = await killInWrite(run, folder, count);
        notes[0] = `in the writing of checkpoint ${count}`;
      } else {
        const afterMs = rng.uniform() * lengthMs;
        isKilled = await killAfter(run, afterMs);
        notes[0] = `after ${(afterMs / 1000).toFixed(3)} s`;
      }
    }
    const checkpoints = filesOf(folder, /^checkpoint-\d+\.safetensors$/);
    const drafts = filesOf(folder, /\.part$/);
    notes.push(`${rowsOf(folder).length} rows, ${checkpoints.length} checkpoints`);
    if (drafts.length > 0) notes.push(`a draft of ${drafts[0].replace(/\.\d+\.part$/, '')}`);
    const resultOf = () => JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')).result;
    const wasOver = resultOf() !== undefined;
    if (wasOver) notes.push('after the result was saved');
    if (kill % 3 === 0 && !wasOver) {
      const afterMs = rng.uniform() * lengthMs;
      const isKilled = await killAfter(start(['train', '--resume', folder]), afterMs);
      notes.push(
        `${isKilled ? 'killed again' : 'ended'} within ${(afterMs / 1000).toFixed(3)} s after resuming`,
      );
    }
    if (resultOf() === undefined) await runToEnd(['train', '--resume', folder]);
    faults = faultsOf(folder, wanted);
    const { resumed = [] } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
    if (!wasOver && resumed.length === 0) faults.push('run.json does not list the resumption');
  } catch (error) {
    faults = [error.message];
  }
  if (faults.length === 0) passed += 1;
  else failed += 1;
  console.log(
    `${String(kill).padStart(3)} killed ${notes.join(', ')}: ${faults.join('; ') || 'bit-identical'}`,
  );
  rmSync(dirname(folder), { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
