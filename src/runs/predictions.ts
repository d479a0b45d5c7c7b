import { join } from 'node:path';
import { RunError } from '../base/errors';
import type { Split } from '../data/cifar10';
import { createPredictor, softmax } from '../export/predictor';
import { writeWhole } from './folder';
import { textIfAny } from './run-text';
import type { TrainedNetwork } from './trained-network';

/** A network's predictions for test images, one entry per image, in their order. */
export interface Predictions {
  /** True classes `[N]`. */
  readonly labels: Uint8Array;
  /** Predicted classes `[N]`, those with the largest logit. */
  readonly predicted: Uint8Array;
  /** Cross entropy of the true class `[N]`, in nats. */
  readonly losses: Float32Array;
}

/** The name of the file in a run's folder. */
const predictionsFile = 'predictions.tsv';

const heading = 'image\tlabel\tpredicted\tloss';

/** Classifies test images in fp32, with averaged weights and mirror images if the experiment evaluates with them. */
export async function predictSplit(
  { graph, variables, tta }: TrainedNetwork,
  { images, labels }: Split,
): Promise<Predictions> {
  const predictor = createPredictor(graph, variables, { tta });
  try {
    const probabilities = softmax(await predictor.logits(images));
    const predicted = new Uint8Array(labels.length);
    const losses = new Float32Array(labels.length);
    for (let i = 0; i < labels.length; i++) {
      const row = probabilities.subarray(i * 10, i * 10 + 10);
      predicted[i] = row.indexOf(Math.max(...row));
      losses[i] = -Math.log(Math.max(row[labels[i]], Number.MIN_VALUE));
    }
    return { labels, predicted, losses };
  } finally {
    predictor.dispose();
  }
}

/**
 * Stores predictions in a run's folder, as `predictions.tsv`: image, label, predicted class, loss.
 *
 * @throws RunError if the file cannot be written
 */
export async function writePredictions(folder: string, predictions: Predictions): Promise<void> {
  const { labels, predicted, losses } = predictions;
  const rows = [...labels].map(
    (label, i) => `${i}\t${label}\t${predicted[i]}\t${losses[i].toPrecision(7)}`,
  );
  const text = `${[heading, ...rows].join('\n')}\n`;
  await writeWhole(join(folder, predictionsFile), text, '--predictions');
}

/**
 * Reads the file of {@link writePredictions}; `undefined` if there is none.
 *
 * @throws RunError if the file cannot be read, or is damaged; names the line
 */
export async function readPredictions(folder: string): Promise<Predictions | undefined> {
  const path = join(folder, predictionsFile);
  const text = await textIfAny(path);
  if (text === undefined) return undefined;
  const [first, ...lines] = text.trimEnd().split('\n');
  const rows = lines.map((line) => line.split('\t').map(Number));
  const isClass = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < 10;
  const at = rows.findIndex(
    ([image, label, predicted, loss], index) =>
      image !== index || !isClass(label) || !isClass(predicted) || !(loss >= 0),
  );
  if (first !== heading || at >= 0 || rows.length === 0) {
    throw new RunError(
      `run: line ${first === heading && rows.length > 0 ? at + 2 : 1} of ${path} is invalid. ` +
        'Remove the file; "report --predictions" writes it again.',
    );
  }
  return {
    labels: Uint8Array.from(rows, (row) => row[1]),
    predicted: Uint8Array.from(rows, (row) => row[2]),
    losses: Float32Array.from(rows, (row) => row[3]),
  };
}
