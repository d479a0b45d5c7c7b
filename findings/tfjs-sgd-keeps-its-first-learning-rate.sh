#!/usr/bin/env bash
# Assigning `learningRate` changes the steps of Adam, Adagrad and RMSProp, but not those of SGD and momentum.
#
# SGD and momentum multiply by a tensor that the constructor made; only `setLearningRate` replaces it, and only they have that
# method. Until then getConfig() reports the new rate and training uses the old one, without an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > npm.log
npm install --silent --no-audit --no-fund @tensorflow/tfjs@4.22.0
cat > run.cjs <<'JS'
const tf = require('@tensorflow/tfjs');
console.log('tfjs', tf.version.tfjs);
const { sgd, momentum, adam, adagrad, rmsprop } = tf.train;
const optimisers = { sgd: sgd(0.1), momentum: momentum(0.1, 0.9), adam: adam(0.1), adagrad: adagrad(0.1), rmsprop: rmsprop(0.1) };
for (const [name, optimiser] of Object.entries(optimisers)) {
  const weight = tf.variable(tf.scalar(1));
  optimiser.learningRate = 0;
  optimiser.minimize(() => weight.square(), false, [weight]);
  const [moved] = weight.dataSync();
  const { learningRate } = optimiser.getConfig();
  console.log(name.padEnd(8), `reports rate ${learningRate}, moves the weight from 1 to ${moved.toFixed(2)}`);
  const expected = ['sgd', 'momentum'].includes(name) ? 0.8 : 1;
  if (learningRate !== 0 || Math.abs(moved - expected) > 1e-6) throw new Error('changed');
}
if ('setLearningRate' in optimisers.adam || !('setLearningRate' in optimisers.momentum)) throw new Error('changed');
JS
node run.cjs
