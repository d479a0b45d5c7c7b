#!/usr/bin/env bash
# Centered RMSProp in TF.js makes a weight NaN in the first step if its gradient is zero.
#
# It divides by sqrt(ms - (mg^2 + epsilon)) where the rule has sqrt(ms - mg^2 + epsilon): the radicand is negative if the variance
# of a gradient is less than epsilon. Embedding rows that a batch does not use and dead ReLUs have such gradients.
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
  const weight = tf.variable(tf.tensor1d([1, 1]));
  const optimizer = tf.train.rmsprop(0.01, 0.9, 0, 1e-7, true);
  optimizer.applyGradients({ [weight.name]: tf.tensor1d([0, 1]) });
  const values = [...weight.dataSync()];
  console.log(values);
  if (!(Number.isNaN(values[0]) && values[1] < 1)) throw new Error('changed');
  console.log('The weight whose gradient is 0 became NaN.');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
JS
node run.cjs
