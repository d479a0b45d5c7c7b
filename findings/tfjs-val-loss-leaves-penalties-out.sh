#!/usr/bin/env bash
# In TF.js, loss contains the penalties of regularisers, but val_loss and evaluate() do not.
#
# Keras adds them to both, so that loss and val_loss are comparable. In TF.js a gap between the two curves is partly the penalty.
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
      kernelInitializer: tf.initializers.constant({ value: 2 }),
      kernelRegularizer: tf.regularizers.l2({ l2: 0.5 }),
    }),
  );
  model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
  // The prediction is 2 and the target 1: a squared error of 1, and a penalty of 0.5 x 2 x 2 = 2.
  const [x, y] = [tf.ones([4, 1]), tf.ones([4, 1])];
  const { history } = await model.fit(x, y, { epochs: 1, verbose: 0, validationData: [x, y] });
  const [loss, valLoss] = [history.loss[0], history.val_loss[0]];
  const evaluated = model.evaluate(x, y).dataSync()[0];
  console.log({ loss, valLoss, evaluated });
  if ([loss, valLoss, evaluated].join() !== '3,1,1') throw new Error('changed');
  console.log('Same data, same weights: loss is 3, val_loss and evaluate() give 1.');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
JS
node run.cjs
