#!/usr/bin/env bash
# In TF.js, a BatchNormalization layer with trainable = false still normalises by the batch and updates its moving statistics.
#
# Keras (since 2.0 of TensorFlow) lets a frozen layer normalise by its moving statistics, which then stay as they are: the usual
# way to fine-tune a pretrained network. In TF.js only gamma and beta are frozen.
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
  model.add(tf.layers.batchNormalization({ inputShape: [1], momentum: 0.5 }));
  model.add(tf.layers.dense({ units: 1, useBias: false, kernelInitializer: 'ones' }));
  model.layers[0].trainable = false;
  model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
  // Mean 10, standard deviation 2. By its moving statistics (0 and 1), the layer would pass them on nearly unchanged.
  const x = tf.tensor2d([8, 12, 8, 12], [4, 1]);
  const { history } = await model.fit(x, tf.zeros([4, 1]), { epochs: 1, batchSize: 4, verbose: 0 });
  const loss = history.loss[0];
  const [mean, variance] = model.layers[0].getWeights().slice(2).map((t) => t.dataSync()[0]);
  console.log({ loss, mean, variance });
  // The mean square of the normalised batch is 1, that of the batch itself 104.
  if (!(Math.abs(loss - 1) < 0.01 && Math.abs(mean - 5) < 0.01)) throw new Error('changed');
  console.log('The frozen layer normalised by the batch, and its moving mean went from 0 to 5.');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
JS
node run.cjs
