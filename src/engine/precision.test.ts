import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filled, sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { attributeType, dataType, openGraph } from './graph';
import type { GraphEntry, TensorGraph, Value } from './graph';
import type { Precision } from './hardware';
import { castOperation } from './precision';
import { batchNormTraining } from './raw/batch-norm';
import { relu } from './raw/relu';
import { createSession } from './session';
import type { Recording } from './session';
import { loadTensorflow } from './tensorflow';

let graph: TensorGraph;

beforeAll(() => {
  loadTensorflow();
  graph = openGraph();
});

afterAll(() => {
  graph.close();
});

const float = (...shape: number[]): Value => graph.placeholder(dataType.float32, shape);
const int = (...shape: number[]): Value => graph.placeholder(dataType.int32, shape);
const constant = (value: number, shape: readonly number[] = []): Value =>
  graph.constant({ dtype: dataType.float32, shape, data: new Float32Array([value]) });
const typeT = { name: 'T', type: attributeType.type, value: dataType.float32 };

/** How an operation is recorded: the types of its inputs, its attribute T, and the casts that were added for it. */
function cast(
  precision: Precision,
  op: string,
  inputs: readonly Value[],
): { readonly dtypes: number[]; readonly T: unknown; readonly casts: GraphEntry[] } {
  const before = graph.entries.length;
  const other = { name: 'U', type: attributeType.type, value: dataType.float32 };
  const result = castOperation(graph, precision, op, inputs, [typeT, other]);
  expect(result.attributes[1]).toEqual(other);
  return {
    dtypes: result.inputs.map(({ dtype }) => dtype),
    T: result.attributes[0].value,
    casts: graph.entries.slice(before),
  };
}

const float32 = dataType.float32;

