import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import { io, tensor } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadTensorflow } from '../src/engine/tensorflow';
import type { PageAbout } from '../src/export/page-about';
import { batchFolder } from '../src/data/cache';
import { loadCifar10 } from '../src/data/cifar10';
import { cliIn, linkLibrary } from './cli-process';
import { keepUntrained } from './untrained-run';

/** `page` as a process. `npm run test:page` checks its page in a browser. */
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-cli-page-'));
const { cli } = cliIn(scratch);
const long = 180_000;
const at = (...names: string[]): string => join(scratch, ...names);

beforeAll(async () => {
  linkLibrary(scratch);
  await keepUntrained(at('runs/demo-smoke-0'), 'demo');
  await keepUntrained(at('runs/fastest-smoke-0'), 'fastest');
}, long);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The data blocks of a page by element id. */
function blocksOf(html: string): ReadonlyMap<string, string> {
  const found = html.matchAll(/<script type="text\/plain" id="(\w+)">(.*?)<\/script>/gs);
  return new Map([...found].map(([, id, text]) => [id, text]));
}

/** The values of nodes for images `[N,32,32,3]`, computed by the graph model in a page. */
async function execute(
  blocks: ReadonlyMap<string, string>,
  images: Uint8Array,
  nodes: readonly string[],
): Promise<Tensor[]> {
  loadTensorflow();
  const { modelTopology, signature, weightsManifest } = JSON.parse(blocks.get('model') ?? '') as {
    modelTopology: object;
    signature: object;
    weightsManifest: { weights: io.WeightsManifestEntry[] }[];
  };
  const weights = Buffer.from(blocks.get('weights') ?? '', 'base64');
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const weightData = new Uint8Array(weights).buffer;
  const model = await loadGraphModel(
    io.fromMemory({ modelTopology, signature, weightSpecs, weightData }),
  );
  const input = tensor(Float32Array.from(images), [images.length / 3072, 32, 32, 3]);
  return [model.execute({ images: input }, [...nodes])].flat();
}

describe.each(['demo', 'fastest'])('page of %s', (name) => {
  const folder = at(name);
  let said: Awaited<ReturnType<typeof cli>>;
  let html = '';
  let blocks: ReadonlyMap<string, string>;
  let about: PageAbout;
  let images: Uint8Array;
  let labels: Uint8Array;

  beforeAll(async () => {
    const args = ['page', `runs/${name}-smoke-0`, '-o', name, '--data-dir', batchFolder()];
    said = await cli(args);
    html = readFileSync(join(folder, 'index.html'), 'utf8');
    blocks = blocksOf(html);
    about = JSON.parse(blocks.get('about') ?? '') as PageAbout;
    ({ images, labels } = (await loadCifar10({ dataDir: batchFolder() })).valid);
  }, long);

  test('prints its path, and warns that the run is not finished', () => {
    const { code, stdout, stderr } = said;
    expect([code, stderr]).toEqual([0, expect.stringContaining('not finished') as string]);
    expect(stdout).toBe(
      `${name}, smoke scale, after epoch 2, in ${name}/index.html. Open it in a browser.\n`,
    );
  });

  test('is one file, which may not connect to anything', () => {
    expect(readdirSync(folder).toSorted()).toEqual(['about.json', 'index.html']);
    expect(html).toMatch("default-src 'none'; script-src 'sha256-");
    const addresses = html.match(/<(?:link|script|img|iframe)[^>]*(?:src|href)=[^>]*>/g) ?? [];
    expect(addresses).toEqual([]);
    expect(html).not.toMatch('<!-- data -->');
  });

  test('describes the run that it shows', () => {
    expect(about).toMatchObject({
      record: name,
      scale: 'smoke',
      epoch: 2,
      features: expect.any(String) as string,
    });
    expect(about.accPercent).toBeUndefined();
    expect(about.stages).toHaveLength(4);
    expect(about.test.labels).toEqual([...labels.subarray(0, 1000)]);
  });

  test('its graph model reproduces the stored scores', async () => {
    const [found] = await execute(blocks, images.subarray(0, 3072), ['probabilities']);
    const data = await found.data();
    expect(about.test.first).toEqual([...data].map((share) => expect.closeTo(share, 5) as number));
    expect(about.test.predicted[0]).toBe(data.indexOf(Math.max(...data)));
  });

  test('its features equal the network’s to 8 bits, up to scale', async () => {
    const count = 20;
    const [found] = await execute(blocks, images.subarray(0, count * 3072), [about.features]);
    const exact = await found.data();
    const length = exact.length / count;
    const kept = new Int8Array(Buffer.from(blocks.get('features') ?? '', 'base64'));
    expect(kept).toHaveLength(1000 * length);
    for (let i = 0; i < count; i++) {
      const row = [...exact.subarray(i * length, (i + 1) * length)];
      const largest = Math.max(...row.map(Math.abs));
      const errors = row.map((value, c) =>
        Math.abs((127 * value) / largest - kept[i * length + c]),
      );
      expect(Math.max(...errors)).toBeLessThan(0.51);
    }
  });

  test('its sheet holds the test images, pixel by pixel', async () => {
    const sheet = sharp(Buffer.from(blocks.get('sheet') ?? '', 'base64'));
    const index = 87;
    const place = { left: (index % 40) * 32, top: Math.floor(index / 40) * 32 };
    const pixels = await sheet
      .extract({ ...place, width: 32, height: 32 })
      .raw()
      .toBuffer();
    expect([...pixels]).toEqual([...images.subarray(index * 3072, (index + 1) * 3072)]);
  });
});

describe('page refuses', () => {
  beforeAll(() => {
    mkdirSync(at('mine'));
    writeFileSync(at('mine/notes.txt'), 'mine');
    mkdirSync(at('runs/begun'));
    const run = JSON.parse(readFileSync(at('runs/demo-smoke-0/run.json'), 'utf8')) as object;
    writeFileSync(at('runs/begun/run.json'), JSON.stringify(run));
  });

  test.each([
    [['page', 'runs/demo-smoke-0'], 2, '--output is missing'],
    [['page', '-o', 'x'], 2, 'RUN'],
    [['page', 'runs/demo-smoke-0', '-o', 'mine'], 2, 'mine holds other files: "notes.txt"'],
    [['page', 'runs/demo-smoke-0', '-o', 'mine/notes.txt'], 2, 'mine/notes.txt is a file'],
    [['page', 'nowhere', '-o', 'x'], 1, 'nowhere does not exist'],
    [['page', '.', '-o', 'x'], 1, 'has no run.json'],
    [['page', 'runs/begun', '-o', 'x'], 1, 'has no checkpoint'],
    [['page', 'runs/demo-smoke-0', '-o', 'x', '--data-dir', 'runs'], 1, 'runs'],
  ])('%j', async (args, code, message) => {
    const found = await cli(args);
    expect(found.code).toBe(code);
    expect(found.stderr).toMatch(message);
    expect(found.stderr).not.toMatch('    at ');
    expect(readdirSync(at('mine'))).toEqual(['notes.txt']);
  });
});
