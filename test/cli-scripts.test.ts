import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchFolder } from '../src/data/cache';
import { cliHere } from './cli-here';
import { cliIn, linkLibrary, jsonLines } from './cli-process';
import { fixed } from '../src/text/fixed';

/** The study's two scripts as commands, and experiments with overrides: processes on CIFAR-10 from the cache. */
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-scripts-'));
const { cli } = cliIn(scratch);
const long = 180_000;

beforeAll(() => linkLibrary(scratch), long);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Row {
  readonly epoch: number;
  readonly train: { readonly time: number; readonly loss: number; readonly acc: number };
  readonly valid: { readonly time: number; readonly loss: number; readonly acc: number };
  readonly 'total time': number;
}

const figures = (rows: readonly Row[]): unknown[] =>
  rows.map(({ epoch, train, valid }) => [epoch, train.loss, train.acc, valid.loss, valid.acc]);

/** `logs.tsv` in DAWNBench's format. */
const logOf = (rows: readonly Row[]): string =>
  [
    'epoch\thours\ttop1Accuracy',
    ...rows.map(
      ({ epoch, valid, 'total time': total }) =>
        `${epoch}\t${(total / 3600).toFixed(8)}\t${(100 * valid.acc).toFixed(2)}`,
    ),
  ].join('\n');

const title =
  '       epoch   train time   train loss    train acc   valid time   valid loss    valid acc   total time';
const seconds = expect.stringMatching(/^Finished in \d+(\.\d+)? seconds$/) as string;

describe.each(['dawn', 'new-dawn'])('%s', (name) => {
  const logDir = join(scratch, name, 'logs');

  test(
    'prints what the script of the study prints, and writes its log',
    async () => {
      const { code, stdout, stderr } = await cli([
        name,
        '--scale',
        'smoke',
        '--data_dir',
        batchFolder(),
        '--log_dir',
        logDir,
      ]);
      expect(code).toBe(0);
      const all = stdout.trimEnd().split('\n');
      const lines = all.slice(0, all.indexOf(''));
      expect(lines).toEqual([
        'Loading CIFAR-10',
        'Warming up on random inputs',
        'Starting timer',
        'Preprocessing training data',
        seconds,
        'Preprocessing test data',
        seconds,
        title,
        expect.stringMatching(/^ {11}1( +\d+\.\d{4}){7}$/),
        expect.stringMatching(/^ {11}2( +\d+\.\d{4}){7}$/),
      ]);
      expect(stderr).toMatch(
        new RegExp(
          // A slow machine also prints progress.
          `^${name}, smoke scale: about \\d+:\\d\\d for 2 epochs on .+, (fp32|bf16|fp16)\n(epoch \\d/2 .+\n)*$`,
        ),
      );
      const accuracy = Number(lines.at(-1)?.trim().split(/ +/)[6]);
      const total = Number(lines.at(-1)?.trim().split(/ +/)[7]);
      expect(all.slice(lines.length).filter((line) => !line.startsWith('other programs'))).toEqual([
        '',
        `test accuracy ${fixed(100 * accuracy, 2)} %, ${total.toFixed(1)} s by DAWNBench's rule ` +
          '(preprocessing counted, validation not)',
        `kept in ${join(logDir, `${name}-smoke-0`)}, log also in ${join(logDir, 'logs.tsv')}`,
      ]);
      // The log holds the last two columns of the table.
      const log = readFileSync(join(logDir, 'logs.tsv'), 'utf8');
      for (const [index, line] of log.split('\n').slice(1).entries()) {
        const [epoch, hours, percent] = line.split('\t').map(Number);
        const cells = lines[lines.length - 2 + index].trim().split(/ +/).map(Number);
        expect([epoch, 3600 * hours, percent / 100]).toEqual([
          cells[0],
          expect.closeTo(cells[7], 3),
          expect.closeTo(cells[6], 3),
        ]);
      }
      expect(log).not.toMatch(/\n$/);
    },
    long,
  );

  test(
    '--json prints a line per epoch and one for the run; time counts training and preprocessing, not validation',
    async () => {
      const flags = '--scale smoke --json --seed 3 --precision fp32 --log-dir'.split(' ');
      const { code, stdout } = await cli([name, ...flags, logDir]);
      expect(code).toBe(0);
      const lines = jsonLines(stdout);
      const rows = lines.slice(0, 2) as Row[];
      const whole = lines[2] as { readonly preprocessSec: number };
      const [one, two] = rows;
      expect(one['total time']).toBeCloseTo(whole.preprocessSec + one.train.time, 9);
      expect(two['total time']).toBeCloseTo(one['total time'] + two.train.time, 9);
      expect(whole).toEqual({
        record: name,
        scale: 'smoke',
        seed: 3,
        mode: 'captured',
        precision: 'fp32',
        accPercent: 100 * two.valid.acc,
        totalSec: two['total time'],
        preprocessSec: expect.any(Number) as number,
        load: expect.objectContaining({ cores: expect.any(Number) as number }) as object,
        folder: join(logDir, `${name}-smoke-3`),
        log: join(logDir, 'logs-2.tsv'),
      });
      expect(whole.preprocessSec).toBeGreaterThan(0);
      expect(readFileSync(join(logDir, 'logs-2.tsv'), 'utf8')).toBe(logOf(rows));
      // It is a run like any other: it is listed, predicts and has its own log.
      const folder = join(logDir, `${name}-smoke-3`);
      expect(readFileSync(join(folder, 'logs.tsv'), 'utf8')).toBe(logOf(rows));
      const listed = await cli(['runs', '--log-dir', logDir, '--json']);
      expect(JSON.parse(listed.stdout)).toMatchObject({
        runs: [
          { folder: `${name}-smoke-0`, status: 'finished' },
          {
            folder: `${name}-smoke-3`,
            status: 'finished',
            result: { trainSec: two['total time'] },
          },
        ],
      });
      expect((await cli(['predict', folder, '--test-image', '0'])).code).toBe(0);

      // The same experiment with `train`: the training is the same, the time is counted differently.
      const trained = await cli(['train', name, ...flags, join(scratch, 'runs')]);
      expect(trained.code).toBe(0);
      expect(figures(jsonLines(trained.stdout).slice(0, 2) as Row[])).toEqual(figures(rows));
    },
    long,
  );
});