describe.each([
  ['bf16', dataType.bfloat16],
  ['fp16', dataType.float16],
] as const)('castOperation in %s', (precision, low) => {
  const lowValue = (...shape: number[]): Value => graph.placeholder(low, shape);

  test.each(['Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter', 'MatMul', 'BatchMatMulV2'])(
    '%s is in low precision whatever it reads; integers stay',
    (op) => {
      const { dtypes, T, casts } = cast(precision, op, [float(2, 2), int(4), lowValue(2, 2)]);
      expect(dtypes).toEqual([low, dataType.int32, low]);
      expect(T).toBe(low);
      expect(casts.map((node) => [node.op, node.outputs[0].dtype])).toEqual([['Cast', low]]);
    },
  );

  test('a product of integers is computed in integers', async () => {
    const session = createSession({}, { precision });
    const a = { shape: [1, 2], data: Int32Array.of(1, 300) };
    const b = { shape: [2, 1], data: Int32Array.of(1, 3) };
    const product = session.capture(
      'product',
      (_state, inputs) => ({
        outputs: { ab: tf.matMul(inputs.a, inputs.b), mean: tf.mean(inputs.a) },
      }),
      { a, b },
    );
    const { ab, mean } = await product({ a, b });
    expect(ab.data).toEqual(Int32Array.of(901));
    expect(mean.data).toEqual(Float32Array.of(150.5));
    session.dispose();
  });

  test('a value is cast once, however many operations read it', () => {
    const [weights, x, dy] = [float(3, 3, 2, 2), lowValue(1, 4, 4, 2), lowValue(1, 4, 4, 2)];
    expect(cast(precision, 'Conv2D', [x, weights]).casts).toHaveLength(1);
    expect(cast(precision, 'Conv2D', [x, weights]).casts).toHaveLength(0);
    expect(cast(precision, 'Conv2DBackpropInput', [int(4), weights, dy]).casts.length).toBe(0);
    // And back, if several fp32 operations read one value in low precision.
    expect(cast(precision, 'Sum', [dy, int(1)]).casts).toHaveLength(1);
    expect(cast(precision, 'Exp', [dy]).casts).toHaveLength(0);
  });

  test.each([
    'Add',
    'AddV2',
    'Mul',
    'Sub',
    'Relu',
    'Elu',
    'MaxPool',
    'AvgPool',
    'Reshape',
    'Transpose',
    'ConcatV2',
    'Pad',
  ])('%s follows what it reads', (op) => {
    const [a, b] = [lowValue(2, 3), lowValue(2, 3)];
    expect(cast(precision, op, [a, b])).toEqual({ dtypes: [low, low], T: low, casts: [] });
    expect(cast(precision, op, [a, int(2)])).toMatchObject({
      dtypes: [low, dataType.int32],
      T: low,
    });
    const [x, y] = [float(2, 3), float(2, 3)];
    expect(cast(precision, op, [x, y])).toEqual({
      dtypes: [float32, float32],
      T: float32,
      casts: [],
    });
    const mixed = cast(precision, op, [a, x]);
    expect(mixed).toMatchObject({ dtypes: [float32, float32], T: float32 });
    expect(mixed.casts.map(({ outputs }) => outputs[0].dtype)).toEqual([float32]);
  });

  test('a constant scalar is cast along; a fed one, such as a learning rate, stays in fp32', () => {
    const gradient = lowValue(3, 3);
    expect(cast(precision, 'Mul', [gradient, constant(0.125)])).toMatchObject({
      dtypes: [low, low],
      T: low,
    });
    expect(cast(precision, 'Mul', [gradient, constant(0.125, [1, 1])]).T).toBe(low);
    expect(cast(precision, 'Mul', [gradient, float()])).toMatchObject({
      dtypes: [float32, float32],
      T: float32,
    });
    expect(cast(precision, 'Mul', [float(3, 3), constant(0.125)]).T).toBe(float32);
  });

  test.each(['ReluGrad', 'EluGrad', 'MaxPoolGrad', 'AvgPoolGrad'])(
    '%s is in low precision if any of its inputs is',
    (op) => {
      expect(cast(precision, op, [float(2, 3), lowValue(2, 3)])).toMatchObject({
        dtypes: [low, low],
        T: low,
      });
      expect(cast(precision, op, [float(2, 3), float(2, 3)])).toMatchObject({
        dtypes: [float32, float32],
        T: float32,
      });
    },
  );

  test('batch norm reads activations in low precision, and per-channel values in fp32', () => {
    const channel = (): Value => float(2);
    const x = lowValue(1, 4, 4, 2);
    const forward = [x, channel(), channel(), channel(), channel()];
    expect(cast(precision, 'FusedBatchNormV3', forward)).toEqual({
      dtypes: [low, float32, float32, float32, float32],
      T: low,
      casts: [],
    });
    const backward = [float(1, 4, 4, 2), x, lowValue(2), channel(), channel(), channel()];
    expect(cast(precision, 'FusedBatchNormGradV3', backward)).toMatchObject({
      dtypes: [low, low, float32, float32, float32, float32],
      T: low,
    });
    const full = [float(1, 4, 4, 2), channel(), channel(), channel(), channel()];
    expect(cast(precision, 'FusedBatchNormV3', full)).toMatchObject({ T: float32, casts: [] });
  });

  test.each([
    'Softmax',
    'Exp',
    'Log',
    'Sum',
    'Mean',
    'Max',
    'Sqrt',
    'Square',
    'SquaredDifference',
    'Select',
    'AssignVariableOp',
  ])('%s reads fp32', (op) => {
    expect(cast(precision, op, [lowValue(2, 3), float(2, 3), int(1)])).toMatchObject({
      dtypes: [float32, float32, dataType.int32],
      T: float32,
    });
  });
});

test('castOperation in fp32 adds nothing', () => {
  for (const op of ['Conv2D', 'ReluGrad', 'Mul', 'FusedBatchNormV3', 'Sum']) {
    expect(cast('fp32', op, [float(2, 2), int(4), float(2, 2)])).toEqual({
      dtypes: [float32, dataType.int32, float32],
      T: float32,
      casts: [],
    });
  }
});

/** Numbers from a seed, roughly normal, the same on every machine. */
function normal(shape: readonly number[], seed: number, deviation = 1): HostTensor {
  const data = new Float32Array(sizeOf(shape));
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    let sum = 0;
    for (let j = 0; j < 4; j++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      sum += state / 2 ** 32 - 0.5;
    }
    data[i] = sum * Math.sqrt(3) * deviation;
  }
  return { shape, data };
}

