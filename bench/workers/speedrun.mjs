// A training step of the network of `--network fastest` by one build of the library: forward, backward and SGD with
// Nesterov momentum in one captured step, all images resident.
import { graphsOf, hyper, loadBuild, readSpeedrun } from '../speedrun.mjs';
import { readConfig, serve } from '../worker.mjs';

const config = readConfig();
const build = loadBuild(config.root);
const { lib, tf } = build;
const problem = readSpeedrun(config.problem);
const { size } = problem;
const graphs = graphsOf(build, size).map((graph) => build.simplify?.(graph) ?? graph);
const network = Object.fromEntries(
  Object.entries(problem.network).map(([path, value]) => [path.replaceAll('/', '|'), value]),
);
const isMoving = (name) => name !== 'whiten|weight' && !name.includes('running');
const moving = Object.keys(network).filter(isMoving);
const zeros = ({ shape, data }) => ({ shape, data: new Float32Array(data.length) });
const images = problem.images.data.subarray(0, config.batch * size * size * 3);
const session = lib.createSession(
  {
    network,
    velocity: Object.fromEntries(moving.map((name) => [name, zeros(network[name])])),
    images: { shape: [config.batch, size, size, 3], data: images },
    labels: { shape: [config.batch], data: problem.labels.data.subarray(0, config.batch) },
  },
  { mode: 'captured', precision: config.precision },
);

/** The network's logits. Between the graphs of a build without a SiLU layer, TF.js operations compute the activation. */
function logitsOf(variables, input) {
  let x = input;
  for (const [index, graph] of graphs.entries()) {
    const { values } = lib.runNetwork(graph, variables, { input: x }, true);
    x = [...values.values()].at(-1);
    if (index < graphs.length - 1) x = x.mul(x.sigmoid());
  }
  return x;
}

const step = session.capture(
  'train',
  (state) => {
    const loss = (...tensors) => {
      const variables = Object.fromEntries(
        Object.entries({
          ...state.network,
          ...Object.fromEntries(moving.map((name, i) => [name, tensors[i]])),
        }).map(([name, tensor]) => [name.replaceAll('|', '/'), tensor]),
      );
      const logits = logitsOf(variables, state.images);
      return tf.neg(tf.logSoftmax(logits).mul(tf.oneHot(state.labels, 10)).sum(1)).mean();
    };
    const { value, grads } = tf.valueAndGrads(loss)(moving.map((name) => state.network[name]));
    const next = { network: {}, velocity: {} };
    for (const [i, name] of moving.entries()) {
      const velocity = state.velocity[name].mul(hyper.momentum).add(grads[i]);
      next.velocity[name] = velocity;
      const move = velocity.mul(hyper.momentum).add(grads[i]).mul(hyper.lr);
      next.network[name] = state.network[name].sub(move);
    }
    return { state: next, outputs: { loss: value } };
  },
  {},
);

async function run(steps) {
  const seconds = [];
  const losses = [];
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    const { loss } = await step({});
    seconds.push((performance.now() - start) / 1000);
    losses.push(loss.data[0]);
  }
  return { seconds, losses };
}

const flops = build.countFlops === undefined ? undefined : build.countFlops(session.recordings[0]);
await serve(run, config, { algorithms: session.algorithms, flops });
if (config.profile) {
  const { nodes } = await session.profile(() => run(1));
  console.error(JSON.stringify(lib.summariseProfile(nodes)));
}
session.dispose();
