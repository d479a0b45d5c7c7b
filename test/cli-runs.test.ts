import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue, findExperiment } from '../src/catalogue/catalogue';
import { fieldsOf } from '../src/catalogue/fields';
import { cliIn, linkLibrary } from './cli-process';

/** `runs`, `show`, `list` and `report --open` as processes, on runs that an early version stored. */
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-cli-runs-'));
const { cli } = cliIn(scratch);
const long = 180_000;
const fixture = resolve(__dirname, 'fixtures/runs/first-version');
const runs = join(scratch, 'runs');
const quiet = { wallSec: 10, cpuSec: 19, othersSec: 0.2, cores: 2 };

/** Stores a changed copy of the run. */
function leave(name: string, change: (run: Run) => object): void {
  cpSync(fixture, join(runs, name), { recursive: true });
  const file = join(runs, name, 'run.json');
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')) as Run)));
}
interface Run {
  readonly result: object;
  readonly experiment: { readonly optim: object };
}

beforeAll(() => {
  linkLibrary(scratch);
  leave('demo-smoke-0', (run) => ({ ...run, load: quiet }));
  leave('demo-smoke-1', ({ experiment, ...run }) => ({
    ...run,
    seed: 1,
    experiment: {
      ...experiment,
      optim: { ...experiment.optim, momentum: 0.8 },
      overrides: ['optim.momentum=0.8'],
    },
    load: { wallSec: 10, cpuSec: 12, othersSec: 7, cores: 2 },
  }));
  leave('demo-smoke-2', (finished) => {
    const { result: _, ...run } = finished;
    return { ...run, seed: 2, started: '2026-11-28T10:00' };
  });
}, long);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('runs list', () => {
  test('prints one line per run, and omits the times of a disturbed run with a note', async () => {
    const { code, stdout } = await cli(['runs']);
    expect(code).toBe(0);
    const [titles, ...lines] = stdout.trimEnd().split('\n');
    expect(titles.split(/ {2,}/)).toEqual(
      'run,status,epochs,test %,training s,images/s,precision,started,MB,changed'.split(','),
    );
    expect(lines.slice(0, 3).map((line) => line.split(/ {2,}/).slice(0, 6))).toEqual([
      ['demo-smoke-0', 'finished', '2/2', '21.10', '3.2', '640'],
      ['demo-smoke-1', 'finished', '2/2', '21.10', '-', '-'],
      ['demo-smoke-2', 'stopped', '2/2', '-', '-', '-'],
    ]);
    expect(lines[1]).toMatch(/ optim\.momentum=0\.8$/);
    expect(lines.at(-1)).toBe(
      'Times of 1 run are excluded because other programs used more than 5 % of the processor, or an unknown share: demo-smoke-1.',
    );
  });

  test.each([
    ['--status stopped', ['demo-smoke-2']],
    ['--status finished --scale smoke', ['demo-smoke-0', 'demo-smoke-1']],
    ['--since 2026-11-28', ['demo-smoke-2']],
    ['--experiment post', []],
    ['--scale full', []],
  ])('%s', async (flags, names) => {
    const { stdout } = await cli(['runs', 'list', ...flags.split(' '), '--json']);
    const found = JSON.parse(stdout) as { readonly runs: readonly { readonly folder: string }[] };
    expect(found.runs.map(({ folder }) => folder)).toEqual(names);
  });
});

