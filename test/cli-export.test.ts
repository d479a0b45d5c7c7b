import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchFolder } from '../src/data/cache';
import { pngOf } from '../src/export/picture';
import { cliIn, linkLibrary } from './cli-process';
import { keepUntrained } from './untrained-run';

/** `export`, `predict` and `report --predictions` as processes, on a run with an untrained network. */
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-cli-export-'));
const { cli } = cliIn(scratch);
const long = 180_000;
const run = join(scratch, 'runs/demo-smoke-0');

beforeAll(async () => {
  linkLibrary(scratch);
  const result = { epochs: 2, accPercent: 10, loss: 2.3, trainSec: 4, imagesPerSec: 512 };
  await keepUntrained(run, 'demo', result);
  const data = Uint8Array.from({ length: 50 * 40 * 3 }, (_, i) => (i * 31) % 256);
  writeFileSync(join(scratch, 'photo.png'), pngOf({ width: 50, height: 40, data }));
  writeFileSync(join(scratch, 'notes.txt'), 'no picture');
}, long);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('help', () => {
  test.each(['export', 'page', 'predict'])('%s', async (name) => {
    const { code, stdout } = await cli([name, '--help']);
    expect(code).toBe(0);
    await expect(stdout).toMatchFileSnapshot(`output/help-${name}.txt`);
  });
});

describe('a run that was stopped', () => {
  const stopped = join(scratch, 'runs/demo-smoke-1');

  beforeAll(() => {
    cpSync(run, stopped, { recursive: true });
    const { result: _, ...about } = JSON.parse(
      readFileSync(join(run, 'run.json'), 'utf8'),
    ) as Record<string, unknown>;
    writeFileSync(join(stopped, 'run.json'), JSON.stringify(about));
  });

  test.each([
    ['predict', ['photo.png']],
    ['export', ['-o', 'stopped']],
  ])('%s warns that the run is not finished', async (name, more) => {
    const { code, stderr } = await cli([name, stopped, ...more]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr:
        `${stopped} is not finished: its network was trained for 2 epochs (planned: 2 epochs). ` +
        `Resume it with: npx cifar10-fast train --resume ${stopped}\n`,
    });
  });
});

describe('export', () => {
  test.each([
    ['saved-model', ['about.json', 'saved_model.pb']],
    ['tfjs', ['about.json', 'group1-shard1of1.bin', 'model.json']],
    ['onnx', ['about.json', 'network.onnx']],
    ['safetensors', ['about.json', 'network.safetensors']],
  ])('%s', async (format, files) => {
    const { code, stdout, stderr } = await cli(['export', run, '-o', format, '--format', format]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(`demo, smoke scale, after epoch 2, in ${format}: `);
    expect(readdirSync(join(scratch, format)).toSorted()).toEqual(files);
  });

  test.each([
    [['export', run], 2, '--output is missing'],
    [['export', run, '-o', 'x', '--format', 'onxn'], 2, '"onxn" is not one of saved-model, tfjs'],
    [['export', '.', '-o', 'x'], 1, 'has no run.json'],
    [['export', 'nowhere', '-o', 'x'], 1, 'nowhere does not exist. Name the folder of a run'],
  ])('%j is refused', async (args, code, message) => {
    const found = await cli(args);
    expect(found.code).toBe(code);
    expect(found.stderr).toMatch(message);
    expect(found.stderr).not.toMatch('    at ');
  });
});

describe('predict', () => {
  test(
    'prints ten probabilities for a picture and for a test image',
    async () => {
      const args = ['predict', run, 'photo.png', '--test-image', '0', '--data-dir', batchFolder()];
      const { code, stdout } = await cli([...args, '--json']);
      expect(code).toBe(0);
      const { pictures, epoch } = JSON.parse(stdout) as {
        epoch: number;
        pictures: { picture: string; label?: string; probabilities: Record<string, number> }[];
      };
      expect(epoch).toBe(2);
      expect(pictures.map(({ picture, label }) => [picture, label])).toEqual([
        ['photo.png', undefined],
        ['test image 0', 'cat'],
      ]);
      for (const { probabilities } of pictures) {
        const shares = Object.values(probabilities);
        expect(shares).toHaveLength(10);
        expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 6);
      }
      const text = (await cli(args)).stdout;
      expect(text).toMatch(/^photo\.png\n {2}\w+ +\d+\.\d % █/);
      expect(text).toMatch('test image 0 (cat)\n');
    },
    long,
  );

  test.each([
    [['predict', run], 2, 'no picture is named'],
    [['predict', run, 'notes.txt'], 1, 'notes.txt is not a PNG, JPEG, WebP or GIF picture'],
    [
      ['predict', run, 'gone.png'],
      1,
      'gone.png cannot be read: ENOENT: no such file or directory. Give',
    ],
    [['predict', run, '--test-image', '10000'], 2, '"10000" is not the number of a test image'],
  ])('%j is refused', async (args, code, message) => {
    const found = await cli(args);
    expect(found.code).toBe(code);
    expect(found.stderr).toMatch(message);
  });
});

test(
  'report --predictions classifies the test images once, and shows the wrong predictions',
  async () => {
    const args = ['report', 'runs', '-o', 'report.html', '--data-dir', batchFolder()];
    expect((await cli(args)).code).toBe(0);
    expect(readFileSync(join(scratch, 'report.html'), 'utf8')).not.toMatch('What demo gets wrong');
    expect((await cli([...args, '--predictions'])).code).toBe(0);
    const page = readFileSync(join(scratch, 'report.html'), 'utf8');
    expect(page).toMatch('What demo gets wrong');
    expect(page.match(/<img alt="/g)).toHaveLength(40);
    const rows = readFileSync(join(run, 'predictions.tsv'), 'utf8').trimEnd().split('\n');
    expect(rows).toHaveLength(129);

    // A run whose last checkpoint is from before its end gets no predictions.
    const stale = join(scratch, 'stale');
    cpSync(run, stale, { recursive: true });
    rmSync(join(stale, 'predictions.tsv'));
    const file = readFileSync(join(run, 'run.json'), 'utf8');
    writeFileSync(
      join(stale, 'run.json'),
      file.replace('"result":{"epochs":2', '"result":{"epochs":3'),
    );
    const { code, stderr } = await cli(['report', 'stale', ...args.slice(2), '--predictions']);
    expect(code).toBe(0);
    expect(stderr).toContain(
      'trained for 3 epochs, but its last checkpoint is from after 2 epochs',
    );
    expect(readdirSync(stale)).not.toContain('predictions.tsv');
  },
  long,
);
