// The limit: a chain of products of square matrices in a captured graph.
import { createRng, loadTensorflow } from 'cifar10-fast';
import { createSession } from 'cifar10-fast/engine';
import { readConfig, serve } from '../worker.mjs';

const config = readConfig();
const { size, chain, precision } = config;
const rng = createRng(0, 'matmul');
const random = (low, high) => ({
  shape: [size, size],
  data: rng.fillUniform(new Float32Array(size * size), low, high),
});
const { version } = loadTensorflow();
// With elements of variance 1 / size the product is as large as its first factor.
const bound = Math.sqrt(3 / size);
const session = createSession(
  { first: random(0, 1), second: random(-bound, bound) },
  { mode: 'captured', precision },
);
const product = session.capture(
  'matmul',
  ({ first, second }) => {
    let x = first;
    for (let i = 0; i < chain; i++) x = x.matMul(second);
    return { outputs: { one: x.slice([0, 0], [1, 1]) } };
  },
  {},
);

async function run(steps) {
  const seconds = [];
  const losses = [];
  for (let step = 0; step < steps; step++) {
    const start = performance.now();
    const { one } = await product({});
    seconds.push((performance.now() - start) / 1000);
    losses.push(one.data[0]);
  }
  return { seconds, losses };
}

await serve(run, config, { version });
session.dispose();