describe('the scripts, when something goes wrong', () => {
  test(
    'Ctrl-C stops after the step with exit code 130; the run is kept and can be resumed',
    async () => {
      const cwd = mkdtempSync(join(scratch, 'interrupted-'));
      const { code, stdout, stderr } = await cli(['dawn', '--scale', 'smoke', '--json'], {
        cwd,
        interruptAt: /\n/,
      });
      expect(code).toBe(130);
      const folder = join(cwd, 'runs/dawn-smoke-0');
      expect(stderr).toMatch(
        new RegExp(
          'Stopping after this step; press Ctrl-C again to stop immediately\\.\ntrain: stopped in epoch 2, before step \\d+ of \\d+ \\(\\w+\\)\\. ' +
            `Everything trained so far is kept\\. Resume with: npx cifar10-fast train --resume ${folder}\n$`,
        ),
      );
      const [row] = jsonLines(stdout) as Row[];
      expect(readFileSync(join(folder, 'logs.tsv'), 'utf8')).toBe(logOf([row]));
      expect(existsSync(join(cwd, 'logs.tsv'))).toBe(false);
      const resumed = await cli(['train', '--resume', folder, '--json']);
      expect(resumed.code).toBe(0);
      const [one, two] = jsonLines(resumed.stdout) as Row[];
      expect(one).toMatchObject(row);
      expect(two['total time']).toBeCloseTo(row['total time'] + two.train.time, 6);
    },
    long,
  );

  test('a --log-dir that is a file is an error before anything is read or trained', async () => {
    const file = join(scratch, 'a-file');
    writeFileSync(file, 'mine');
    const { code, stdout, stderr } = await cli(['dawn', '--log_dir', file]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      `cifar10-fast: run: ${file} cannot be written: EEXIST: file already exists. ` +
        `Point --log-dir at a writable path, or make ${scratch} writable.\n`,
    );
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('a --data-dir that does not exist is an error; no log is left', async () => {
    const logDir = join(scratch, 'no-data');
    const missing = join(scratch, 'missing');
    const { code, stdout, stderr } = await cli([
      'new-dawn',
      '--data-dir',
      missing,
      '--log-dir',
      logDir,
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'Loading CIFAR-10\n' });
    expect(stderr).toContain(
      `${missing} does not exist. Point --data-dir at a folder that exists.`,
    );
    expect(existsSync(join(logDir, 'logs.tsv'))).toBe(false);
  });

  test.each([
    ['dawn --sacle smoke', 'dawn: unknown flag --sacle. Nearest: "--scale".'],
    ['dawn more', 'dawn: "more" is one argument too many. Usage: cifar10-fast dawn [flags]'],
    ['newdawn', 'unknown command "newdawn". Nearest: "new-dawn".'],
    ['dawn --scale half', '--scale "half" is not one of smoke, pocket, full.'],
    [
      'train demo --set optim.lrr=1',
      'experiment "demo" has no "optim.lrr" to change. Nearest: "optim.lr".',
    ],
    ['train demo --set', '--set needs a value: --set PATH=VALUE.'],
    ['train demo --set optim.lr', 'override "optim.lr" is not PATH=VALUE.'],
    [
      'train demo --set data.batchSize=0',
      '"data.batchSize" is 0; expected a whole number of at least 1.',
    ],
  ])('%s is wrong usage', async (line, message) => {
    const { code, stdout, stderr } = await cliHere(line.split(' '), scratch);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('train --set', () => {
  test(
    'overrides the experiment at its scale, and stores the overrides with the run',
    async () => {
      const runs = join(scratch, 'set');
      const overrides = [
        'optim.lr=0.1',
        'net.channels.prep=6',
        'data.batchSize=128',
        'run.epochs=1',
        'run.finalTta=true',
      ];
      const { code, stdout } = await cli([
        'train',
        'post7-no-norm',
        '--scale',
        'smoke',
        '--log-dir',
        runs,
        ...overrides.flatMap((change) => ['--set', change]),
      ]);
      expect(code).toBe(0);
      const [headline, changed] = stdout.split('\n');
      expect(headline).toMatch(
        /^post7-no-norm, smoke scale: 1 epoch of 256 images, batch 128, widths 6\/8\/16\/32, /,
      );
      expect(changed).toBe(`changed: ${overrides.join(', ')}`);
      expect(stdout).toMatch(/^test accuracy \d+\.\d\d % \(\d+\.\d\d % with mirror images\), /m);
      const about: unknown = JSON.parse(
        readFileSync(join(runs, 'post7-no-norm-smoke-0/run.json'), 'utf8'),
      );
      expect(about).toMatchObject({
        record: 'post7-no-norm',
        experiment: {
          overrides,
          scale: 'smoke',
          net: { channels: { prep: 6, layer1: 8 } },
          data: { batchSize: 128 },
          optim: { lr: { vals: [0, 0.1, 0] } },
          run: { epochs: 1 },
        },
        result: { tta: { accPercent: expect.any(Number) as number } },
      });
    },
    long,
  );

  test(
    'an experiment that may diverge ends successfully with the rows so far',
    async () => {
      const runs = join(scratch, 'diverged');
      const stress = ['train', 'post7-stress-no-norm', '--scale', 'smoke', '--log-dir', runs];
      const rates = 'optim.lr={"knots":[0,1,1.01],"vals":[0.01,0.01,1e9]}';
      const { code, stdout } = await cli([...stress, '--json', '--set', rates]);
      expect(code).toBe(0);
      const lines = jsonLines(stdout);
      expect(lines).toHaveLength(2);
      expect(lines[1]).toMatchObject({ divergedIn: 2 });

      const other = ['train', 'post7-no-norm', '--scale', 'smoke', '--log-dir', runs];
      const failed = await cli([...other, '--set', rates]);
      expect(failed.code).toBe(1);
      expect(failed.stderr).toMatch(/the loss became NaN or infinite in epoch 2, step \d+/);
    },
    long,
  );
});
