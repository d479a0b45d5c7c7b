import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { overridden } from '../catalogue/override';
import { scaled } from '../catalogue/scale';
import { findAnyRuns, findRuns, isSameRun } from './find-runs';
import type { Wanted } from './find-runs';
import type { Run } from './run';
import { epochRow } from '../../test/epoch-row';

const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-find-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const hardware = { cpu: 'AMD EPYC', cores: 2, memoryBytes: 24 * 2 ** 30, cpuFlags: [], gpus: [] };

/** Writes a run to disk; without an accuracy, one that was stopped after its first epoch. */
function leaveRun(
  folder: string,
  name: string,
  { seed = 0, acc, record = 'demo' }: { seed?: number; acc?: number; record?: string } = {},
): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  const experiment = scaled(findExperiment(record), 'smoke');
  const about = {
    record,
    scale: 'smoke',
    seed,
    started: `2026-11-30T0${seed}:00:00.000Z`,
    mode: 'captured',
    precision: 'fp32',
    intraOpThreads: 1,
    experiment,
    versions: { node: '20.20.2', tensorflow: '2.21.0' },
    hardware,
    algorithms: [],
  };
  const rows = acc === undefined ? [epochRow(1, 0.2)] : [epochRow(1, 0.2), epochRow(2, acc / 100)];
  const result = { epochs: 2, accPercent: acc, loss: 1.5, trainSec: 4, imagesPerSec: 512 };
  writeFileSync(
    join(path, 'run.json'),
    JSON.stringify(acc === undefined ? about : { ...about, result }),
  );
  writeFileSync(join(path, 'log.jsonl'), rows.map((one) => `${JSON.stringify(one)}\n`).join(''));
  return path;
}

const resultFile = {
  record: 'demo',
  scale: 'pocket',
  seed: 7,
  accPercent: 81.39,
  trainSec: 201.75,
  imagesPerSec: 984.7,
  precision: 'bf16',
  hardware: 'AMD EPYC, 2 cores, AVX-512 BF16, 24 GB',
  tensorflow: '2.21.0',
  node: '20.20.2',
  date: '2026-11-23',
};

