// Reads our files with third-party packages and compares the contents with what was written: TensorBoard events with
// `tensorboard`, checkpoints with `safetensors` and NumPy, exported networks with TensorFlow for Python and onnxruntime,
// including their logits. The run that writes the files is stopped and resumed.
//
//   npm run test:formats
//
// `npm run formats:setup` installs the packages. The last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { optionsOf } from './options.mjs';

optionsOf(import.meta.url);

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const python = join(root, '.venv-formats/bin/python');
if (!existsSync(join(root, '.venv-formats/formats.json'))) {
  console.error(
    'test-formats: the packages that read our files are missing. npm run formats:setup',
  );
  process.exit(1);
}
const {
  findExperiment,
  loadCifar10,
  overridden,
  readCheckpoint,
  resumeRun,
  scaled,
  trainExperiment,
} = createRequire(import.meta.url)(join(root, 'dist/index.js'));
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-formats-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

let [passed, failed] = [0, 0];

/** A test that passes if `faults` is empty. */
function check(what, faults) {
  if (faults.length === 0) passed += 1;
  else failed += 1;
  console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${what}`);
  for (const fault of faults) console.log(`       ${fault}`);
}

/** Reads a file with a Python package; `what` is a reader of read-formats.py. */
function read(what, path) {
  const { status, stdout, stderr } = spawnSync(
    python,
    [join(root, 'scripts/read-formats.py'), what, path],
    { encoding: 'utf8', maxBuffer: 1e9 },
  );
  if (status !== 0) throw new Error(`read-formats.py ${what} ${path}:\n${stderr}`);
  return JSON.parse(stdout);
}

/** Trains for four epochs, stopped in the third and resumed; keeps every checkpoint. */
async function makeRun() {
  const data = await loadCifar10();
  const smoke = overridden(scaled(findExperiment('demo'), 'smoke'), 'run.epochs', 4);
  const experiment = overridden(smoke, 'optim.ema', { momentum: 0.9, updateFreq: 3 });
  const controller = new AbortController();
  let now = 0;
  await trainExperiment(experiment, {
    data,
    seed: 0,
    logDir: scratch,
    checkpoints: 'all',
    signal: controller.signal,
    // Advances with every reading, so that progress is reported after each batch.
    clock: () => ++now,
    onProgress: ({ epoch, done }) => {
      if (epoch === 3 && done >= 320) controller.abort();
    },
  }).then(
    () => Promise.reject(new Error('the run ended before it was stopped')),
    (error) => console.log(error.message),
  );
  const folder = join(scratch, 'demo-smoke-0');
  await resumeRun(folder, { data, checkpoints: 'all' });
  const rows = readFileSync(join(folder, 'log.jsonl'), 'utf8').trimEnd().split('\n');
  return { folder, rows: rows.map((row) => JSON.parse(row)) };
}

/** Compares events with log rows. TensorBoard stores numbers as float32. */
function eventFaults(events, rows) {
  const wanted = {
    'loss/train': rows.map(({ train }) => train.loss),
    'loss/valid': rows.map(({ valid }) => valid.loss),
    'acc/train': rows.map(({ train }) => train.acc),
    'acc/valid': rows.map(({ valid }) => valid.acc),
    lr: rows.map(({ lr }) => lr),
    'time/train': rows.map(({ train }) => train.time),
    'time/valid': rows.map(({ valid }) => valid.time),
    'time/total': rows.map((row) => row['total time']),
  };
  const faults = [];
  if (!isDeepStrictEqual(Object.keys(events).toSorted(), Object.keys(wanted).toSorted())) {
    faults.push(`tags are ${Object.keys(events).join(', ')}`);
  }
  for (const [tag, values] of Object.entries(wanted)) {
    const found = (events[tag] ?? []).map(([step, value]) => [step, value]);
    const expected = values.map((value, index) => [index + 1, Math.fround(value)]);
    if (!isDeepStrictEqual(found, expected)) {
      faults.push(`${tag} is ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
    }
  }
  const times = events['lr']?.map(([, , wallTime]) => wallTime) ?? [];
  if (times.some((time, index) => time < (times[index - 1] ?? Date.now() / 1000 - 3600))) {
    faults.push(`times of day do not ascend: ${times.join(', ')}`);
  }
  return faults;
}

const dtypes = { Float32Array: 'float32', Int32Array: 'int32', Uint8Array: 'bool' };

function checkpointFaults({ metadata, tensors }, { snapshot, rows, config }) {
  const { epoch, totalSec, learnt, unfinished } = snapshot;
  const parts = { ...learnt, ...(unfinished === undefined ? {} : { totals: unfinished.totals }) };
  const wanted = Object.fromEntries(
    Object.entries(parts).flatMap(([part, variables]) =>
      Object.entries(variables).map(([path, { shape, data }]) => {
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        const sum = data.reduce((total, value) => total + value, 0);
        return [`${part}/${path}`, { dtype: dtypes[data.constructor.name], shape, sha256, sum }];
      }),
    ),
  );
  const faults = [];
  const names = Object.keys(wanted);
  if (!isDeepStrictEqual(Object.keys(tensors).toSorted(), names.toSorted())) {
    faults.push(`it has ${Object.keys(tensors).length} tensors, expected ${names.length}`);
  }
  for (const [name, { sum, ...rest }] of Object.entries(wanted)) {
    const { sum: found, ...other } = tensors[name] ?? {};
    // The order of summation differs, so sums may, too; the hash compares the bytes.
    const isSame = Math.abs(found - sum) <= 1e-6 * (1 + Math.abs(sum));
    if (!isSame || !isDeepStrictEqual(other, rest)) {
      faults.push(`${name} is ${JSON.stringify(tensors[name])}`);
    }
  }
  const said = {
    epoch: String(epoch),
    batches: String(unfinished?.batches ?? 0),
    totalSec: String(totalSec),
    rows: JSON.stringify(rows),
    config,
    record: 'demo',
  };
  for (const [key, value] of Object.entries(said)) {
    if (metadata[key] !== value) faults.push(`"${key}" is ${metadata[key]}, expected ${value}`);
  }
  return faults;
}

try {
  const { folder, rows } = await makeRun();
  const files = readdirSync(folder);
  const eventFiles = files.filter((name) => name.includes('tfevents'));
  check(
    `tensorboard reads ${rows.length} epochs, each once, from ${eventFiles.length} files of events`,
    eventFaults(read('events', folder), rows),
  );
  const checkpoints = files.filter((name) => name.startsWith('checkpoint-'));
  check(
    `a checkpoint an epoch, and one of where the run was stopped: ${checkpoints.length}`,
    checkpoints.length === rows.length + 1 ? [] : checkpoints,
  );
  for (const name of checkpoints) {
    const file = join(folder, name);
    check(
      `safetensors reads ${name} bit for bit`,
      checkpointFaults(read('checkpoint', file), readCheckpoint(file)),
    );
  }
} catch (error) {
  check('a run and its files', [error.message]);
}
const exported = spawnSync(process.execPath, [join(root, 'test/formats/exported.mjs'), python], {
  encoding: 'utf8',
  maxBuffer: 1e9,
});
const [tally, ok, bad] = /(\d+) passed, (\d+) failed\s*$/.exec(exported.stdout) ?? [];
if (tally === undefined) {
  check('tensorflow and onnxruntime read exported networks', [
    exported.stdout,
    exported.stderr.slice(-3000),
  ]);
} else {
  console.log(
    `tensorflow and onnxruntime read exported networks\n${exported.stdout.slice(0, -tally.length)}`,
  );
  passed += Number(ok);
  failed += Number(bad);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
