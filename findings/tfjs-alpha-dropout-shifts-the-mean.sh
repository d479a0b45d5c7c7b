#!/usr/bin/env bash
# TF.js's alphaDropout changes the mean of its input, which the layer exists to preserve.
#
# Dropped elements become +1.758 (before scaling) where the paper and Keras have -1.758, so the mean of standard normal
# input moves from 0 to 0.91 at a rate of 0.3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > npm.log
npm install --silent --no-audit --no-fund @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-layers@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0
cat > run.cjs <<'JS'
const tf = { ...require('@tensorflow/tfjs-core'), ...require('@tensorflow/tfjs-layers') };
require('@tensorflow/tfjs-backend-cpu');
console.log('tfjs-layers', tf.version_layers, 'tfjs-core', tf.version_core);
(async () => {
  const x = tf.randomNormal([200, 1000], 0, 1, 'float32', 1);
  const y = tf.layers.alphaDropout({ rate: 0.3 }).apply(x, { training: true });
  const { mean, variance } = tf.moments(y);
  const [m, v] = [mean.dataSync()[0], variance.dataSync()[0]];
  console.log({ mean: m, variance: v });
  if (Math.abs(m - 0.909) > 0.02) throw new Error('changed');
  console.log('The mean of the output is 0.91, not 0.');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
JS
node run.cjs
