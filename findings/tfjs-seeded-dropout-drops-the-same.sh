#!/usr/bin/env bash
# A tf.layers.dropout with a seed drops the same elements in every step.
#
# In Keras the seed starts a sequence of masks. In TF.js it makes one mask, which all batches and epochs share: the units that it
# drops are never trained.
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
  const layer = tf.layers.dropout({ rate: 0.5, seed: 3 });
  const masks = [1, 2, 3].map(() =>
    layer.apply(tf.ones([2, 10]), { training: true }).dataSync().join(' '),
  );
  console.log(masks.join('\n'));
  if (new Set(masks).size !== 1) throw new Error('changed');
  console.log('Three calls, one mask.');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
JS
node run.cjs
