import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { scaled } from '../catalogue/scale';
import type { Run } from './run';
import { publishedOf } from './run';
import { parseResult, readPlan, readRun, runJson } from './run-file';

const root = mkdtempSync(join(tmpdir(), 'cifar10-fast-run-file-'));
afterAll(() => rmSync(root, { recursive: true }));

const experiment = scaled(findExperiment('demo'), 'smoke');
const run: Run = {
  name: 'demo',
  scale: 'smoke',
  seed: 3,
  overrides: [],
  mode: 'captured',
  precision: 'bf16',
  xla: false,
  started: '2026-11-28T16:15:56.113Z',
  machine: 'AMD EPYC, 2 cores, AVX2, 24 GB',
  experiment,
  threads: 2,
  device: 'cpu',
  dataSha256: 'ab12',
  versions: { 'cifar10-fast': '0.1.0', node: '20.20.2', tensorflow: '2.21.0' },
  hardware: {
    cpu: 'AMD EPYC',
    cores: 2,
    memoryBytes: 24 * 2 ** 30,
    cpuFlags: ['avx2'],
    gpus: [],
  },
  environment: {},
  algorithms: [{ pass: 'forward', shape: 'bf16 1x1x1 1->1', candidates: [], chosen: 'direct' }],
  preprocessSec: 0.5,
  resumed: [{ at: '2026-11-28', epoch: 1, batches: 0 }],
  checkpoints: 'all',
  rows: [],
  result: { epochs: 2, accPercent: 20, loss: 2, trainSec: 3, imagesPerSec: 600, pflop: 0.01 },
};

/** Creates a folder with this text as its `run.json`. */
function folderOf(text: string): string {
  const folder = mkdtempSync(join(root, 'run-'));
  writeFileSync(join(folder, 'run.json'), text);
  return folder;
}

/** Creates a folder whose `run.json` has one field changed, given by its path. */
function edited(path: string, value: unknown): string {
  const file = JSON.parse(runJson(run)) as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop() as string;
  let at = file;
  for (const key of keys) at = at[key] as Record<string, unknown>;
  at[last] = value;
  return folderOf(JSON.stringify(file));
}

describe('run.json', () => {
  test('is read as it was written', async () => {
    const path = folderOf(runJson(run));
    expect(await readRun(path)).toEqual({ ...run, path });
    expect(await readPlan(path)).toEqual(run);
  });

  test('stores where a run diverged', async () => {
    const { result: _result, ...rest } = run;
    const failure = { epoch: 2, step: 7, message: 'train: the loss is NaN' };
    const read = await readRun(folderOf(runJson({ ...rest, failure })));
    expect(read?.failure).toEqual(failure);
    expect(read?.result).toBeUndefined();
  });

  test('of the first version can be read but not resumed, because it lacks fields that determine results', async () => {
    const path = join(__dirname, '../../test/fixtures/runs/first-version');
    const read = await readRun(path);
    expect(read).toMatchObject({
      path,
      name: 'demo',
      threads: 2,
      xla: false,
      machine: 'AMD EPYC, 2 cores, AVX-512 BF16, 23 GB',
      result: { accPercent: 21.1 },
    });
    expect(read?.rows.map(({ valid }) => valid.acc)).toEqual([0.18, 0.211]);
    await expect(readPlan(path)).rejects.toThrow(
      new RunError(
        `run: ${join(path, 'run.json')} lacks "device", "dataSha256", "environment", which older versions did not write. ` +
          'Train the experiment again.',
      ),
    );
  });

  test('is read if the driver does not report the memory of the GPU', async () => {
    const gpu = { name: 'GB10', memoryBytes: null, computeCapability: 12.1, driver: '580' };
    expect(await readRun(edited('hardware.gpus', [gpu]))).toBeDefined();
  });

  test('that cannot be read is an error, as is such a log; only what does not exist is absent', async () => {
    // A link to itself cannot be read, whoever asks.
    const folder = join(root, 'unreadable');
    mkdirSync(folder);
    const file = join(folder, 'run.json');
    symlinkSync('run.json', file);
    const message = `run: ${file} cannot be read: ELOOP: too many symbolic links encountered. Make it readable, or move`;
    await expect(readRun(folder)).rejects.toThrow(RunError);
    await expect(readRun(folder)).rejects.toThrow(message);
    await expect(readPlan(folder)).rejects.toThrow(message);
    rmSync(file);
    await expect(readPlan(folder)).rejects.toThrow(`run: ${folder} has no run.json. Train the`);
    writeFileSync(file, runJson(run));
    expect((await readRun(folder))?.rows).toEqual([]);
    expect(await readRun(file)).toBeUndefined();
    mkdirSync(join(folder, 'log.jsonl'));
    await expect(readRun(folder)).rejects.toThrow(
      `run: ${join(folder, 'log.jsonl')} cannot be read: it is a folder, not a regular file. Make`,
    );
  });

  test('is absent from other folders', async () => {
    expect(await readRun(root)).toBeUndefined();
    await expect(readPlan(root)).rejects.toThrow(`run: ${root} has no run.json. Train the`);
  });

  test.each<[string, unknown, string]>([
    ['hardware', {}, '"hardware.cpu" is missing; expected a string.'],
    ['hardware', 'AMD', '"hardware" is "AMD"; expected an object: the hardware.'],
    ['hardware.gpus', [5], '"hardware.gpus.0" is 5; expected an object: a GPU.'],
    ['hardware.cpuFlags', 'avx2', '"hardware.cpuFlags" is "avx2"; expected a list of texts.'],
    ['algorithms', {}, '"algorithms" is {}; expected a list of measured algorithms.'],
    ['algorithms', [null], '"algorithms.0" is null; expected an object of pass, shape'],
    ['result', null, '"result" is null; expected an object: the result.'],
    ['result', 94, '"result" is 94; expected an object: the result.'],
    ['result.accPercent', '94', '"result.accPercent" is "94"; expected a percentage.'],
    ['result.epochs', 1.5, '"result.epochs" is 1.5; expected a whole number of at least 1.'],
    ['failure', true, '"failure" is true; expected an object of epoch, step, message.'],
    ['resumed', 5, '"resumed" is 5; expected a list of resumptions.'],
    ['resumed', [{}], '"resumed.0.at" is missing; expected a string.'],
    ['preprocessSec', 'x', '"preprocessSec" is "x"; expected a number of at least 0.'],
    ['intraOpThreads', 1e6, '"intraOpThreads" is 1000000; expected a whole number from 1 to 1024.'],
    ['intraOpThreads', 0, '"intraOpThreads" is 0; expected a whole number from 1 to 1024.'],
    ['seed', '3', '"seed" is "3"; expected a whole number of at least 0.'],
    ['seed', -1, '"seed" is -1; expected a whole number of at least 0.'],
    ['scale', 'huge', '"scale" is "huge"; expected one of smoke, pocket, full.'],
    ['mode', 1, '"mode" is 1; expected one of captured, eager.'],
    ['precision', 'fp8', '"precision" is "fp8"; expected one of fp32, bf16, fp16.'],
    ['xla', 'no', '"xla" is "no"; expected true or false.'],
    ['record', 5, '"record" is 5; expected a string.'],
    ['started', null, '"started" is null; expected a string.'],
    ['versions', [], '"versions" is []; expected an object of versions.'],
    ['environment', { A: 5 }, '"environment.A" is 5; expected a string.'],
    ['checkpoints', 'none', '"checkpoints" is "none"; expected a whole number of at least 0, or'],
    ['experiment', 'demo', '"experiment" is "demo"; expected an object: the experiment.'],
    ['experiment.overrides', 'x=1', '"experiment.overrides" is "x=1"; expected a list.'],
    ['experiment.published', 94, '"experiment.published" is 94; expected an object of published'],
    ['experiment.data.batchSize', 0, '"experiment.data.batchSize" is 0; expected a whole number'],
    ['experiment.net', {}, '"experiment.net.model" is missing'],
    ['experiment.optim.lr', null, '"experiment.optim.lr" is null; expected a number, or a sched'],
  ])('with %s of %j is an error that says so', async (path, value, fault) => {
    const folder = edited(path, value);
    const expected = `run: ${join(folder, 'run.json')}: ${fault}`;
    await expect(readRun(folder)).rejects.toThrow(expected);
    await expect(readPlan(folder)).rejects.toThrow(RunError);
  });
});