const [batch, size] = [16, 12];

const network = {
  conv1: normal([3, 3, 3, 16], 1, 0.3),
  scale1: filled([16], 1),
  bias1: normal([16], 2, 0.1),
  conv2: normal([3, 3, 16, 20], 3, 0.15),
  scale2: filled([20], 1),
  bias2: normal([20], 4, 0.1),
  linear: normal([20, 10], 5, 0.3),
};

/** The activation and pooling of a network's two layers. */
type Kind = 'ReLU, max pooling' | 'ELU, average pooling';

/** Gradients and loss of a small network with two convolutions, in the given precision. */
async function train(
  precision: Precision,
  kind: Kind = 'ReLU, max pooling',
): Promise<{
  readonly gradients: Readonly<Record<string, HostTensor>>;
  readonly loss: number;
  readonly recording: Recording;
}> {
  const isSmooth = kind === 'ELU, average pooling';
  const activate = (x: tf.Tensor): tf.Tensor4D => (isSmooth ? tf.elu(x) : relu(x)) as tf.Tensor4D;
  const pool = (x: tf.Tensor4D): tf.Tensor4D =>
    isSmooth ? tf.avgPool(x, 2, 2, 'valid') : tf.maxPool(x, 2, 2, 'valid');
  const session = createSession(network, { mode: 'captured', precision });
  const names = Object.keys(network) as (keyof typeof network)[];
  const images = normal([batch, size, size, 3], 6);
  const labels = filled([batch, 10], 0);
  for (let i = 0; i < batch; i++) labels.data[i * 10 + (i % 10)] = 1;
  const step = session.capture(
    'train',
    (state, given) => {
      const loss = (...weights: tf.Tensor[]): tf.Tensor => {
        const [conv1, scale1, bias1, conv2, scale2, bias2, linear] = weights as [
          tf.Tensor4D,
          tf.Tensor1D,
          tf.Tensor1D,
          tf.Tensor4D,
          tf.Tensor1D,
          tf.Tensor1D,
          tf.Tensor2D,
        ];
        const first = tf.conv2d(given.images as tf.Tensor4D, conv1, 1, 'same');
        const x1 = activate(batchNormTraining(first, scale1, bias1, 1e-5).output);
        const second = tf.conv2d(pool(x1), conv2, 1, 'same');
        const x2 = activate(batchNormTraining(second, scale2, bias2, 1e-5).output);
        const pooled = tf.avgPool(x2, 6, 6, 'valid').reshape<tf.Tensor2D>([batch, 20]);
        return tf.logSoftmax(tf.matMul(pooled, linear)).mul(given.labels).sum().neg();
      };
      const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => state[name]));
      const gradients = Object.fromEntries(names.map((name, index) => [name, grads[index]]));
      return {
        state: Object.fromEntries(
          names.map((name) => [name, state[name].sub(gradients[name].mul(given.lr))]),
        ),
        outputs: { gradients, loss: value },
      };
    },
    { images, labels, lr: 0 },
  );
  const { gradients, loss } = await step({ images, labels, lr: 0.1 });
  const [recording] = session.recordings;
  session.dispose();
  return { gradients, loss: loss.data[0], recording };
}

