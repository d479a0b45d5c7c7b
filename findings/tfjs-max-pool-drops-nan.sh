#!/usr/bin/env bash
# TF.js's max pooling on the CPU ignores NaN: a window of four NaNs becomes -Infinity, and one of 1, NaN, 2, 3 becomes 3.
# tf.max of the same numbers is NaN. A network that diverges before a pooling layer looks sound after it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > npm.log
npm install --silent --no-audit --no-fund @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0
cat > run.cjs <<'JS'
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
console.log('tfjs-core', tf.version_core);
const windows = [
  [NaN, NaN, NaN, NaN],
  [1, NaN, 2, 3],
];
const found = windows.map((values) => ({
  values,
  maxPool: tf.maxPool(tf.tensor4d(values, [1, 2, 2, 1]), 2, 2, 'valid').dataSync()[0],
  max: tf.max(tf.tensor1d(values)).dataSync()[0],
}));
console.log(found);
if (found[0].maxPool !== -Infinity || found[1].maxPool !== 3) throw new Error('changed');
if (!found.every(({ max }) => Number.isNaN(max))) throw new Error('changed');
console.log('Max pooling left NaN out; tf.max did not.');
JS
node run.cjs
