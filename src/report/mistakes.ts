import { ReportError } from '../base/errors';
import type { Cifar10, Split } from '../data/cifar10';
import { pngOf } from '../export/picture';
import { confusionChart } from './charts';
import type { PageSection } from './page';
import { readPredictions } from '../runs/predictions';
import type { Predictions } from '../runs/predictions';
import type { RunReport } from './groups';
import { counted } from '../text/counted';

/** What a group of runs gets wrong. */
export interface Mistakes {
  /** The group's label. */
  readonly label: string;
  /** Number of its runs with predictions. */
  readonly runs: number;
  /** Number of images, summed over the runs: `confusion[true class][predicted class]`. */
  readonly confusion: readonly (readonly number[])[];
  /** Images that at least one run gets wrong, by mean loss over the runs, the largest first. */
  readonly worst: readonly WorstImage[];
}

/** A misclassified image. */
export interface WorstImage {
  /** Index of the test image, from 0. */
  readonly image: number;
  readonly label: number;
  /** The most frequent prediction; on a tie, the smaller class. */
  readonly predicted: number;
  /** How many runs get it wrong. */
  readonly wrong: number;
  /** Mean cross entropy over the runs. */
  readonly loss: number;
}

/**
 * Combines the predictions of a group's runs on the same test images.
 *
 * @param count number of worst images to return
 * @throws ReportError if the predictions are of different images, or there are none
 */
export function sumMistakes(
  label: string,
  predictions: readonly Predictions[],
  count = 40,
): Mistakes {
  const [first] = predictions;
  if (first === undefined) {
    throw new ReportError(`report: ${label} has no predictions. Create them with --predictions.`);
  }
  const { labels } = first;
  if (predictions.some((other) => Buffer.compare(other.labels, labels) !== 0)) {
    throw new ReportError(
      `report: runs of ${label} have predictions of different test images. Remove predictions.tsv in their folders, ` +
        'and write them again with --predictions.',
    );
  }
  const confusion = Array.from({ length: 10 }, () => Array.from({ length: 10 }, () => 0));
  const images = [...labels].map((label, image): WorstImage => {
    const votes = Array.from({ length: 10 }, () => 0);
    let loss = 0;
    for (const { predicted, losses } of predictions) {
      votes[predicted[image]] += 1;
      confusion[label][predicted[image]] += 1;
      loss += losses[image] / predictions.length;
    }
    const predicted = votes.indexOf(Math.max(...votes));
    return { image, label, predicted, wrong: predictions.length - votes[label], loss };
  });
  const worst = images.filter(({ wrong }) => wrong > 0).toSorted((a, b) => b.loss - a.loss);
  return { label, runs: predictions.length, confusion, worst: worst.slice(0, count) };
}

/**
 * Reads the predictions stored in the folders of a report's runs; leaves out groups without any.
 *
 * @throws RunError if a file is damaged, ReportError if runs of one group have predictions of different images
 */
export async function mistakesOf({ groups }: RunReport): Promise<Mistakes[]> {
  const found: Mistakes[] = [];
  for (const { label, runs } of groups) {
    const read = await Promise.all(runs.map(({ path = '' }) => readPredictions(path)));
    const there = read.filter((predictions) => predictions !== undefined);
    if (there.length > 0) found.push(sumMistakes(label, there));
  }
  return found;
}

/** Mistakes as sections of a page: a confusion matrix, and the images with the largest loss. */
export function mistakesSections(
  mistakes: readonly Mistakes[],
  { valid, classes }: Pick<Cifar10, 'valid' | 'classes'>,
): PageSection[] {
  return mistakes.map(({ label, runs, confusion, worst }) => ({
    title: `What ${label} gets wrong`,
    parts: [
      {
        kind: 'chart',
        chart: confusionChart(confusion, classes),
        caption:
          `Percent of the test images of a class, over ${counted(runs, 'run')}; darker cells are ` +
          'more frequent mistakes.',
      },
      {
        kind: 'text',
        text: `The ${worst.length} images with the largest loss, among those that are misclassified: true class, predicted class and loss.`,
      },
      {
        kind: 'pictures',
        pictures: worst.map(({ image, label, predicted, wrong, loss }) => ({
          png: pngOf(pictureAt(valid, image)),
          lines: [
            classes[label],
            `as ${classes[predicted]}`,
            `loss ${loss.toFixed(2)}${runs === 1 ? '' : `, ${wrong} of ${runs}`}`,
            `image ${image}`,
          ],
        })),
      },
    ],
  }));
}

function pictureAt({ images }: Split, image: number): Parameters<typeof pngOf>[0] {
  const length = 32 * 32 * 3;
  const data = images.subarray(image * length, (image + 1) * length);
  return { width: 32, height: 32, data };
}