/** |a - b| / |b| over all elements. */
function distance({ data: a }: HostTensor, { data: b }: HostTensor): number {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/**
 * Allowed distance of a gradient from that in fp32. bf16 keeps 8 bits, fp16 11: measured distances are 0.5 to 1.2 % and 0.1 to
 * 0.5 %. With ReLU and max pooling, rounding changes some of their decisions, each of which changes a whole element:
 * up to 6 % and 3.5 % in the first layer, whatever the arithmetic.
 */
const bars = {
  bf16: { 'ELU, average pooling': 0.02, 'ReLU, max pooling': 0.1 },
  fp16: { 'ELU, average pooling': 0.01, 'ReLU, max pooling': 0.06 },
} as const;

describe.each(['bf16', 'fp16'] as const)('a step of a small network in %s', (precision) => {
  test.each(['ELU, average pooling', 'ReLU, max pooling'] as const)(
    'has gradients close to those of fp32: %s',
    async (kind) => {
      const full = await train('fp32', kind);
      const half = await train(precision, kind);
      const far = Object.entries(full.gradients).map(
        ([name, expected]) => [name, distance(half.gradients[name], expected)] as const,
      );
      const bar = bars[precision][kind];
      expect(far.filter(([, error]) => !(error < bar))).toEqual([]);
      // Shows that half precision was actually used.
      expect(Math.max(...far.map(([, error]) => error))).toBeGreaterThan(1e-5);
      expect(Math.abs(half.loss / full.loss - 1)).toBeLessThan(bar / 4);
    },
  );
});

// In fp16, because in bf16 the recorded convolutions depend on the processor.
test('computes in low precision, casts each kernel once, and keeps state and loss in fp32', async () => {
  const { nodes, reads, writes } = (await train('fp16')).recording;
  const of = (...ops: string[]): GraphEntry[] => nodes.filter(({ op }) => ops.includes(op));
  const computing = ['Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter', 'BatchMatMulV2'];
  const activations = ['Relu', 'ReluGrad', 'MaxPool', 'MaxPoolGrad', 'AvgPool', 'AvgPoolGrad'];
  const normalised = ['FusedBatchNormV3', 'FusedBatchNormGradV3'];
  for (const { op, outputs } of of(...computing, ...activations, ...normalised)) {
    expect([op, outputs[0].dtype]).toEqual([op, dataType.float16]);
  }
  expect(of(...computing)).toHaveLength(2 + 1 + 2 + 3);
  for (const { outputs } of of(...normalised)) {
    expect(outputs.slice(1, 3).map(({ dtype }) => dtype)).toEqual([float32, float32]);
  }
  for (const { op, outputs } of of('Exp', 'Log', 'Sum', 'Max')) {
    expect([op, outputs[0].dtype]).toEqual([op, float32]);
  }

  const castOf = new Map<string, number>();
  for (const { inputs } of of('Cast')) {
    const read = reads.find(({ value }) => value.ref.join() === inputs[0].ref.join());
    if (read !== undefined) castOf.set(read.path, (castOf.get(read.path) ?? 0) + 1);
  }
  expect(Object.fromEntries(castOf)).toEqual({ conv1: 1, conv2: 1, linear: 1 });

  // The optimiser's arithmetic is all in fp32.
  const byId = new Map(nodes.map((node) => [node.id, node]));
  expect(writes).toHaveLength(7);
  for (const { path, value } of writes) {
    const subtraction = byId.get(value.ref[0]);
    const product = byId.get(subtraction?.inputs[1].ref[0] ?? -1);
    expect([path, subtraction?.op, product?.op]).toEqual([path, 'Sub', 'Mul']);
    for (const node of [subtraction, product]) {
      expect(node?.inputs.map(({ dtype }) => dtype)).toEqual([float32, float32]);
    }
  }
});

test.each([1, 3, 5])(
  'in bf16 the gradient of a %ix%i kernel accumulates in fp32: 4,096 ones sum to 4,096',
  async (size) => {
    const ones = (...shape: number[]): HostTensor => filled(shape, 1);
    const shape = [size, size, 4, 4];
    const session = createSession(
      { kernel: ones(...shape), gradient: ones(...shape) },
      { precision: 'bf16' },
    );
    try {
      const images = ones(16, 16, 16, 4);
      const run = session.capture(
        'gradient',
        ({ kernel }, { x }) => {
          const sum = (k: tf.Tensor): tf.Scalar =>
            tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, 'same').sum();
          return { state: { gradient: tf.grad(sum)(kernel) } };
        },
        { x: images },
      );
      await run({ x: images });
      const { gradient } = await session.read('gradient');
      const middle = (size * size - 1) / 2;
      // Only the middle tap covers every pixel of every image.
      expect([...gradient.data.subarray(16 * middle, 16 * (middle + 1))]).toEqual(
        Array.from({ length: 16 }, () => 4096),
      );
    } finally {
      session.dispose();
    }
  },
);
