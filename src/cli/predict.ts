import { DataError, UsageError } from '../base/errors';
import { classes } from '../data/cifar10';
import { readTrained } from '../runs/trained-network';
import { resizeByArea } from '../export/picture';
import { createPredictor, softmax } from '../export/predictor';
import { readPictureFile } from '../export/read-picture';
import { loadData } from './data';
import { displayProgress } from './terminal';
import type { Command } from './flags';

/** `predict`: classifies pictures with a trained network. */
export const predict: Command = {
  name: 'predict',
  positionals: ['RUN', '[PICTURE…]'],
  flags: {
    'test-image': {
      value: 'N',
      isRepeatable: true,
      help: 'index of a test image, 0 to 9999; may be repeated',
    },
    'data-dir': {
      value: 'DIR',
      help: 'a folder with the official CIFAR-10 files (default: the cache)',
    },
    plain: { help: 'do not average over the mirror image, even if the experiment does' },
    json: { help: 'one JSON object, for programs' },
  },
  examples: [
    'predict runs/demo-pocket-0 cat.jpg dog.png',
    'predict runs/demo-pocket-0 --test-image 0 --test-image 17',
  ],
  run: async (given) => {
    const [run, ...paths] = given.positionals;
    const wanted = (given.lists.get('test-image') ?? []).map((text) => {
      const index = /^\d+$/.test(text) ? Number(text) : NaN;
      if (!(index < 10_000)) {
        throw new UsageError(
          `--test-image "${text}" is not the number of a test image. Give a whole number from 0 to 9999.`,
        );
      }
      return index;
    });
    if (paths.length + wanted.length === 0) {
      throw new UsageError(
        'predict: no picture is named. Give .png, .jpg, .webp or .gif files, or --test-image 0.',
      );
    }
    const trained = await readTrained(run);
    const display = displayProgress();
    if (trained.warning !== undefined) display.note(trained.warning);
    const pictures: {
      readonly name: string;
      readonly label?: string;
      readonly pixels: Uint8Array;
    }[] = [];
    for (const path of paths) {
      pictures.push({ name: path, pixels: resizeByArea(await readPictureFile(path)) });
    }
    if (wanted.length > 0) {
      const { valid } = await loadData(given, display, {});
      for (const index of wanted) {
        const pixels = valid.images.subarray(index * 3072, (index + 1) * 3072);
        const label = classes[valid.labels[index]];
        if (label === undefined)
          throw new DataError(`cifar10: test image ${index} does not exist.`);
        pictures.push({ name: `test image ${index}`, label, pixels });
      }
    }
    const tta = trained.tta && !given.switches.has('plain');
    const predictor = createPredictor(trained.graph, trained.variables, { tta });
    const images = Uint8Array.from(pictures.flatMap(({ pixels }) => [...pixels]));
    const found = softmax(await predictor.logits(images)).slice();
    predictor.dispose();
    const results = pictures.map(({ name, label }, index) => {
      const row = [...found.subarray(index * 10, index * 10 + 10)];
      return {
        picture: name,
        ...(label === undefined ? {} : { label }),
        predicted: classes[row.indexOf(Math.max(...row))],
        probabilities: Object.fromEntries(classes.map((each, i) => [each, row[i]])),
      };
    });
    if (given.switches.has('json')) {
      const { name: record, scale, seed, epoch, steps, checkpoint } = trained;
      const about = { record, scale, seed, epoch, steps, checkpoint, tta };
      process.stdout.write(`${JSON.stringify({ ...about, pictures: results })}\n`);
      return 0;
    }
    process.stdout.write(`${results.map((result) => barsText(result)).join('\n\n')}\n`);
    return 0;
  },
};

/** The picture's name, with ten bars below it, the longest first. */
function barsText({
  picture,
  label,
  probabilities,
}: {
  readonly picture: string;
  readonly label?: string;
  readonly probabilities: Readonly<Record<string, number>>;
}): string {
  const width = 40;
  const rows = Object.entries(probabilities)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, share]) => {
      const eighths = Math.round(share * width * 8);
      const part = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8];
      const bar = `${'█'.repeat(Math.floor(eighths / 8))}${part}`;
      return `  ${name.padEnd(10)} ${(100 * share).toFixed(1).padStart(5)} % ${bar}`.trimEnd();
    });
  return [label === undefined ? picture : `${picture} (${label})`, ...rows].join('\n');
}
