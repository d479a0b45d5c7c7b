#!/usr/bin/env bash
# Weights from TF.js's heNormal have 0.88 of the standard deviation in its name: truncation is not compensated.
#
# heNormal, glorotNormal, leCunNormal and varianceScaling draw from a normal distribution of the right deviation, then redraw
# whatever lies beyond two deviations. Keras divides by 0.8796 to make up for that; TF.js does not, so that each layer of ReLUs
# passes on 0.77 of the variance.
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
  const [fanIn, units] = [800, 500];
  const spread = (initializer) =>
    Math.sqrt(tf.moments(initializer.apply([fanIn, units])).variance.dataSync()[0]);
  const found = {
    heNormal: spread(tf.initializers.heNormal({ seed: 1 })) / Math.sqrt(2 / fanIn),
    leCunNormal: spread(tf.initializers.leCunNormal({ seed: 1 })) / Math.sqrt(1 / fanIn),
    glorotNormal: spread(tf.initializers.glorotNormal({ seed: 1 })) / Math.sqrt(2 / (fanIn + units)),
    heUniform: spread(tf.initializers.heUniform({ seed: 1 })) / Math.sqrt(2 / fanIn),
  };
  console.log('deviation, as a multiple of what the name promises:', found);
  const { heUniform, ...normal } = found;
  if (Object.values(normal).some((ratio) => Math.abs(ratio - 0.8796) > 0.005)) throw new Error('changed');
  if (Math.abs(heUniform - 1) > 0.005) throw new Error('changed');
  console.log('The normal initialisers are 12 % too narrow, the uniform ones are not.');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
JS
node run.cjs
