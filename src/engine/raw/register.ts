import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend, OpAttribute } from '../backend';

/** The number of outputs of a fused batch norm: the normalised batch, mean, variance, and three tensors for its gradient. */
const batchNormOutputs = 6;

/**
 * Registers fused TensorFlow kernels that TF.js lacks, each with its gradient: training batch norm and the gradient of
 * ReLU, which the functions in this folder use. Also replaces two kernels of TF.js for all code that runs them. Called
 * once, when TensorFlow is loaded.
 */
export function registerRawKernels(backend: NodeBackend): void {
  registerBatchNorm(backend);
  registerReluGrad(backend);
  replaceGather(backend);
  replaceConvFilterGradient(backend);
}

function registerBatchNorm(backend: NodeBackend): void {
  const { binding } = backend;
  const attributesOf = (epsilon: number): OpAttribute[] => [
    typeAttribute(backend, 'T'),
    typeAttribute(backend, 'U'),
    { name: 'epsilon', type: binding.TF_ATTR_FLOAT, value: epsilon },
    { name: 'data_format', type: binding.TF_ATTR_STRING, value: 'NHWC' },
    { name: 'is_training', type: binding.TF_ATTR_BOOL, value: true },
  ];
  registerKernel('FusedBatchNormV3', ({ x, scale, bias }, { epsilon = 0 }) =>
    tf.tidy(() => {
      const none = tf.tensor1d([]);
      return backend.executeMultipleOutputs(
        'FusedBatchNormV3',
        attributesOf(Number(epsilon)),
        [x, scale, bias, none, none],
        batchNormOutputs,
      );
    }),
  );
  registerKernel('FusedBatchNormGradV3', ({ dy, x, scale, r1, r2, r3 }, { epsilon = 0 }) =>
    backend
      .executeMultipleOutputs(
        'FusedBatchNormGradV3',
        attributesOf(Number(epsilon)),
        [dy, x, scale, r1, r2, r3],
        5,
      )
      .slice(0, 3),
  );
  tf.registerGradient({
    kernelName: 'FusedBatchNormV3',
    inputsToSave: ['x', 'scale'],
    outputsToSave: [false, false, false, true, true, true],
    gradFunc: (dys, [x, scale, r1, r2, r3], attrs) => {
      const [dy] = dys as tf.Tensor[];
      const [dx, dScale, dBias] = runKernel(
        'FusedBatchNormGradV3',
        { dy, x, scale, r1, r2, r3 },
        attrs,
      );
      return { x: () => dx, scale: () => dScale, bias: () => dBias };
    },
  });
}

function registerReluGrad(backend: NodeBackend): void {
  registerKernel('ReluGrad', ({ dy, y }) =>
    backend.executeSingleOutput('ReluGrad', [typeAttribute(backend, 'T')], [dy, y]),
  );
  // The gradient is linear in dy, and constant in y except where y is zero: enough for a second derivative.
  tf.registerGradient({
    kernelName: 'ReluGrad',
    inputsToSave: ['y'],
    gradFunc: (ddy, [y]) => ({
      dy: () => runKernel('ReluGrad', { dy: ddy as tf.Tensor, y })[0],
      y: () => tf.zerosLike(y),
    }),
  });
}

/**
 * tfjs-node's own kernel reads all indices back to check them in JavaScript. TensorFlow checks them itself (on a GPU it
 * gives zeros instead), and a recording has no values to read.
 */
function replaceGather(backend: NodeBackend): void {
  const { binding } = backend;
  const dtypes: Readonly<Record<string, number>> = {
    float32: binding.TF_FLOAT,
    int32: binding.TF_INT32,
    bool: binding.TF_BOOL,
  };
  tf.unregisterKernel('GatherV2', 'tensorflow');
  registerKernel('GatherV2', ({ x, indices }, { batchDims = 0, axis = 0 }) => {
    const batchAttribute = {
      name: 'batch_dims',
      type: binding.TF_ATTR_INT,
      value: Number(batchDims),
    };
    return tf.tidy(() =>
      backend.executeSingleOutput(
        'GatherV2',
        [
          batchAttribute,
          typeAttribute(backend, 'Tparams', dtypes[x.dtype]),
          typeAttribute(backend, 'Tindices', binding.TF_INT32),
          typeAttribute(backend, 'Taxis', binding.TF_INT32),
        ],
        [x, indices, tf.scalar(Number(axis), 'int32')],
      ),
    );
  });
}

/**
 * TensorFlow 2.21 computes a wrong kernel gradient for 1x1 convolutions with a stride and fewer than eight input channels,
 * on processors with AVX2 only. This one runs it at stride 1 on the pixels that the convolution reads.
 */
function replaceConvFilterGradient(backend: NodeBackend): void {
  const name = 'Conv2DBackpropFilter';
  const own = tf.getKernel(name, 'tensorflow');
  const run = (inputs: tf.NamedTensorInfoMap, attrs: tf.NamedAttrMap): tf.TensorInfo =>
    own.kernelFunc({ inputs, backend, attrs }) as tf.TensorInfo;
  tf.unregisterKernel(name, 'tensorflow');
  registerKernel(name, (inputs, attributes) => {
    const attrs = attributes as tf.NamedAttrMap;
    const [rows, columns] = attrs['filterShape'] as readonly number[];
    const [down, across = down] = [attrs['strides']].flat().map(Number);
    const isHandled =
      rows === 1 &&
      columns === 1 &&
      (down > 1 || across > 1) &&
      typeof attrs['pad'] === 'string' &&
      attrs['dataFormat'] === 'NHWC';
    if (!isHandled) return run(inputs, attrs);
    const x = tf.avgPool(inputs['x'] as tf.Tensor4D, 1, [down, across], 'valid');
    try {
      return run({ ...inputs, x }, { ...attrs, strides: 1 });
    } finally {
      x.dispose();
    }
  });
}

function registerKernel(
  kernelName: string,
  run: (
    inputs: Record<string, tf.TensorInfo>,
    attributes: Readonly<Record<string, unknown>>,
  ) => tf.TensorInfo | tf.TensorInfo[],
): void {
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, attrs }) => run(inputs as Record<string, tf.TensorInfo>, attrs ?? {}),
  });
}

/** An attribute that names a type: float32 by default. */
function typeAttribute(
  { binding }: NodeBackend,
  name: string,
  value: number = binding.TF_FLOAT,
): OpAttribute {
  return { name, type: binding.TF_ATTR_TYPE, value };
}

/** Runs a registered kernel on the gradient tape; the tensors returned are owned by the caller. */
export function runKernel(
  name: string,
  inputs: Record<string, tf.Tensor>,
  attributes: tf.NamedAttrMap = {},
): tf.Tensor[] {
  const result: unknown = tf.engine().runKernel(name, inputs, attributes);
  return (Array.isArray(result) ? result : [result]) as tf.Tensor[];
}