describe('log.jsonl', () => {
  test('with an invalid field is an error that names line and field', async () => {
    const folder = folderOf(runJson(run));
    const log = join(folder, 'log.jsonl');
    const fixture = join(__dirname, '../../test/fixtures/runs/first-version/log.jsonl');
    const [line] = readFileSync(fixture, 'utf8').split('\n');
    writeFileSync(log, `${line}\n${line.replace('"acc":0.18', '"acc":"0.18"')}\n`);
    await expect(readRun(folder)).rejects.toThrow(
      `run: line 2 of ${log}: "valid.acc" is "0.18"; expected a number.`,
    );
  });
});

describe('a file of results/', () => {
  const file = join(__dirname, '../../results/demo-pocket-bf16-0-2026-11-23.json');
  const text = readFileSync(file, 'utf8');

  test('is read as a run', () => {
    const read = parseResult(file, text);
    expect(read).toMatchObject({
      name: 'demo',
      scale: 'pocket',
      seed: 0,
      threads: 2,
      machine: 'AMD EPYC, 2 cores, AVX-512 BF16, 24 GB',
      result: { accPercent: 81.39, trainSec: 201.75, imagesPerSec: 984.7 },
    });
    expect(publishedOf(read)?.accPercent).toBe(94.08);
    const json = JSON.parse(text) as object;
    expect(parseResult(file, JSON.stringify({ ...json, pflop: 1.5 })).result?.pflop).toBe(1.5);
  });

  test.each([{ overrides: ['run.epochs=1'] }, { budgetSec: 30 }])(
    'with %j has no published figures',
    (changed) => {
      const json = { ...(JSON.parse(text) as object), ...changed };
      expect(publishedOf(parseResult(file, JSON.stringify(json)))).toBeUndefined();
    },
  );

  test.each<[string, unknown, string]>([
    ['hardware', {}, '"hardware" is {}; expected a string.'],
    ['accPercent', '81', '"accPercent" is "81"; expected a percentage.'],
    ['seed', 'zero', '"seed" is "zero"; expected a whole number'],
    ['date', 5, '"date" is 5; expected a string.'],
    ['pflop', -1, '"pflop" is -1; expected a number of at least 0.'],
    ['xla', 1, '"xla" is 1; expected true or false.'],
    ['device', 'tpu', '"device" is "tpu"; expected one of cpu, gpu.'],
    ['timer', 'own', '"timer" is "own"; expected "dawnbench".'],
    ['divergedIn', 0, '"divergedIn" is 0; expected a whole number of at least 1.'],
  ])('with %s of %j is an error that says so', (key, value, fault) => {
    const json = { ...(JSON.parse(text) as object), [key]: value };
    expect(() => parseResult(file, JSON.stringify(json))).toThrow(`run: ${file}: ${fault}`);
  });
});
