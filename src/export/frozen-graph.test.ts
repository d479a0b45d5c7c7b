import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io, tensor } from '@tensorflow/tfjs-core';
import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs-core';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { ExportError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { mean, std } from '../data/normalise';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import type { Graph } from '../graph/spec';
import { bagOfTricks, newDawn } from '../models/bag-of-tricks';
import { dawnNet, stridedBlock } from '../models/dawn';
import { resnet9 } from '../models/resnet9';
import { celu, gelu, relu, shiftScaleRelu, silu, softplus } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { add, addWeighted, concat, flatten, identity, mul } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { fuse } from '../nn/fuse';
import { crossEntropyLoss } from '../nn/loss';
import { initNetwork } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';
import { avgPool, maxPool } from '../nn/pool';
import { freeze } from './frozen-graph';
import { graphModel } from './graph-model';
import { createPredictor, softmax } from './predictor';
import { savedModel } from './saved-model';

const normalisation = { mean, std };
const channels = { prep: 4, layer1: 4, layer2: 8, layer3: 8 };
const images = new Uint8Array(3 * 3072);
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-export-'));

beforeAll(() => {
  loadTensorflow();
  const rng = createRng(3, 'images');
  const noise = new Float32Array(images.length);
  rng.fillUniform(noise, 0, 256);
  images.set(noise);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Initial weights, with random running statistics so that mixed-up variables change the result. */
function weightsOf(graph: Graph<AnyLayer>): HostVariables {
  const rng = createRng(1, 'init');
  return Object.fromEntries(
    Object.entries(initNetwork(graph, rng)).map(([path, { shape, data }]) => {
      if (!/running_|bn|norm|bias/.test(path)) return [path, { shape, data }];
      const drawn = new Float32Array(data.length);
      rng.fillUniform(drawn, 0.5, 1.5);
      return [path, { shape, data: drawn }];
    }),
  );
}

/** Combines layers and options that no single network of the study has. */
const mixed = build<AnyLayer>({
  input: [null, []],
  first: [conv(3, 4, { stride: 2, padding: 1, hasBias: true }), ['input']],
  bn: [batchNorm(4, { epsilon: 1e-3 }), ['first']],
  celu: [celu(0.3), ['bn']],
  soft: [softplus({ beta: 2, threshold: 0.5 }), ['bn']],
  both: [concat(), ['celu', 'soft']],
  second: [conv(8, 8, { size: 1 }), ['both']],
  scaled: [shiftScaleRelu(), ['second']],
  sum: [addWeighted(0.25, 0.75), ['scaled', 'both']],
  pool: [avgPool(2), ['sum']],
  gelu: [gelu(), ['pool']],
  silu: [silu(), ['gelu']],
  valid: [conv(8, 6, { padding: 0 }), ['silu']],
  relu: [relu(), ['valid']],
  max: [maxPool(3, 2), ['relu']],
  more: [add(), ['max', 'max']],
  flat: [flatten(), ['more']],
  out: [linear(24, 10, { hasBias: true }), ['flat']],
  times: [mul(0.5), ['out']],
  logits: [identity(), ['times']],
});

/** A convolution and a norm with an activation of their own. */
const fused = fuse(
  build<AnyLayer>({
    input: [null, []],
    first: [conv(3, 4, { stride: 2, padding: 1, hasBias: true }), ['input']],
    gelu: [gelu(), ['first']],
    second: [conv(4, 4, { stride: 2, padding: 1 }), ['gelu']],
    bn: [batchNorm(4), ['second']],
    celu: [celu(0.3), ['bn']],
    max: [maxPool(4), ['celu']],
    flat: [flatten(), ['max']],
    out: [linear(16, 10), ['flat']],
  }),
);

const networks: readonly (readonly [name: string, graph: Graph<AnyLayer>])[] = [
  ['resnet9', build(resnet9({ channels }))],
  ['dawn, strided', build(dawnNet({ channels: [4, 4, 8, 8], block: stridedBlock }))],
  ['bag of tricks', build(bagOfTricks({ channels, act: celu(0.3) }))],
  ['new-dawn', build(newDawn({ channels }))],
  ['every other layer', mixed],
  ['fused activations', fused],
];

async function graphModelLogits(
  files: ReadonlyMap<string, string | Uint8Array>,
): Promise<Float32Array[]> {
  const json = JSON.parse(String(files.get('model.json'))) as {
    modelTopology: object;
    weightsManifest: { paths: string[]; weights: io.WeightsManifestEntry[] }[];
    signature: object;
  };
  const [{ paths, weights }] = json.weightsManifest;
  const bytes = Buffer.concat(paths.map((path) => files.get(path) as Uint8Array));
  const model = await loadGraphModel(
    io.fromMemory({
      modelTopology: json.modelTopology,
      weightSpecs: weights,
      weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
      signature: json.signature,
    }),
  );
  const x = tensor(Float32Array.from(images), [3, 32, 32, 3]);
  const named = model.predict({ images: x }) as Tensor[];
  const out = await Promise.all(named.map((one) => one.data<'float32'>()));
  for (const one of [x, ...named]) one.dispose();
  model.dispose();
  return out;
}

interface NodeModel {
  predict(inputs: NamedTensorMap): NamedTensorMap;
  dispose(): void;
}

async function savedModelLogits(bytes: Uint8Array, name: string): Promise<NamedTensorMap> {
  const folder = mkdtempSync(join(scratch, 'model-'));
  writeFileSync(join(folder, 'saved_model.pb'), bytes);
  const { node } = createRequire(__filename)('@tensorflow/tfjs-node-gpu') as {
    node: { loadSavedModel(path: string, tags: string[], name: string): Promise<NodeModel> };
  };
  const model = await node.loadSavedModel(folder, ['serve'], name);
  const x = tensor(Float32Array.from(images), [3, 32, 32, 3]);
  const found = model.predict({ images: x });
  model.dispose();
  return found;
}

describe.each(networks)('%s', (_, graph) => {
  test.each([false, true])('gives the same logits as evaluation, mirror images %s', async (tta) => {
    const variables = weightsOf(graph);
    const predictor = createPredictor(graph, variables, { tta, batchSize: 2 });
    const expected = await predictor.logits(images);
    predictor.dispose();
    const spread = Math.max(...expected) - Math.min(...expected);
    expect(spread).toBeGreaterThan(0.01);

    const frozen = freeze(graph, variables, { normalisation, tta });
    const [logits, probabilities] = await graphModelLogits(graphModel(frozen));
    const shape = [3, 10];
    expectClose('graph model', { shape, data: logits }, { shape, data: expected });
    expectClose(
      'probabilities',
      { shape, data: probabilities },
      { shape, data: softmax(expected) },
    );
    const named = await savedModelLogits(savedModel(frozen), 'serving_default');
    const data = await named['logits'].data<'float32'>();
    expectClose('SavedModel', { shape, data }, { shape, data: expected });
  });
});

test('a predictor has as many classes as the network has outputs', async () => {
  const graph = build<AnyLayer>({ flatten: flatten(), linear: linear(3072, 7), scaled: mul(2) });
  const predictor = createPredictor(graph, weightsOf(graph));
  expect(predictor.classes).toBe(7);
  const probabilities = softmax(await predictor.logits(images), predictor.classes);
  predictor.dispose();
  expect(probabilities).toHaveLength(3 * 7);
  for (const from of [0, 7, 14]) {
    expect(probabilities.subarray(from, from + 7).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 9);
  }
});

test('a mirror image changes the logits', async () => {
  const [, graph] = networks[0];
  const variables = weightsOf(graph);
  const [plain] = await graphModelLogits(graphModel(freeze(graph, variables, { normalisation })));
  const [both] = await graphModelLogits(
    graphModel(freeze(graph, variables, { normalisation, tta: true })),
  );
  expect(Math.max(...plain.map((value, i) => Math.abs(value - both[i])))).toBeGreaterThan(1e-4);
});

test('splits the weights into shards that add up', () => {
  const graph = build(resnet9());
  const files = graphModel(
    freeze(graph, initNetwork(graph, createRng(0, 'init')), { normalisation }),
  );
  const shards = [...files].filter(([name]) => name.endsWith('.bin'));
  expect(shards.map(([name]) => name)).toContain('group1-shard1of7.bin');
  const bytes = shards.reduce((sum, [, content]) => sum + content.length, 0);
  expect(bytes).toBeGreaterThan(4 * 6_573_120);
});

describe('refuses', () => {
  const graph = build<AnyLayer>(resnet9({ channels }));
  const variables = initNetwork(graph, createRng(0, 'init'));

  test('a missing variable, and suggests the nearest name', () => {
    const { 'prep/conv/weight': weight, ...rest } = variables;
    expect(() =>
      freeze(graph, { ...rest, 'prep/conv/weights': weight }, { normalisation }),
    ).toThrow('there is no variable "prep/conv/weight". Nearest: "prep/conv/weights".');
  });

  test('a variable of the wrong shape', () => {
    const wrong = { ...variables, 'prep/conv/weight': variables['layer1/conv/weight'] };
    expect(() => freeze(graph, wrong, { normalisation })).toThrow(
      '"prep/conv/weight" has shape [3,3,4,4]; its layer expects [3,3,3,4]',
    );
  });

  test('a loss', () => {
    expect(() => freeze(build<AnyLayer>(crossEntropyLoss()), {}, { normalisation })).toThrow(
      ExportError,
    );
  });

  test('pixels that are not a whole number of images', async () => {
    const predictor = createPredictor(graph, variables);
    await expect(predictor.logits(new Uint8Array(100))).rejects.toThrow(
      '100 bytes are not a whole number of images [32,32,3]',
    );
    predictor.dispose();
  });

  test.each([0, -1, 2.5, NaN, Infinity])('a batch size of %s', (batchSize) => {
    expect(() => createPredictor(graph, variables, { batchSize })).toThrow(
      `batchSize must be a positive integer; got ${batchSize}.`,
    );
  });

  // On a CPU, max pooling turns NaN into -3.4e38, and the logits are finite.
  test.each(['freeze', 'createPredictor'] as const)('NaN in a variable: %s', (by) => {
    const damaged = { ...variables, 'prep/bn/bias': nanAt(variables['prep/bn/bias'], 2) };
    const make = {
      freeze: () => freeze(graph, damaged, { normalisation }),
      createPredictor: () => createPredictor(graph, damaged),
    }[by];
    expect(make).toThrow(ExportError);
    expect(make).toThrow('element 2 of "prep/bn/bias" is NaN. Training diverged');
  });

  test.each([false, true])('NaN logits although all variables are finite, tta %s', async (tta) => {
    const negative = variables['layer1/bn/running_var'].data.map(() => -1) as Float32Array;
    const damaged = {
      ...variables,
      'layer1/bn/running_var': { ...variables['layer1/bn/running_var'], data: negative },
      'layer3/bn/running_var': {
        ...variables['layer3/bn/running_var'],
        data: variables['layer3/bn/running_var'].data.map(() => -1) as Float32Array,
      },
    };
    const predictor = createPredictor(graph, damaged, { tta, batchSize: 2 });
    await expect(predictor.logits(new Uint8Array(3 * 3072).fill(9))).rejects.toThrow(
      /predict: for image 0 of its batch element \d+ of "layer1\/bn" is NaN, although all variables are finite/,
    );
    predictor.dispose();
  });
});

function nanAt({ shape, data }: HostTensor, index: number): HostTensor {
  const copy = Float32Array.from(data);
  copy[index] = NaN;
  return { shape, data: copy };
}
