// Trains a network to predict the last column of a CSV file of numbers: node examples/train-csv.mjs FILE [EPOCHS]
import { readFileSync } from 'node:fs';
import tf from '@tensorflow/tfjs-node-gpu';
import { accelerate } from 'cifar10-fast';

const [path, epochs = '20'] = process.argv.slice(2);
const [header, ...lines] = readFileSync(path, 'utf8').trim().split('\n');
const rows = tf.tensor2d(lines.map((line) => line.split(',').map(Number)));
const columns = header.split(',').length - 1;
const { mean, variance } = tf.moments(rows, 0);
const standard = rows.sub(mean).div(variance.sqrt().add(1e-6));
const [inputs, targets] = tf.split(standard, [columns, 1], 1);

const model = tf.sequential({
  layers: [
    tf.layers.dense({ units: 64, activation: 'relu', inputShape: [columns] }),
    tf.layers.dense({ units: 64, activation: 'relu' }),
    tf.layers.dense({ units: 1 }),
  ],
});
model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });

// Before: await model.fit(inputs, targets, {
const { history } = await accelerate(model).fit(inputs, targets, {
  epochs: Number(epochs),
  batchSize: 32,
  validationSplit: 0.2,
  verbose: 0,
});
console.log(
  `validation loss ${history.val_loss[0].toFixed(4)} -> ${history.val_loss.at(-1).toFixed(4)}`,
);
