// The network of `--network fastest` and its inputs: the airbench family at its usual widths, with SiLU throughout. It uses only
// layers that every build of the library has.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const hyper = { lr: 0.01, momentum: 0.85 };
const widths = [64, 256, 256];
const whitened = 24;

/** Loads a build of the library, the compiled checkout at `root`, with the TF.js that it uses. */
export function loadBuild(root) {
  const require = createRequire(join(root, 'package.json'));
  const own = (path) => require(join(root, 'dist', path));
  // Newer builds export the engine from a separate entry point.
  const engine = 'exports/engine.js';
  const lib = {
    ...own('index.js'),
    ...(existsSync(join(root, 'dist', engine)) ? own(engine) : {}),
  };
  return {
    lib,
    tf: require('@tensorflow/tfjs-core'),
    // The graph rewrites that trainers apply. Earlier builds do not have them and run the network unchanged.
    simplify: lib.silu === undefined ? undefined : simplifier(own('nn/trim.js'), own('nn/fuse.js')),
    countFlops: lib.countFlops,
  };
}

function simplifier({ trimNetwork }, { fuse }) {
  return (graph) => fuse(trimNetwork(graph));
}

/** The parts of the network; an activation follows each but the last. */
export function partsOf({ conv, batchNorm, maxPool, flatten, linear }, size) {
  const parts = [{ whiten: conv(3, whitened, { size: 2, padding: 0, hasBias: true }) }];
  let cin = whitened;
  let extent = size - 1;
  for (const [index, cout] of widths.entries()) {
    const block = `block${index + 1}`;
    parts.push(
      { [block]: { conv1: conv(cin, cout), pool: maxPool(2), norm1: batchNorm(cout) } },
      { [block]: { conv2: conv(cout, cout), norm2: batchNorm(cout) } },
    );
    cin = cout;
    extent = Math.floor(extent / 2);
  }
  parts.push({ head: { pool: maxPool(extent), flatten: flatten(), linear: linear(cin, 10) } });
  return parts;
}

/** The network as graphs to run in order. Builds with a SiLU layer get one graph that includes the activations. */
export function graphsOf({ lib }, size) {
  const parts = partsOf(lib, size);
  if (lib.silu === undefined) {
    return parts.map((part) => lib.build({ input: [null, []], ...part }));
  }
  const net = { input: [null, []] };
  for (const [index, part] of parts.entries()) {
    for (const [name, layers] of Object.entries(part)) {
      const isLayer = typeof layers.kind === 'string';
      net[name] = isLayer ? layers : { ...net[name], ...layers };
      if (index === parts.length - 1) continue;
      if (isLayer) net.act = lib.silu();
      else net[name] = { ...net[name], [`act${index % 2 === 1 ? 1 : 2}`]: lib.silu() };
    }
  }
  return [lib.build(net)];
}

/** Writes the starting weights, images `[count,size,size,3]` and labels of all variants to a temporary folder. */
export function writeSpeedrun({ lib }, size, count) {
  const rng = lib.createRng(0, 'bench');
  const tensors = {
    images: {
      shape: [count, size, size, 3],
      data: rng.fillUniform(new Float32Array(count * size * size * 3), -1.5, 1.5),
    },
    labels: { shape: [count], data: Int32Array.from({ length: count }, () => rng.integer(10)) },
  };
  for (const graph of graphsOf({ lib }, size)) {
    for (const [path, tensor] of Object.entries(lib.initNetwork(graph, lib.createRng(0, 'init')))) {
      tensors[`network/${path}`] = tensor;
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-speedrun-'));
  const places = {};
  const parts = [];
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    places[name] = { shape, dtype: data instanceof Int32Array ? 'int32' : 'float32', offset };
    parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  writeFileSync(
    join(folder, 'problem.json'),
    JSON.stringify({ ...hyper, size, widths, tensors: places }),
  );
  writeFileSync(join(folder, 'problem.bin'), Buffer.concat(parts));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Reads the folder: `images`, `labels` and the starting `network` by path, as host tensors. */
export function readSpeedrun(folder) {
  const { tensors, ...rest } = JSON.parse(readFileSync(join(folder, 'problem.json'), 'utf8'));
  const { buffer, byteOffset } = readFileSync(join(folder, 'problem.bin'));
  const read = ({ shape, dtype, offset }) => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    return {
      shape,
      data: new (dtype === 'int32' ? Int32Array : Float32Array)(buffer, byteOffset + offset, count),
    };
  };
  const all = Object.entries(tensors).map(([name, place]) => [name, read(place)]);
  const network = all.filter(([name]) => name.startsWith('network/'));
  return {
    ...rest,
    images: read(tensors.images),
    labels: read(tensors.labels),
    network: Object.fromEntries(
      network.map(([name, value]) => [name.slice('network/'.length), value]),
    ),
  };
}