describe('runs compare', () => {
  test('shows runs side by side, and how their experiments differ', async () => {
    const { code, stdout } = await cli(['runs', 'compare', 'demo-smoke-0', 'demo-smoke-1']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^seed +3 +1$/m);
    expect(stdout).toMatch(/^test accuracy % +21\.10 +21\.10$/m);
    expect(stdout).toMatch(/^others % +1\.0 +35\.0$/m);
    expect(stdout).toMatch(/^differs +demo-smoke-0 +demo-smoke-1$/m);
    expect(stdout).toMatch(/^optim\.momentum +0\.9 +0\.8$/m);
    expect(stdout).not.toMatch(/^data\.batchSize/m);
    expect(stdout).toMatch(/^2 +21\.10 +21\.10$/m);
    expect(stdout).toContain(
      'Times of demo-smoke-1 do not count: other programs used more than 5 % of the processor',
    );
    const three = await cli(
      'runs compare demo-smoke-0 demo-smoke-1 demo-smoke-2 --json'.split(' '),
    );
    expect(JSON.parse(three.stdout)).toMatchObject({
      runs: [{ seed: 3 }, { seed: 1 }, { seed: 2 }],
      differs: [{ path: 'optim.momentum', values: ['0.9', '0.8', '0.9'] }],
    });
  });
});

describe('a page of a run', () => {
  const bin = join(scratch, 'bin');
  const opened = join(scratch, 'opened');
  beforeAll(() => {
    mkdirSync(bin);
    writeFileSync(join(bin, 'xdg-open'), `#!/bin/sh\necho "$1" > ${opened}\n`, { mode: 0o755 });
  });

  test.each([
    ['runs open demo-smoke-0', 'runs/demo-smoke-0/report.html'],
    ['report runs/demo-smoke-0 --open', 'runs/demo-smoke-0/report.html'],
    ['report runs --open', 'runs/report.html'],
    ['report runs --open -o elsewhere.html', 'elsewhere.html'],
  ])('%s writes the page and opens it', async (line, page) => {
    const env = { PATH: `${bin}:${process.env['PATH']}`, BROWSER: '' };
    const { code } = await cli(line.split(' '), { env });
    expect(code).toBe(0);
    expect(readFileSync(opened, 'utf8').trim()).toBe(pathToFileURL(join(scratch, page)).href);
    expect(readFileSync(join(scratch, page), 'utf8')).toContain('<h2>Test accuracy</h2>');
  });

  test('without a browser, prints the address of the page', async () => {
    const env = { PATH: '/nowhere', BROWSER: 'no-such-browser' };
    const { code, stderr } = await cli(['runs', 'open', 'demo-smoke-0'], { env });
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `No browser could be started here. The page: ${pathToFileURL(join(runs, 'demo-smoke-0/report.html')).href}\n`,
    });
  });
});

describe('runs delete', () => {
  test('without --yes, only lists what it would delete', async () => {
    leave('gone', (run) => run);
    const asked = await cli(['runs', 'delete', 'gone']);
    expect(asked).toMatchObject({ code: 2, stdout: 'runs/gone\n' });
    expect(asked.stderr).toMatch(/nothing was deleted \(1 run, \d+\.\d MB\)\. Add --yes/);
    expect(existsSync(join(runs, 'gone'))).toBe(true);
    expect(await cli(['runs', 'delete', 'gone', '--yes'])).toMatchObject({ code: 0, stderr: '' });
    expect(existsSync(join(runs, 'gone'))).toBe(false);
  });

  test('deletes a run once, however often and in whatever way it is named', async () => {
    leave('again', (run) => run);
    leave('other', (run) => run);
    const names = ['again', 'again/', 'runs/again', join(runs, 'again'), 'other'];
    const { code, stdout, stderr } = await cli(['runs', 'delete', ...names, '--yes']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^2 runs, \d+\.\d MB$/m);
    expect(['again', 'other'].some((name) => existsSync(join(runs, name)))).toBe(false);
  });

  test('deletes nothing if one folder is no run, is unfinished or holds foreign files', async () => {
    leave('whole', (run) => run);
    mkdirSync(join(scratch, 'thesis'), { recursive: true });
    writeFileSync(join(scratch, 'thesis/chapter.tex'), 'mine');
    for (const other of ['thesis', 'demo-smoke-2', '..', '/']) {
      const before = readdirSync(runs);
      const { code } = await cli(['runs', 'delete', 'whole', other, '--yes']);
      expect({ other, code }).toEqual({ other, code: 1 });
      expect(readdirSync(runs)).toEqual(before);
    }
    expect(readFileSync(join(scratch, 'thesis/chapter.tex'), 'utf8')).toBe('mine');
    const forced = await cli('runs delete demo-smoke-2 whole --unfinished --yes'.split(' '));
    expect(forced.code).toBe(0);
    expect(readdirSync(runs)).not.toContain('demo-smoke-2');
  });
});

