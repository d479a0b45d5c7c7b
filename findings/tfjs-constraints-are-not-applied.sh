#!/usr/bin/env bash
# TF.js does not apply weight constraints during training.
#
# kernelConstraint and its relatives take effect in setWeights() but not after an optimiser step. Keras applies them after each.
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
  const model = tf.sequential();
  model.add(
    tf.layers.dense({
      units: 1,
      inputShape: [1],
      useBias: false,
      kernelInitializer: 'ones',
      kernelConstraint: 'nonNeg',
    }),
  );
  model.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
  await model.fit(tf.ones([8, 1]), tf.fill([8, 1], -10), { epochs: 20, verbose: 0 });
  const trained = model.getWeights()[0].dataSync()[0];
  model.setWeights([tf.tensor2d([[trained]])]);
  const assigned = model.getWeights()[0].dataSync()[0];
  console.log({ trained, assigned });
  if (!(trained < -5 && assigned === 0)) throw new Error('changed');
  console.log('A weight with a nonNeg constraint was trained to a negative number.');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
JS
node run.cjs
