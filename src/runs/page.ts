import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExportError } from '../base/errors';
import { classes } from '../data/cifar10';
import type { Split } from '../data/cifar10';
import type { PageAbout } from '../export/page-about';
import { createPredictor, softmax } from '../export/predictor';
import { countTrainable } from '../nn/network';
import { scriptJson } from '../text/script-json';
import { aboutText, exportOf } from './exported';
import { stagesOf } from './stages';
import type { TrainedNetwork } from './trained-network';

/** Images of the test set that a page shows and compares with. */
const pageImages = 1000;

/** The names of the files that {@link pageOf} returns. */
export const pageFiles: readonly string[] = ['index.html', 'about.json'];

/** Bytes of an image `[32,32,3]`. */
const imageBytes = 32 * 32 * 3;

/** Images in a row of the page's sheet of test images. */
const columns = 40;

/**
 * A trained network as an interactive page, as files by name: `index.html`, which needs neither other files nor a connection,
 * and `about.json`. The page holds the graph model, TF.js, and test images with their features, rounded to 8 bits.
 *
 * @param test the page holds its first {@link pageImages} images, or all if there are fewer
 * @throws ExportError if the page's program is not compiled, or the network has no features
 */
export async function pageOf(
  trained: TrainedNetwork,
  test: Split,
  { tta = trained.tta }: { readonly tta?: boolean } = {},
): Promise<ReadonlyMap<string, string>> {
  const template = await readTemplate();
  const count = Math.min(pageImages, test.labels.length);
  const shown = {
    images: test.images.subarray(0, count * imageBytes),
    labels: test.labels.subarray(0, count),
  };
  const about = await aboutOf(trained, shown, tta);
  const { files, about: facts } = exportOf(trained, 'tfjs', { tta });
  const shards = [...files].filter(([name]) => name.endsWith('.bin'));
  const blocks: readonly (readonly [id: string, content: string])[] = [
    ['about', scriptJson(JSON.stringify(about))],
    ['model', scriptJson((files.get('model.json') as string).trim())],
    ['weights', base64(Buffer.concat(shards.map(([, content]) => Buffer.from(content))))],
    ['features', base64(await featuresOf(trained, shown.images))],
    ['sheet', base64(await sheetOf(shown.images))],
  ];
  const text = blocks.map(([id, content]) => {
    return `<script type="text/plain" id="${id}">${content}</script>`;
  });
  // A function, because JSON may contain special replacement patterns such as $&.
  const html = template.replace('<!-- data -->', () => text.join('\n'));
  return new Map([
    ['index.html', html],
    ['about.json', aboutText({ ...facts, format: 'page' })],
  ]);
}

async function aboutOf(
  { graph, variables, experiment, accPercent, ...trained }: TrainedNetwork,
  { images, labels }: Split,
  tta: boolean,
): Promise<PageAbout> {
  const probabilities = softmax(await outputs(graph, variables, images, tta));
  const { stages, features } = stagesOf(graph);
  const { name: record, scale, seed, epoch } = trained;
  return {
    record,
    scale,
    seed,
    epoch,
    epochs: experiment.run.epochs,
    ...(accPercent === undefined ? {} : { accPercent }),
    parameters: countTrainable(graph),
    tta,
    classes,
    stages: stages.map(({ name, path }) => ({ name, node: `network/${path}` })),
    features: `network/${features}`,
    test: {
      columns,
      labels: [...labels],
      predicted: [...labels].map((_, i) => {
        const row = probabilities.subarray(i * 10, i * 10 + 10);
        return row.indexOf(Math.max(...row));
      }),
      first: [...probabilities.subarray(0, 10)],
    },
  };
}

/** The value of a network's last node for images `[N,32,32,3]`. */
async function outputs(
  graph: TrainedNetwork['graph'],
  variables: TrainedNetwork['variables'],
  images: Uint8Array,
  tta: boolean,
): Promise<Float32Array> {
  const predictor = createPredictor(graph, variables, { tta });
  try {
    return await predictor.logits(images);
  } finally {
    predictor.dispose();
  }
}

/** The features `[N,C]` of images, each row divided by its largest magnitude, in steps of 1/127. Scaling keeps cosines. */
async function featuresOf(
  { graph, variables }: TrainedNetwork,
  images: Uint8Array,
): Promise<Int8Array> {
  const { features } = stagesOf(graph);
  const end = [...graph.keys()].indexOf(features) + 1;
  const values = await outputs(new Map([...graph].slice(0, end)), variables, images, false);
  const length = (values.length * imageBytes) / images.length;
  const out = new Int8Array(values.length);
  for (let from = 0; from < values.length; from += length) {
    const row = values.subarray(from, from + length);
    const largest = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    // A row of zeros stays zero.
    out.set(
      row.map((value) => Math.round((127 * value) / (largest || 1))),
      from,
    );
  }
  return out;
}

/** Images `[N,32,32,3]` in rows of {@link columns}, as one WebP picture without loss. */
async function sheetOf(images: Uint8Array): Promise<Buffer> {
  const count = images.length / imageBytes;
  const [width, height] = [columns * 32, Math.ceil(count / columns) * 32];
  const sheet = new Uint8Array(width * height * 3);
  for (let i = 0; i < count; i++) {
    const [left, top] = [(i % columns) * 32, Math.floor(i / columns) * 32];
    for (let y = 0; y < 32; y++) {
      const row = images.subarray(i * imageBytes + y * 96, i * imageBytes + (y + 1) * 96);
      sheet.set(row, ((top + y) * width + left) * 3);
    }
  }
  const { default: sharp } = await import('sharp');
  return sharp(sheet, { raw: { width, height, channels: 3 } })
    .webp({ lossless: true })
    .toBuffer();
}

/** The compiled page, with a comment as the placeholder for the data. */
async function readTemplate(): Promise<string> {
  const beside = join(__dirname, '../page/index.html');
  const path = existsSync(beside) ? beside : join(__dirname, '../../dist/page/index.html');
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ExportError(`page: ${path} cannot be read. Compile it: npm run build.`, { cause });
  });
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array | Int8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
