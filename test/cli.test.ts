import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchFolder } from '../src/data/cache';
import { cliHere } from './cli-here';
import { cliIn, linkLibrary, jsonLines } from './cli-process';
import type { Outcome } from './cli-process';
import { blocksOf, pattern, saidIn, sectionsOf } from './markdown';

/**
 * The command line, as its user meets it: processes with arguments, two streams and an exit code.
 *
 * Training reads CIFAR-10 from the cache that set-up fills.
 */
const root = resolve(__dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-cli-'));
const { main, run, cli } = cliIn(scratch);
const long = 180_000;

/** Runs the command line on a terminal; `stdout` is then everything that the terminal was sent. */
function onTerminal(
  columns: number,
  interruptAt: string,
  args: readonly string[],
): Promise<Outcome> {
  const driver = join(__dirname, 'terminal.py');
  return run('python3', [driver, String(columns), interruptAt, process.execPath, main, ...args]);
}

/** What a terminal shows in the end of what it was sent. Only the sequences that the display is to use are known. */
function screen(sent: string): string[] {
  const lines = [''];
  let column = 0;
  // eslint-disable-next-line no-control-regex
  for (const [piece] of sent.matchAll(/\x1b\[2K|\r|\n|[^\x1b\r\n]+|\x1b/g)) {
    const last = lines.length - 1;
    if (piece === '\r') column = 0;
    else if (piece === '\n') lines.push('');
    else if (piece === '\x1b[2K') lines[last] = '';
    else if (piece === '\x1b') throw new Error(`an unknown escape in ${JSON.stringify(sent)}`);
    else {
      const before = lines[last].padEnd(column);
      lines[last] = before.slice(0, column) + piece + before.slice(column + piece.length);
      column += piece.length;
    }
  }
  return lines.map((line) => line.trimEnd());
}

/** A line about other programs, as a run prints it on a busy machine. */
const isBusy = (line: string): boolean => line.startsWith('other programs used ');
const printed = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !isBusy(line))
    .join('\n');

interface Row {
  readonly epoch: number;
  readonly lr: number;
  readonly train: { readonly time: number; readonly loss: number; readonly acc: number };
  readonly valid: { readonly time: number; readonly loss: number; readonly acc: number };
  readonly 'total time': number;
}

const smoke = (logDir: string, ...more: string[]): string[] => [
  'train',
  'demo',
  '--scale',
  'smoke',
  '--log-dir',
  logDir,
  ...more,
];
const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');
const rowsIn = (folder: string): Row[] => jsonLines(read(folder, 'log.jsonl')) as Row[];

/** What the same seed must give again: everything but the times. */
const figures = (rows: readonly Row[]): unknown[] =>
  rows.map(({ epoch, lr, train, valid }) => [
    epoch,
    lr,
    train.loss,
    train.acc,
    valid.loss,
    valid.acc,
  ]);

/** Every file of a folder, with what it holds and when it was written. */
function contents(folder: string): Record<string, unknown> {
  const files = readdirSync(folder).map((name) => {
    return [name, [statSync(join(folder, name)).mtimeMs, read(folder, name)]] as const;
  });
  return { '.': statSync(folder).mtimeMs, ...Object.fromEntries(files) };
}

beforeAll(() => linkLibrary(scratch), long);

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('help', () => {
  test('of the program and of every command it names', async () => {
    const whole = await cli(['--help']);
    expect(whole).toMatchObject({ code: 0, stderr: '' });
    await expect(whole.stdout).toMatchFileSnapshot('output/help.txt');
    const names = [...whole.stdout.matchAll(/^ {2}(\S+) {2,}/gm)].map((match) => match[1]);
    expect(names).toEqual(
      expect.arrayContaining(['train', 'runs', 'show', 'list', 'draw', 'data', 'info']),
    );
    for (const name of names) {
      const { code, stdout, stderr } = await cliHere([name, '--help'], scratch);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      await expect(stdout).toMatchFileSnapshot(`output/help-${name}.txt`);
    }
  });

  test('is what "help", "-h" and no command at all give; the last is wrong usage', async () => {
    const { stdout } = await cli(['--help']);
    expect(await cli(['help'])).toEqual({ code: 0, stdout, stderr: '' });
    expect(await cli(['-h'])).toEqual({ code: 0, stdout, stderr: '' });
    expect(await cli([])).toEqual({ code: 2, stdout, stderr: '' });
    const list = await cli(['list', '--help']);
    expect(list).toMatchObject({ code: 0, stderr: '' });
    for (const flag of ['--help', '-h'])
      expect(await cliHere(['list', flag], scratch)).toEqual(list);
  });

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(read(root, 'package.json')) as { readonly version: string };
    expect(await cli(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('wrong usage ends with code 2, one line that says what to do, and nothing done', () => {
  test.each([
    ['trian demo', 'unknown command "trian". Nearest: "train". "cifar10-fast --help" lists them.'],
    ['train', 'train: EXPERIMENT is missing. Usage: cifar10-fast train [EXPERIMENT] [flags]'],
    [
      'train demo more',
      'train: "more" is one argument too many. Usage: cifar10-fast train [EXPERIMENT] [flags]',
    ],
    ['train dmeo', 'experiment "dmeo" does not exist. Nearest: "demo".'],
    ['draw dmeo', 'experiment "dmeo" does not exist. Nearest: "demo".'],
    [
      'train demo --sacle smoke',
      'train: there is no flag --sacle. Nearest: "--scale". "cifar10-fast train --help"',
    ],
    ['train demo --data_dri x', 'train: there is no flag --data_dri. Nearest: "--data-dir".'],
    [
      'train demo -seed 1',
      'train: there is no flag -seed; long names have two dashes. Nearest: "--seed".',
    ],
    [
      'train demo --scale smok',
      '--scale "smok" is not one of smoke, pocket, full. Nearest: "smoke".',
    ],
    ['train fastest --budget soon', '--budget "soon" is not a time. Give one as in --budget 5m'],
    ['train fastest --at-most 0m', '--at-most "0m" is not a time. Give one as in --at-most 5m'],
    ['train fastest --to 101', '--to "101" is not a percentage. Give one, as in --to 94.'],
    ['train fastest --budget 5m --to 94', '--budget and --to both decide how long the run is.'],
    [
      'train --resume x --budget 5m',
      'train: --resume reads everything that decides the run from x; leave out --budget.',
    ],
    ['train demo --precision fp64', '--precision "fp64" is not one of auto, fp32, bf16, fp16.'],
    ['train demo --eager --precision bf16', '--eager computes in fp32 only'],
    ['train demo --eager --xla', '--xla compiles the captured step; leave out --eager.'],
    [
      'train demo --seed ten',
      '--seed "ten" is not a whole number of at least 0. Give one, as in --seed 0.',
    ],
    ['train demo --seed -1', '--seed "-1" is not a whole number of at least 0.'],
    ['train demo --seed 1.5', '--seed "1.5" is not a whole number of at least 0.'],
    ['train demo --seed 0x10', '--seed "0x10" is not a whole number of at least 0.'],
    [
      'train demo --seed 9007199254740993',
      '--seed "9007199254740993" is above 2^53 - 1, the largest number that counts exactly.',
    ],
    ['train demo --seed', '--seed needs a value: --seed N.'],
    ['train demo --seed=', '--seed needs a value: --seed N.'],
    [
      'train demo --resume runs/demo-smoke-0',
      'train: --resume reads everything that decides the run from runs/demo-smoke-0; leave out demo.',
    ],
    [
      'train --resume=a --seed 1',
      'train: --resume reads everything that decides the run from a; leave out --seed.',
    ],
    [
      'train --resume a --eager',
      'train: --resume reads everything that decides the run from a; leave out --eager.',
    ],
    [
      'train --resume a --set run.epochs=3',
      'train: --resume reads everything that decides the run from a; leave out --set.',
    ],
    ['train demo --epochs +4', '--epochs +4 adds to a finished run. Name it, as in --resume'],
    ['train demo --lr fast', '--lr "fast" is not a number above 0. Give one, as in --lr 0.4.'],
    [
      'train demo --batch-size 1.5',
      'override: "data.batchSize" is 1.5; expected a whole number of at least 1',
    ],
    [
      'train --resume a --epochs 28',
      '--epochs "28" is not how many epochs to add. With --resume, give it as in --epochs +4.',
    ],
    [
      'train --resume a --epochs +4 --inexact',
      '--inexact is for a run that continues bit by bit; --epochs +N makes a new one.',
    ],
    ['train demo --lrr 1', 'train: there is no flag --lrr. Nearest: "--lr".'],
    ['train demo --qq', 'train: there is no flag --qq. "cifar10-fast train --help" lists them.'],
    [
      'train demo --set net.model=dawn',
      'override: "net.model" of experiment "demo" is resnet9 and stays so: other networks have other values.',
    ],
    ['show demo optmi', 'show: experiment "demo" has no "optmi". Nearest: "optim".'],
    ['list nonsense', 'list: no experiment has "nonsense" in its name, title or notebook.'],
    ['list --scale smoke', 'list: --scale is for --time. Add that, or leave out --scale.'],
    ['runs lst', 'runs: there is no "lst", only list, compare, open, delete. Nearest: "list".'],
    ['runs compare one', 'runs compare: give two runs or more: cifar10-fast runs compare RUN RUN.'],
    ['runs delete', 'runs delete: give the runs: cifar10-fast runs delete RUN… --yes.'],
    [
      'runs list --since monday',
      '--since "monday" is not a day. Give one, as in --since 2026-11-23.',
    ],
    ['train demo --inexact', '--inexact needs --resume FOLDER.'],
    [
      'train demo --checkpoints few',
      '--checkpoints "few" is not a whole number of at least 0. Give one, as in --checkpoints 2.',
    ],
    ['train demo --log-dir --json', '--log-dir needs a value: --log-dir DIR.'],
    ['data --verify=yes', '--verify takes no value; write it alone.'],
    [
      'draw demo --output net.png',
      '--output "net.png" ends neither in .svg nor in .dot. Give one that does.',
    ],
    ['list --jsn', 'list: there is no flag --jsn. Nearest: "--json".'],
    ['info now', 'info: "now" is one argument too many. Usage: cifar10-fast info [flags]'],
  ])('%s', async (line, message) => {
    const cwd = mkdtempSync(join(scratch, 'usage-'));
    const { code, stdout, stderr } = await cliHere(line.split(' '), cwd);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`cifar10-fast: ${message}`);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

test('wrong usage ends a process with code 2, too', async () => {
  const line = ['train', 'dmeo'];
  const outcome = await cli(line);
  expect(outcome).toMatchObject({ code: 2, stdout: '' });
  expect(outcome).toEqual(await cliHere(line, scratch));
});

const broken = [...sectionsOf(read(root, 'docs/errors.md'))].flatMap(([name, text]) => {
  const [example] = blocksOf(text);
  const isOurs = example?.language === 'sh' && example.text.startsWith('npx cifar10-fast ');
  const [command] = example?.text.split('\n') ?? [];
  return isOurs ? [{ name, command, message: saidIn(example.text) }] : [];
});

describe('docs/errors.md', () => {
  test.each(broken)(
    '$name: the broken command says what is shown',
    async ({ command, message }) => {
      const { code, stdout, stderr } = await cli(command.split(' ').slice(2));
      expect({ code: code === 1 || code === 2, stdout }).toEqual({ code: true, stdout: '' });
      expect(stderr.trim()).toMatch(pattern(message));
    },
  );

  test('shows a command for everything that one can go wrong with before it trains', () => {
    expect(broken.map(({ name }) => name)).toEqual([
      'UsageError',
      'DataError',
      'ExperimentError',
      'RunError',
      'KernelError',
    ]);
  });
});

describe('list, info, draw', () => {
  test('list shows every record under its notebook, with --json as it is', async () => {
    const { code, stdout, stderr } = await cli(['list', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { records, perNotebook } = JSON.parse(stdout) as {
      readonly records: readonly { name: string; title: string; notebook: string }[];
      readonly perNotebook: Readonly<Record<string, number>>;
    };
    expect(records.find(({ name }) => name === 'demo')).toMatchObject({
      net: { model: 'resnet9', channels: { prep: 64, layer3: 512 } },
      data: {
        batchSize: 512,
        transforms: [{ kind: 'crop' }, { kind: 'flip-lr' }, { kind: 'cutout' }],
      },
      optim: { rule: 'nesterov-a' },
      run: { epochs: 24 },
      published: { accPercent: 94.08, timeSec: 79 },
    });
    const study = JSON.parse(read(root, 'test/fixtures/study.json')) as {
      readonly notebooks: Readonly<Record<string, readonly { readonly trainings: number }[]>>;
    };
    for (const [notebook, rows] of Object.entries(study.notebooks)) {
      const trainings = rows.reduce((sum, row) => sum + row.trainings, 0);
      expect({ notebook, count: perNotebook[notebook] }).toEqual({ notebook, count: trainings });
    }
    const text = (await cli(['list'])).stdout;
    expect(text).not.toMatch(/undefined|NaN|null/);
    const plain = text.split('\n').filter((line) => line.startsWith('  '));
    expect(plain).toHaveLength(records.length);
    for (const [index, { name, title }] of records.entries()) {
      expect(plain[index].startsWith(`  ${name} `)).toBe(true);
      expect(plain[index]).toContain(`  ${title}`);
    }
    const counts = [...text.matchAll(/^\S.* \((\d+)\)$/gm)].map((match) => Number(match[1]));
    expect(counts).toEqual(Object.values(perNotebook));
    expect(text).toContain('(published: 94.08 %, 35 of 50 runs at 94 %, 79 s)');
  });

  test(
    'info says what the machine is and what the engine would do',
    async () => {
      const { code, stdout, stderr } = await cli(['info', '--json']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const facts = JSON.parse(stdout) as { hardware: { cpu: string }; tensorflow: string };
      expect(facts).toMatchObject({
        hardware: {
          cpu: expect.any(String) as string,
          cores: expect.any(Number) as number,
          memoryBytes: expect.any(Number) as number,
          cpuFlags: expect.any(Array) as unknown[],
          gpus: expect.any(Array) as unknown[],
        },
        tensorflow: expect.stringMatching(/^2\.\d+\.\d+$/) as string,
        node: process.versions.node,
        device: expect.stringMatching(/^[cg]pu$/) as string,
        threads: expect.any(Number) as number,
        onednn: true,
        fastestPrecision: expect.stringMatching(/^(fp32|bf16|fp16)$/) as string,
      });
      const plain = await cli(['info']);
      expect(plain).toMatchObject({ code: 0, stderr: '' });
      expect(plain.stdout).toContain(facts.hardware.cpu);
      expect(plain.stdout).toContain(facts.tensorflow);
    },
    long,
  );

  test(
    'info names a GPU, and says so where TensorFlow does not use it',
    async () => {
      const bin = mkdtempSync(join(scratch, 'bin-'));
      const line = 'Tesla V100-SXM2-16GB, 16384, 7.0, 570.195.03';
      writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\necho "${line}"\n`, { mode: 0o755 });
      const env = { PATH: `${bin}:${process.env['PATH']}` };
      const { code, stdout } = await cli(['info'], { env });
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /^GPUs +Tesla V100-SXM2-16GB, 16 GB, compute capability 7\.0, driver 570\.195\.03$/m,
      );
      const usesGpu = / on the GPU, /.test(stdout);
      expect(/does not use the GPUs: \.\/kernel-setup\.sh --cuda/.test(stdout)).toBe(!usesGpu);
      expect(/^precision +fp16/m.test(stdout)).toBe(usesGpu);
    },
    long,
  );

  test("draw writes the picture of README, or Graphviz's text", async () => {
    const cwd = mkdtempSync(join(scratch, 'draw-'));
    expect(await cli(['draw', 'demo'], { cwd })).toEqual({
      code: 0,
      stdout: 'net.svg\n',
      stderr: '',
    });
    expect(read(cwd, 'net.svg')).toBe(read(root, 'docs/pictures/net.svg'));

    const output = join(cwd, 'demo.dot');
    const pocket = ['draw', 'demo', '--scale', 'pocket', '--output', output];
    expect(await cli(pocket, { cwd })).toEqual({ code: 0, stdout: `${output}\n`, stderr: '' });
    expect(read(output)).toMatch(/^digraph "demo" \{/);
    expect(read(output)).toContain('"layer3/residual/res2/relu" -> "layer3/residual/add";');
    expect(read(output)).toContain('cout=16');
    expect(new Set(readdirSync(cwd))).toEqual(new Set(['demo.dot', 'net.svg']));
  });

  test('draw to a place that is not there says so and what to do, without a stack', async () => {
    const output = join(scratch, 'nowhere/net.svg');
    const { code, stdout, stderr } = await cli(['draw', 'demo', '--output', output]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      `cifar10-fast: run: ${output} cannot be written: ENOENT: no such file or directory. ` +
        `Point --output at a place that can be written, or make ${join(scratch, 'nowhere')} one.\n`,
    );
  });
});

describe('data', () => {
  const empty = { CIFAR10_FAST_CACHE: join(scratch, 'empty') };

  test('--verify shows six good files', async () => {
    const { code, stdout, stderr } = await cli(['data', '--verify']);
    expect(stdout.trimEnd().split('\n')).toEqual(
      [
        'data_batch_1',
        'data_batch_2',
        'data_batch_3',
        'data_batch_4',
        'data_batch_5',
        'test_batch',
      ].map(
        (name) =>
          expect.stringMatching(new RegExp(`^${name}\\.bin +good +[0-9a-f]{64}$`)) as string,
      ),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('--verify of an empty cache shows six missing files and fails', async () => {
    const { code, stdout } = await cli(['data', '--verify'], { env: empty });
    expect(stdout.match(/^\S+\.bin +missing .* is missing$/gm)).toHaveLength(6);
    expect(code).toBe(1);
    const checks = JSON.parse(
      (await cli(['data', '--verify', '--json'], { env: empty })).stdout,
    ) as unknown;
    expect(checks).toHaveLength(6);
    expect(checks).toMatchObject([
      { name: 'data_batch_1.bin', state: 'missing' },
      {},
      {},
      {},
      {},
      {},
    ]);
  });

  test('reads --data_dir, the name that the reference gives the flag', async () => {
    const folder = batchFolder();
    const { code, stdout, stderr } = await cli(['data', `--data_dir=${folder}`, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ source: folder, train: 50_000, valid: 10_000 });
  });

  test('without data and network says how to come by it', async () => {
    const { code, stdout, stderr } = await cli(['data', '--offline'], { env: empty });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^cifar10-fast: cifar10: no source gave CIFAR-10\./);
    expect(stderr).toContain('point --data-dir at its folder');
    expect(stderr).not.toMatch(/^ +at /m);
  });
});

describe('train', () => {
  const logDir = join(scratch, 'runs');
  const first = join(logDir, 'demo-smoke-0');
  let json: Outcome;
  let plain: Outcome;
  let before: Record<string, unknown>;

  beforeAll(async () => {
    const data = await cli(['data', '--offline']);
    if (data.code !== 0) throw new Error(`these tests train on CIFAR-10. ${data.stderr}`);
    json = await cli(smoke(logDir, '--json'));
    before = existsSync(first) ? contents(first) : {};
    plain = await cli(smoke(logDir));
  }, long);

  test('--json prints a line an epoch and one of the whole run, and nothing else anywhere', () => {
    expect(json).toMatchObject({ code: 0, stderr: '' });
    const lines = jsonLines(json.stdout);
    expect(lines).toHaveLength(3);
    const [one, two] = lines as Row[];
    expect([one.epoch, two.epoch]).toEqual([1, 2]);
    expect(two.lr).toBe(0);
    expect(two.train.loss).toBeLessThan(one.train.loss);
    expect(two['total time']).toBeCloseTo(one.train.time + two.train.time, 6);
    const last = lines[2] as { accPercent: number; trainSec: number; imagesPerSec: number };
    expect(last).toEqual({
      record: 'demo',
      scale: 'smoke',
      seed: 0,
      mode: 'captured',
      precision: expect.stringMatching(/^(fp32|bf16|fp16)$/) as string,
      accPercent: 100 * two.valid.acc,
      trainSec: two['total time'],
      evaluationSec: two.valid.time,
      imagesPerSec: expect.closeTo((2 * 256) / two['total time'], 6) as number,
      pflop: expect.any(Number) as number,
      preprocessSec: expect.any(Number) as number,
      load: expect.objectContaining({ cores: expect.any(Number) as number }) as object,
      folder: first,
    });
  });

  test('without --json prints the size, the machine, the table of the reference and how to go on', () => {
    expect(plain).toMatchObject({ code: 0, stderr: '' });
    const lines = printed(plain.stdout).trimEnd().split('\n');
    const [one, two] = rowsIn(`${first}-2`);
    const cells = ({ epoch, lr, train, valid, 'total time': total }: Row): string[] => [
      String(epoch),
      ...[lr, train.time, train.loss, train.acc, valid.time, valid.loss, valid.acc, total].map(
        (value) => value.toFixed(4),
      ),
    ];
    const line = (texts: readonly string[]): string =>
      texts.map((text) => text.padStart(12)).join(' ');
    expect(lines).toEqual([
      'demo, smoke scale: 2 epochs of 256 images, batch 64, widths 4/8/16/32, 26,340 parameters',
      expect.stringMatching(/^on .+ cores?, .+; TensorFlow 2\.\d+\.\d+, .+, seed 0$/),
      expect.stringMatching(/^about \d+:\d\d on this machine$/),
      '',
      '       epoch           lr   train time   train loss    train acc   valid time   valid loss    valid acc   total time',
      line(cells(one)),
      line(cells(two)),
      '',
      expect.stringMatching(
        new RegExp(
          `^test accuracy ${(100 * two.valid.acc).toFixed(2)} %, ${two['total time'].toFixed(1)} s of training ` +
            String.raw`\(validation and \d\.\d\d s of preprocessing not counted\), \d+ images/s$`,
        ),
      ),
      `kept in ${first}-2: run.json, log.jsonl, logs.tsv, net.svg, checkpoint, events`,
      expect.stringMatching(/^next: npx cifar10-fast train demo --scale full .*94\.08 %/),
    ]);
  });

  test('keeps a run in a folder', () => {
    const rows = jsonLines(json.stdout).slice(0, 2) as Row[];
    expect(rowsIn(first)).toEqual(rows);
    const hours = rows.map((row) => (row['total time'] / 3600).toFixed(8));
    const percent = rows.map(({ valid }) => (100 * valid.acc).toFixed(2));
    expect(read(first, 'logs.tsv')).toBe(
      `epoch\thours\ttop1Accuracy\n1\t${hours[0]}\t${percent[0]}\n2\t${hours[1]}\t${percent[1]}`,
    );
    expect(read(first, 'net.svg')).toMatch(/^<svg [\s\S]*<\/svg>\n?$/);
    expect(JSON.parse(read(first, 'run.json'))).toMatchObject({
      record: 'demo',
      scale: 'smoke',
      seed: 0,
      started: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      mode: 'captured',
      precision: expect.stringMatching(/^(fp32|bf16|fp16)$/) as string,
      experiment: {
        name: 'demo',
        run: { epochs: 2 },
        data: { subset: { train: 256, valid: 128 } },
      },
      versions: { node: process.versions.node, tensorflow: expect.any(String) as string },
      hardware: { cores: expect.any(Number) as number },
      result: { epochs: 2, accPercent: 100 * rows[1].valid.acc, trainSec: rows[1]['total time'] },
    });
    expect(readdirSync(first).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('a second run of the same name takes the next one and touches nothing', () => {
    expect(contents(first)).toEqual(before);
    expect(readdirSync(logDir)).toEqual(expect.arrayContaining(['demo-smoke-0', 'demo-smoke-0-2']));
  });

  test(
    'the same seed gives the same rows, another seed others',
    async () => {
      expect(figures(rowsIn(`${first}-2`))).toEqual(figures(rowsIn(first)));
      const { code } = await cli(smoke(logDir, '--seed', '1'));
      expect(code).toBe(0);
      const other = figures(rowsIn(join(logDir, 'demo-smoke-1')));
      expect(other).toHaveLength(2);
      expect(other).not.toEqual(figures(rowsIn(first)));
    },
    long,
  );

  test(
    '--data-dir that is not there is named, with the way out, before anything is made',
    async () => {
      const missing = join(scratch, 'no-such-folder');
      const runs = join(scratch, 'runs-without-data');
      const { code, stdout, stderr } = await cli(smoke(runs, '--data_dir', missing));
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toBe(
        `cifar10-fast: cifar10: there is no ${missing}. Point --data-dir at a folder that exists.\n`,
      );
      expect(existsSync(runs)).toBe(false);
    },
    long,
  );

  test(
    '--log-dir at a file says so, and leaves the file alone',
    async () => {
      const file = join(scratch, 'a-file');
      writeFileSync(file, 'mine');
      const { code, stdout, stderr } = await cli(smoke(file, '--json'));
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toBe(
        `cifar10-fast: run: ${file} cannot be written: EEXIST: file already exists. ` +
          `Point --log-dir at a place that can be written, or make ${scratch} one.\n`,
      );
      expect(readFileSync(file, 'utf8')).toBe('mine');
    },
    long,
  );

  test(
    'a disk that fills up in epoch 2 is told, and epoch 1 is kept whole',
    async (context) => {
      const [disk, kept] = [join(scratch, 'disk'), join(scratch, 'kept')];
      for (const folder of [disk, kept]) mkdirSync(folder);
      // Mounted in a name space of its own: it needs no root, and is gone with its last process.
      const onTinyDisk = ['--user', '--map-root-user', '--mount', 'sh', '-c'];
      const mount =
        'disk=$1 kept=$2 bytes=$3; shift 3; mount -t tmpfs -o "size=$bytes" none "$disk"';
      if (spawnSync('unshare', [...onTinyDisk, mount, 'sh', disk, kept, '65536']).status !== 0) {
        context.skip('no file system can be mounted here, so no disk can be made to fill up');
      }
      // Room for exactly what one epoch leaves: the checkpoint of two must be on the disk before that of one goes.
      const { result, ...begun } = JSON.parse(read(first, 'run.json')) as Record<string, unknown>;
      expect(typeof result).toBe('object');
      const pages = [
        `${JSON.stringify(begun, null, 2)}\n`,
        read(first, 'net.svg'),
        readFileSync(join(first, 'checkpoint-1.safetensors')),
        'log',
        'logs',
        'events',
      ].reduce((sum, content) => sum + Math.ceil(Buffer.byteLength(content) / 4096), 0);
      const script = `${mount} || exit 99; "$@"; code=$?; cp -r "$disk/." "$kept"; exit $code`;
      const { code, stdout, stderr } = await run('unshare', [
        ...onTinyDisk,
        script,
        'sh',
        disk,
        kept,
        `${pages * 4096}`,
        process.execPath,
        main,
        ...smoke(disk, '--json'),
      ]);
      expect(code).toBe(1);
      const folder = join(disk, 'demo-smoke-0');
      expect(stderr).toBe(
        `cifar10-fast: run: ${join(folder, 'checkpoint-2.safetensors')} cannot be written: ENOSPC: no space left on device. ` +
          'Free some space, or point --log-dir at another disk.\n',
      );
      expect(jsonLines(stdout)).toHaveLength(2);
      const saved = join(kept, 'demo-smoke-0');
      expect(figures(rowsIn(saved))).toEqual(figures(rowsIn(first).slice(0, 1)));
      expect(read(saved, 'logs.tsv').split('\n')).toHaveLength(2);
      expect(readdirSync(saved).filter((name) => name.endsWith('.part'))).toEqual([]);
      const resumed = await cli(['train', '--resume', saved]);
      expect(resumed).toMatchObject({ code: 0, stderr: '' });
      expect(figures(rowsIn(saved))).toEqual(figures(rowsIn(first)));
    },
    long,
  );

  test(
    'a place that has become read-only is told, and nothing there is changed',
    async (context) => {
      const place = join(scratch, 'read-only');
      const folder = join(place, 'begun');
      cpSync(first, folder, { recursive: true });
      rmSync(join(folder, 'checkpoint-2.safetensors'));
      const { result: _, ...file } = JSON.parse(read(folder, 'run.json')) as { result?: unknown };
      writeFileSync(join(folder, 'run.json'), JSON.stringify(file));
      const before = contents(folder);
      const script =
        'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; shift; exec "$@"';
      const readOnly = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', place];
      const resume = [process.execPath, main, 'train', '--resume', folder];
      const outcome = await run('unshare', [...readOnly, ...resume]);
      if (outcome.code === 99) context.skip('nothing can be mounted here');
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toBe(
        `cifar10-fast: run: ${join(folder, 'run.json')} cannot be written: EROFS: read-only file system. ` +
          `Point --resume at a place that can be written, or make ${folder} one.\n`,
      );
      expect(contents(folder)).toEqual(before);
    },
    long,
  );

  test(
    'Ctrl-C ends after the step with code 130, and --resume goes on to the same figures',
    async () => {
      const runs = join(scratch, 'interrupted');
      const { code, stdout, stderr } = await cli(smoke(runs, '--json'), { interruptAt: /\n/ });
      expect(code).toBe(130);
      expect(jsonLines(stdout)).toHaveLength(1);
      const folder = join(runs, 'demo-smoke-0');
      expect(stderr).toMatch(
        new RegExp(
          '^Stopping after this step; once more to stop at once\\.\n' +
            'train: stopped in epoch 2, before step \\d+ of \\d+ \\((train|valid)\\)\\. Everything trained so far is kept\\. ' +
            `Resume with: npx cifar10-fast train --resume ${folder}\n$`,
        ),
      );
      expect(figures(rowsIn(folder))).toEqual(figures(rowsIn(first).slice(0, 1)));
      expect(read(folder, 'logs.tsv').split('\n')).toHaveLength(2);
      expect(JSON.parse(read(folder, 'run.json'))).not.toHaveProperty('result');

      const [row] = rowsIn(folder);
      const resumed = await cli(['train', '--resume', folder, '--json']);
      expect(resumed).toMatchObject({ code: 0, stderr: '' });
      const lines = jsonLines(resumed.stdout);
      expect(lines.slice(0, 1)).toEqual([row]);
      expect(figures(lines.slice(0, 2) as Row[])).toEqual(figures(rowsIn(first)));
      expect(rowsIn(folder)).toEqual(lines.slice(0, 2));
      expect(lines[2]).toMatchObject({ record: 'demo', scale: 'smoke', seed: 0, folder });

      const again = await cli(['train', '--resume', folder]);
      expect(again).toMatchObject({ code: 1, stdout: '' });
      expect(again.stderr).toMatch(
        /^cifar10-fast: run: .* is finished: 2 epochs, \d+\.\d\d % test/,
      );
    },
    long,
  );

  test(
    '--resume --epochs +N trains a finished run further, in a folder of its own',
    async () => {
      const runs = join(scratch, 'further');
      const finished = join(runs, 'demo-smoke-0');
      cpSync(first, finished, { recursive: true });
      const { code, stdout } = await cli(['train', '--resume', finished, '--epochs', '+1']);
      expect(code).toBe(0);
      const longer = join(runs, 'demo-smoke-0-2');
      expect(stdout).toMatch(/^changed: run\.epochs=2\+1$/m);
      expect(stdout).toMatch(/^2 epochs are finished; about \d+:\d\d on this machine$/m);
      expect(stdout).toContain(`next: npx cifar10-fast runs compare ${finished} ${longer}\n`);
      expect(rowsIn(longer).slice(0, 2)).toEqual(rowsIn(first));
      expect(rowsIn(longer)).toHaveLength(3);
      const again = await cli(['runs', 'compare', finished, longer]);
      expect(again.code).toBe(0);
      expect(again.stdout).toMatch(/^run\.epochs +2 +3$/m);
    },
    long,
  );

  test(
    'a changed run does not recommend its changes for the full scale, nor a checkpoint that was not kept',
    async () => {
      const runs = join(scratch, 'changed');
      const flags = ['--epochs', '1', '--checkpoints', '0', '--set', 'net.channels.prep=2'];
      const { code, stdout } = await cli(smoke(runs, ...flags));
      expect(code).toBe(0);
      const folder = join(runs, 'demo-smoke-0');
      expect(stdout).toContain(
        `kept in ${folder}: run.json, log.jsonl, logs.tsv, net.svg, events\n`,
      );
      expect(stdout).toContain(
        'next: npx cifar10-fast train demo --scale smoke --seed 0 trains it unchanged, to compare with\n',
      );
      expect(stdout).toContain('changed: run.epochs=1, net.channels.prep=2\n');
    },
    long,
  );

  test(
    'a reader that closes early (| head) ends it quietly',
    async () => {
      const pipe = '"$@" | head -n 1; echo "code ${PIPESTATUS[0]}"';
      const runs = join(scratch, 'head');
      const { stdout, stderr } = await run('bash', [
        '-c',
        pipe,
        'bash',
        process.execPath,
        main,
        ...smoke(runs, '--json'),
      ]);
      const [row, code] = stdout.trimEnd().split('\n');
      expect(figures([JSON.parse(row) as Row])).toEqual(figures(rowsIn(first).slice(0, 1)));
      // As of a program that SIGPIPE ended: the run is not finished.
      expect({ code, stderr }).toEqual({ code: 'code 141', stderr: '' });
    },
    long,
  );

  test('a full standard output is said without a stack', async () => {
    const { stdout, stderr } = await run('bash', [
      '-c',
      '"$@" > /dev/full; echo "code $?"',
      'bash',
      process.execPath,
      main,
      'list',
    ]);
    expect(stdout).toBe('code 1\n');
    expect(stderr).toMatch(/^cifar10-fast: standard output cannot be written: ENOSPC.*\n$/);
  });

  test.each(['constructor', 'toString', '__proto__', 'valueOf'])(
    '--%s is not a flag',
    async (name) => {
      const { code, stderr } = await cliHere(['list', `--${name}`], scratch);
      expect(code).toBe(2);
      expect(stderr).toContain(`there is no flag --${name}.`);
    },
  );
});

describe('on a terminal', () => {
  // eslint-disable-next-line no-control-regex
  const live = /\r\x1b\[2K([^\r\n\x1b]+?)(?:\^C)?(?=\r\x1b)/g;
  /** Every live line: what was shown and then taken away. */
  const liveLines = (sent: string): string[] => [...sent.matchAll(live)].map((match) => match[1]);

  test(
    'a good run leaves what it prints and no trace of the live line',
    async () => {
      const runs = join(scratch, 'terminal');
      const { code, stdout } = await onTerminal(130, '', smoke(runs));
      expect(code).toBe(0);
      const reading = liveLines(stdout).filter((line) => line.startsWith('CIFAR-10: read '));
      expect(reading).not.toEqual([]);
      const shown = screen(stdout);
      expect(shown[0]).toMatch(/^demo, smoke scale: /);
      expect(shown.slice(4).filter((line) => !isBusy(line))).toEqual([
        expect.stringMatching(/^ {7}epoch {11}lr /),
        expect.stringMatching(/^ {11}1 ( +[\d.]+){8}$/),
        expect.stringMatching(/^ {11}2 ( +[\d.]+){8}$/),
        '',
        expect.stringMatching(/^test accuracy /),
        expect.stringMatching(/^kept in /),
        expect.stringMatching(/^next: /),
        '',
      ]);
    },
    long,
  );

  test(
    'training shows rate, loss, accuracy and time left; Ctrl-C takes the line away',
    async () => {
      const runs = join(scratch, 'terminal-interrupted');
      const args = ['train', 'demo', '--scale', 'pocket', '--log-dir', runs];
      const { code, stdout } = await onTerminal(80, 'img/s.* left', args);
      expect(code).toBe(130);
      const lines = liveLines(stdout);
      expect(lines.find((line) => line.startsWith('epoch'))).toMatch(
        /^epoch 1\/4 {2}\[=*>\.*\] {2} *\d+ % {2}[\d,.]+ img\/s {2}loss \d+\.\d{4} {2}acc \d+\.\d\d % {2}(\d+:\d\d|\d+:\d\d h) left$/,
      );
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(80);
      const folder = join(runs, 'demo-pocket-0');
      const shown = screen(stdout);
      expect(shown.slice(-4)).toEqual([
        '',
        'Stopping after this step; once more to stop at once.',
        expect.stringMatching(
          new RegExp(
            String.raw`^train: stopped in epoch 1, before step \d+ of 97 \(train\)\. (Everything trained so far is kept|Nothing was trained yet)\. ` +
              `Resume with: npx cifar10-fast train --resume ${folder}$`,
          ),
        ),
        '',
      ]);
      expect(shown.join('\n')).not.toMatch(/img\/s|\^C/);
    },
    long,
  );

  test('a terminal that does not know its width is taken for one of 80 columns', async () => {
    const { code, stdout } = await onTerminal(0, '', ['data']);
    expect(code).toBe(0);
    const lines = liveLines(stdout);
    expect(lines).not.toEqual([]);
    expect(lines.every((line) => line.startsWith('CIFAR-10: read ') && line.length < 80)).toBe(
      true,
    );
    expect(screen(stdout)).toEqual([
      expect.stringMatching(/^CIFAR-10: 50000 training and 10000 test images, verified, in \//),
      '',
    ]);
  });
});
