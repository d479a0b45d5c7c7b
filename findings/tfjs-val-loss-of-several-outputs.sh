#!/usr/bin/env bash
# For a model with several outputs, TF.js reports the loss of the first output alone as val_loss.
#
# `loss` is the sum over the outputs, as in Keras. `val_loss`, and the first value of evaluate(), is the first output's loss. The
# names after it are shifted: val_OUTPUT_loss of the first output holds the sum. Early stopping watches val_loss.
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
  const input = tf.input({ shape: [1] });
  const dense = (name) =>
    tf.layers.dense({ units: 1, useBias: false, kernelInitializer: 'zeros', name }).apply(input);
  const model = tf.model({ inputs: input, outputs: [dense('a'), dense('b')] });
  model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
  // Both outputs are 0: the losses are 1 and 9, their sum 10.
  const [x, a, b] = [tf.ones([4, 1]), tf.fill([4, 1], 1), tf.fill([4, 1], 3)];
  const { history } = await model.fit(x, [a, b], {
    epochs: 1,
    verbose: 0,
    validationData: [x, [a, b]],
  });
  console.log(history);
  const seen = [history.loss[0], history.val_loss[0], history.val_a_loss[0], history.val_b_loss[0]];
  if (seen.join() !== '10,1,10,1') throw new Error(`changed: ${seen}`);
  console.log('loss is 10; val_loss, on the same data and weights, is 1.');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
JS
node run.cjs
