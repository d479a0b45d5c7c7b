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
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EpochRow } from '../src/train/training';
import { cliIn, jsonLines, linkLibrary } from './cli-process';
import type { Outcome } from './cli-process';
import { figuresOf, isBusy, rowsIn, smoke } from './cli-training';
import { fixed } from '../src/text/fixed';

/** `train` as a user runs it: a process with arguments, two streams, an exit code and a run folder. */
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-cli-train-'));
const { main, run, cli } = cliIn(scratch);
const long = 180_000;

const printed = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !isBusy(line))
    .join('\n');

const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

/** Content and modification time of every file in a folder. */
function contents(folder: string): Record<string, unknown> {
  const files = readdirSync(folder).map((name) => {
    return [name, [statSync(join(folder, name)).mtimeMs, read(folder, name)]] as const;
  });
  return { '.': statSync(folder).mtimeMs, ...Object.fromEntries(files) };
}

beforeAll(() => linkLibrary(scratch), long);

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

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

  test('--json prints a line per epoch and one for the run, and nothing else', () => {
    expect(json).toMatchObject({ code: 0, stderr: '' });
    const lines = jsonLines(json.stdout);
    expect(lines).toHaveLength(3);
    const [one, two] = lines as EpochRow[];
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

  test("without --json prints the scale, the machine, the reference's table and the next command", () => {
    expect(plain).toMatchObject({ code: 0, stderr: '' });
    const lines = printed(plain.stdout).trimEnd().split('\n');
    const [one, two] = rowsIn(`${first}-2`);
    const cells = ({ epoch, lr, train, valid, 'total time': total }: EpochRow): string[] => [
      String(epoch),
      ...[lr, train.time, train.loss, train.acc, valid.time, valid.loss, valid.acc, total].map(
        (value) => fixed(value, 4),
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
          `^test accuracy ${fixed(100 * two.valid.acc, 2)} %, ${two['total time'].toFixed(1)} s of training ` +
            String.raw`\(validation and \d\.\d\d s of preprocessing not counted\), \d+ images/s$`,
        ),
      ),
      `kept in ${first}-2: run.json, log.jsonl, logs.tsv, net.svg, checkpoint, events`,
      expect.stringMatching(/^next: npx cifar10-fast train demo --scale full .*94\.08 %/),
    ]);
  });

  test('stores a run in a folder', () => {
    const rows = jsonLines(json.stdout).slice(0, 2) as EpochRow[];
    expect(rowsIn(first)).toEqual(rows);
    const hours = rows.map((row) => fixed(row['total time'] / 3600, 8));
    const percent = rows.map(({ valid }) => fixed(100 * valid.acc, 2));
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

  test('a second run of the same name takes the next name and leaves the first untouched', () => {
    expect(contents(first)).toEqual(before);
    expect(readdirSync(logDir)).toEqual(expect.arrayContaining(['demo-smoke-0', 'demo-smoke-0-2']));
  });

  test(
    'the same seed gives the same rows, another seed different ones',
    async () => {
      expect(figuresOf(rowsIn(`${first}-2`))).toEqual(figuresOf(rowsIn(first)));
      const { code } = await cli(smoke(logDir, '--seed', '1'));
      expect(code).toBe(0);
      const other = figuresOf(rowsIn(join(logDir, 'demo-smoke-1')));
      expect(other).toHaveLength(2);
      expect(other).not.toEqual(figuresOf(rowsIn(first)));
    },
    long,
  );

  test(
    'a --data-dir that does not exist is an error before anything is written',
    async () => {
      const missing = join(scratch, 'no-such-folder');
      const runs = join(scratch, 'runs-without-data');
      const { code, stdout, stderr } = await cli(smoke(runs, '--data_dir', missing));
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toBe(
        `cifar10-fast: cifar10: ${missing} does not exist. Point --data-dir at a folder that exists.\n`,
      );
      expect(existsSync(runs)).toBe(false);
    },
    long,
  );

  test(
    'a --log-dir that is a file is an error, and the file stays untouched',
    async () => {
      const file = join(scratch, 'a-file');
      writeFileSync(file, 'mine');
      const { code, stdout, stderr } = await cli(smoke(file, '--json'));
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toBe(
        `cifar10-fast: run: ${file} cannot be written: EEXIST: file already exists. ` +
          `Point --log-dir at a writable path, or make ${scratch} writable.\n`,
      );
      expect(readFileSync(file, 'utf8')).toBe('mine');
    },
    long,
  );

  test(
    'a disk that fills up in epoch 2 is an error, and epoch 1 is kept intact',
    async (context) => {
      const [disk, kept] = [join(scratch, 'disk'), join(scratch, 'kept')];
      for (const folder of [disk, kept]) mkdirSync(folder);
      // Mounted in a namespace of its own: it needs no root, and disappears with its last process.
      const onTinyDisk = ['--user', '--map-root-user', '--mount', 'sh', '-c'];
      const mount =
        'disk=$1 kept=$2 bytes=$3; shift 3; mount -t tmpfs -o "size=$bytes" none "$disk"';
      if (spawnSync('unshare', [...onTinyDisk, mount, 'sh', disk, kept, '65536']).status !== 0) {
        context.skip('no file system can be mounted here, so no disk can be made to fill up');
      }
      // Room for exactly what one epoch leaves: checkpoint 2 must be on disk before checkpoint 1 is removed.
      const { result, ...unfinished } = JSON.parse(read(first, 'run.json')) as Record<
        string,
        unknown
      >;
      expect(typeof result).toBe('object');
      const pages = [
        `${JSON.stringify(unfinished, null, 2)}\n`,
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
      expect(figuresOf(rowsIn(saved))).toEqual(figuresOf(rowsIn(first).slice(0, 1)));
      expect(read(saved, 'logs.tsv').split('\n')).toHaveLength(2);
      expect(readdirSync(saved).filter((name) => name.endsWith('.part'))).toEqual([]);
      const resumed = await cli(['train', '--resume', saved]);
      expect(resumed).toMatchObject({ code: 0, stderr: '' });
      expect(figuresOf(rowsIn(saved))).toEqual(figuresOf(rowsIn(first)));
    },
    long,
  );

  test(
    'a folder that has become read-only is an error, and nothing in it changes',
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
          `Point --resume at a writable path, or make ${folder} writable.\n`,
      );
      expect(contents(folder)).toEqual(before);
    },
    long,
  );

  test(
    'Ctrl-C stops after the step with exit code 130, and --resume ends with the same figures',
    async () => {
      const runs = join(scratch, 'interrupted');
      const { code, stdout, stderr } = await cli(smoke(runs, '--json'), { interruptAt: /\n/ });
      expect(code).toBe(130);
      expect(jsonLines(stdout)).toHaveLength(1);
      const folder = join(runs, 'demo-smoke-0');
      expect(stderr).toMatch(
        new RegExp(
          '^Stopping after this step; press Ctrl-C again to stop immediately\\.\n' +
            'train: stopped in epoch 2, before step \\d+ of \\d+ \\((train|valid)\\)\\. Everything trained so far is kept\\. ' +
            `Resume with: npx cifar10-fast train --resume ${folder}\n$`,
        ),
      );
      expect(figuresOf(rowsIn(folder))).toEqual(figuresOf(rowsIn(first).slice(0, 1)));
      expect(read(folder, 'logs.tsv').split('\n')).toHaveLength(2);
      expect(JSON.parse(read(folder, 'run.json'))).not.toHaveProperty('result');

      const [row] = rowsIn(folder);
      const resumed = await cli(['train', '--resume', folder, '--json']);
      expect(resumed).toMatchObject({ code: 0, stderr: '' });
      const lines = jsonLines(resumed.stdout);
      expect(lines.slice(0, 1)).toEqual([row]);
      expect(figuresOf(lines.slice(0, 2) as EpochRow[])).toEqual(figuresOf(rowsIn(first)));
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
    '--resume --epochs +N extends a finished run, in a new folder',
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
    'a run with overrides does not suggest them at full scale, and lists no checkpoint that was not kept',
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
      expect(figuresOf([JSON.parse(row) as EpochRow])).toEqual(
        figuresOf(rowsIn(first).slice(0, 1)),
      );
      // The code of a program that SIGPIPE ended: the run is not finished.
      expect({ code, stderr }).toEqual({ code: 'code 141', stderr: '' });
    },
    long,
  );
});