describe('show', () => {
  test('prints every path that --set takes, with value, unit and meaning', async () => {
    const { code, stdout } = await cli(['show', 'demo', '--scale', 'full']);
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    for (const { path, meaning } of fieldsOf(findExperiment('demo'))) {
      const line = lines.find((each) => each.startsWith(`${path} `));
      expect(line?.endsWith(meaning)).toBe(true);
    }
    expect(stdout).toMatch(/^run\.epochs +24 epochs +length of the run; /m);
    expect(stdout).toMatch(/^optim\.lr +0 → 0\.4 at 5 → 0 at 24 +learning rate/m);
    expect(stdout).toMatch(/^optim\.ema +- +moving average/m);
  });

  test('takes a scale, overrides and a section', async () => {
    const line = 'show demo run --scale smoke --epochs 7 --json';
    const { record, scale, overrides, fields } = JSON.parse(
      (await cli(line.split(' '))).stdout,
    ) as {
      readonly record: string;
      readonly scale: string;
      readonly overrides: readonly string[];
      readonly fields: readonly { readonly path: string; readonly value?: unknown }[];
    };
    expect({ record, scale, overrides }).toEqual({
      record: 'demo',
      scale: 'smoke',
      overrides: ['run.epochs=7'],
    });
    expect(fields.map(({ path }) => path.split('.')[0])).toEqual(fields.map(() => 'run'));
    expect(fields.find(({ path }) => path === 'run.epochs')?.value).toBe(7);
  });
});

describe('list', () => {
  test('TEXT filters by name, title or notebook', async () => {
    const { stdout } = await cli(['list', 'Post4-Final', '--json']);
    const { records, perNotebook } = JSON.parse(stdout) as {
      readonly records: readonly { readonly name: string }[];
      readonly perNotebook: object;
    };
    expect(records.map(({ name }) => name)).toEqual(
      [...catalogue.keys()].filter((name) => name.startsWith('post4-final')),
    );
    expect(perNotebook).toEqual({ experiments: records.length });
  });

  test(
    '--time prints how long each takes here: measured, or from the runs of this machine',
    async () => {
      const folder = mkdtempSync(join(scratch, 'time-'));
      const list = 'list post4-conv-3x3 --time --scale smoke'.split(' ');
      const measured = await cli(list, { cwd: folder });
      expect(measured.code).toBe(0);
      expect(measured.stdout).toMatch(/; here about \d+:\d\d at smoke scale$/m);
      const info = JSON.parse((await cli(['info', '--json'])).stdout) as {
        readonly hardware: object;
        readonly fastestPrecision: string;
      };
      const path = join(folder, 'runs/post4-conv-3x3-smoke-0');
      cpSync(fixture, path, { recursive: true });
      const file = join(path, 'run.json');
      const run = JSON.parse(readFileSync(file, 'utf8')) as Run;
      const finished = {
        ...run,
        record: 'post4-conv-3x3',
        hardware: info.hardware,
        precision: info.fastestPrecision,
        result: { ...run.result, trainSec: 754.4 },
        load: quiet,
      };
      writeFileSync(file, JSON.stringify(finished));
      expect((await cli(list, { cwd: folder })).stdout).toMatch(/; here 12:34 at smoke scale$/m);
      // A run that shared the processor does not count.
      const load = { wallSec: 10, cpuSec: 12, othersSec: 7, cores: 2 };
      writeFileSync(file, JSON.stringify({ ...finished, load }));
      expect((await cli(list, { cwd: folder })).stdout).toMatch(/; here about \d+:\d\d at/m);
    },
    2 * long,
  );
});