describe('findRuns', () => {
  test('reads finished and unfinished runs of a folder in natural order, and skips everything else', async () => {
    const folder = join(scratch, 'many');
    for (const seed of [10, 9, 2])
      leaveRun(folder, `demo-smoke-${seed}`, { seed: seed % 10, acc: 20 });
    leaveRun(folder, 'demo-smoke-11');
    mkdirSync(join(folder, 'notes'));
    writeFileSync(join(folder, 'sweep.json'), '{}');
    writeFileSync(join(folder, 'result.json'), JSON.stringify(resultFile));
    const runs = await findRuns([folder, `${join(folder, 'demo-smoke-9')}/`]);
    expect(runs.map(({ path }) => path?.slice(folder.length + 1))).toEqual([
      'demo-smoke-2',
      'demo-smoke-9',
      'demo-smoke-10',
      'demo-smoke-11',
      'result.json',
    ]);
    expect(runs[0]).toEqual({
      path: join(folder, 'demo-smoke-2'),
      name: 'demo',
      scale: 'smoke',
      seed: 2,
      overrides: [],
      mode: 'captured',
      precision: 'fp32',
      xla: false,
      threads: 1,
      machine: 'AMD EPYC, 2 cores, 24 GB',
      hardware,
      versions: { node: '20.20.2', tensorflow: '2.21.0' },
      algorithms: [],
      started: '2026-11-30T02:00:00.000Z',
      experiment: scaled(findExperiment('demo'), 'smoke'),
      rows: [epochRow(1, 0.2), epochRow(2, 0.2)],
      result: { epochs: 2, accPercent: 20, loss: 1.5, trainSec: 4, imagesPerSec: 512 },
    });
    expect(runs[3].result).toBeUndefined();
    expect(runs[4]).toMatchObject({ scale: 'pocket', seed: 7, rows: [], mode: 'captured' });
    expect(runs[4].result).toEqual({ accPercent: 81.39, trainSec: 201.75, imagesPerSec: 984.7 });
  });

  test('a link to a run counts as a run; a broken link is skipped', async () => {
    const folder = join(scratch, 'links');
    mkdirSync(folder);
    leaveRun(join(scratch, 'linked'), 'demo-smoke-4', { seed: 4, acc: 20 });
    symlinkSync(join(scratch, 'linked/demo-smoke-4'), join(folder, 'demo'));
    symlinkSync(join(scratch, 'gone'), join(folder, 'broken'));
    expect(await findRuns([folder])).toMatchObject([{ path: join(folder, 'demo'), seed: 4 }]);
  });

  test('a stored result comes before those that were added after it, so that the latest of a day counts', async () => {
    const folder = join(scratch, 'added');
    mkdirSync(folder);
    for (const name of ['demo-10', 'demo-2', 'demo'])
      writeFileSync(join(folder, `${name}.json`), JSON.stringify(resultFile));
    const runs = await findRuns([folder]);
    expect(runs.map(({ path }) => path?.slice(folder.length + 1))).toEqual([
      'demo.json',
      'demo-2.json',
      'demo-10.json',
    ]);
  });

  test('in a folder of runs, what is damaged or no run is skipped with a notice', async () => {
    const folder = join(scratch, 'mixed');
    const whole = leaveRun(folder, 'demo-smoke-0', { acc: 20 });
    const torn = leaveRun(folder, 'demo-smoke-1', { seed: 1, acc: 20 });
    writeFileSync(join(torn, 'run.json'), '{"record":"demo"}');
    const line = { epoch: 1, record: 'demo', accPercent: 20 };
    const files: Readonly<Record<string, string>> = {
      // What report --json and train --json print.
      'report.json': JSON.stringify({ goal: 94, groups: [{ runs: [{ accPercent: 94 }] }] }),
      'log.json': `${JSON.stringify(line)}\n${JSON.stringify(line)}\n`,
      'dawn.json': JSON.stringify({ record: 'dawn', accPercent: 94.1 }),
      'other.json': '{}',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const notices: string[] = [];
    const onNotice = (text: string): unknown => notices.push(text);
    const runs = await findRuns([folder], { onNotice });
    expect(runs.map(({ path }) => path)).toEqual([whole]);
    expect(await findAnyRuns(folder, { onNotice: () => undefined })).toEqual(runs);
    const no =
      'has an accuracy, but is not one object with "record" and "accPercent", so it is no stored result. Move it elsewhere.';
    expect(notices).toEqual([
      expect.stringContaining(`Skipped: run: ${join(folder, 'dawn.json')}: "scale" is missing;`),
      expect.stringContaining(`Skipped: run: ${join(torn, 'run.json')}: "scale" is missing;`),
      `Skipped: run: ${join(folder, 'log.json')} ${no}`,
      `Skipped: run: ${join(folder, 'report.json')} ${no}`,
    ]);
    // A run or file that is named itself is an error.
    for (const path of [torn, join(folder, 'report.json')])
      await expect(findRuns([path], { onNotice })).rejects.toThrow(RunError);
  });

  test('in a folder of runs, one that cannot be read is skipped with a notice', async () => {
    const folder = join(scratch, 'unreadable');
    const whole = leaveRun(folder, 'demo-smoke-0', { acc: 20 });
    const locked = leaveRun(folder, 'demo-smoke-1', { seed: 1, acc: 20 });
    rmSync(join(locked, 'run.json'));
    symlinkSync('run.json', join(locked, 'run.json'));
    const notices: string[] = [];
    const options = { onNotice: (text: string): unknown => notices.push(text) };
    for (const runs of [await findRuns([folder], options), await findAnyRuns(folder, options)])
      expect(runs.map(({ path }) => path)).toEqual([whole]);
    const notice = `Skipped: run: ${join(locked, 'run.json')} cannot be read: ELOOP`;
    expect(notices).toEqual([1, 2].map(() => expect.stringContaining(notice) as string));
    // A folder that cannot be read is not an empty one.
    symlinkSync('loop', join(folder, 'loop'));
    for (const found of [findRuns([join(folder, 'loop')]), findAnyRuns(join(folder, 'loop'))])
      await expect(found).rejects.toThrow(`run: ${join(folder, 'loop')} cannot be read: ELOOP`);
    expect(await findAnyRuns(join(folder, 'none'))).toEqual([]);
  });

  test('missing, empty and damaged folders are errors', async () => {
    const folder = join(scratch, 'bad');
    mkdirSync(folder);
    await expect(findRuns([join(folder, 'none')])).rejects.toThrow(
      new RunError(
        `report: ${join(folder, 'none')} does not exist. Name the folder of a run, or of several; "cifar10-fast train demo" makes one in runs/.`,
      ),
    );
    await expect(findRuns([folder])).rejects.toThrow(`report: ${folder} has no run`);
    const torn = leaveRun(folder, 'torn', { acc: 20 });
    writeFileSync(join(torn, 'log.jsonl'), '{"epoch":1,"valid"');
    await expect(findRuns([folder])).rejects.toThrow(
      `line 1 of ${join(torn, 'log.jsonl')} is not JSON`,
    );
    writeFileSync(join(torn, 'run.json'), '{"record":"demo"}');
    await expect(findRuns([torn])).rejects.toThrow(
      'run.json: "scale" is missing; expected one of smoke, pocket, full. Correct it, or move it away',
    );
  });
});

describe('isSameRun', () => {
  const experiment = scaled(findExperiment('fastest'), 'full');
  const how = { seed: 0, mode: 'captured', precision: 'bf16', xla: false } as const;
  const wanted = { experiment, ...how, device: 'cpu' } as const;
  const run: Run = {
    ...how,
    name: 'fastest',
    scale: 'full',
    overrides: [],
    started: '2026-11-30',
    machine: 'AMD EPYC, 2 cores, 24 GB',
    device: 'cpu',
    experiment,
    rows: [],
  };
  // A run of 24 epochs and 4 more has the values of one of 28.
  const longer = overridden(experiment, 'run.epochs', 28);
  const extended = { ...longer, overrides: ['run.epochs=24+4'] };
  const continues = { run: 'runs/fastest-full-0', epochs: 24, accPercent: 94 };

  test.each<readonly [what: string, isSame: boolean, run: Run, wanted: Wanted]>([
    ['the same settings', true, run, wanted],
    ['a device that was not stored', true, omitted(run, 'device'), wanted],
    ['--budget 30s', false, { ...run, budget: { seconds: 30, spentSec: 4 } }, wanted],
    ['the GPU', false, { ...run, device: 'gpu' }, wanted],
    [
      'a GPU machine, device not stored',
      false,
      { ...omitted(run, 'device'), machine: 'Xeon, 16 cores, 126 GB, NVIDIA H200 (driver 580.1)' },
      wanted,
    ],
    ['28 epochs', true, { ...run, experiment: longer }, { ...wanted, experiment: longer }],
    [
      '24 epochs and 4 more',
      false,
      { ...run, experiment: extended, continues },
      { ...wanted, experiment: longer },
    ],
  ])('with %s: %j', (_, isSame, own, other) => {
    expect(isSameRun(own, other)).toBe(isSame);
  });
});

function omitted(run: Run, key: keyof Run): Run {
  const { [key]: _, ...rest } = run;
  return rest as Run;
}
