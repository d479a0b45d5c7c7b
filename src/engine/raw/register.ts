import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend, OpAttribute } from '../backend';

/** What a fused batch norm gives: the normalised batch, its statistics, and three tensors for its gradient. */
const batchNormOutputs = 6;

/**
 * Makes TensorFlow's fused kernels that TF.js does not know known to it, each with its gradient: training batch norm
 * and the gradient of ReLU. Called once, when TensorFlow is loaded; the functions in this folder use them.
 */
export function registerRawKernels(backend: NodeBackend): void {
  const { binding } = backend;
  const type = (name: string, value: number = binding.TF_FLOAT): OpAttribute => ({
    name,
    type: binding.TF_ATTR_TYPE,
    value,
  });
  const batchNormAttributes = (epsilon: number): OpAttribute[] => [
    type('T'),
    type('U'),
    { name: 'epsilon', type: binding.TF_ATTR_FLOAT, value: epsilon },
    { name: 'data_format', type: binding.TF_ATTR_STRING, value: 'NHWC' },
    { name: 'is_training', type: binding.TF_ATTR_BOOL, value: true },
  ];
  const kernel = (
    kernelName: string,
    run: (
      inputs: Record<string, tf.TensorInfo>,
      epsilon: number,
    ) => tf.TensorInfo | tf.TensorInfo[],
  ): void => {
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, attrs }) =>
        run(inputs as Record<string, tf.TensorInfo>, Number(attrs?.['epsilon'] ?? 0)),
    });
  };

  kernel('FusedBatchNormV3', ({ x, scale, bias }, epsilon) =>
    tf.tidy(() => {
      const none = tf.tensor1d([]);
      return backend.executeMultipleOutputs(
        'FusedBatchNormV3',
        batchNormAttributes(epsilon),
        [x, scale, bias, none, none],
        batchNormOutputs,
      );
    }),
  );
  kernel('FusedBatchNormGradV3', ({ dy, x, scale, r1, r2, r3 }, epsilon) =>
    backend
      .executeMultipleOutputs(
        'FusedBatchNormGradV3',
        batchNormAttributes(epsilon),
        [dy, x, scale, r1, r2, r3],
        5,
      )
      .slice(0, 3),
  );
  kernel('ReluGrad', ({ dy, y }) => backend.executeSingleOutput('ReluGrad', [type('T')], [dy, y]));

  // tfjs-node's own kernel reads all indices back to check them in JavaScript. TensorFlow checks them itself (on a GPU it
  // gives zeros instead), and a recording has no values to read.
  tf.unregisterKernel('GatherV2', 'tensorflow');
  tf.registerKernel({
    kernelName: 'GatherV2',
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, attrs }) => {
      const { x, indices } = inputs as Record<string, tf.TensorInfo>;
      const dtypes: Readonly<Record<string, number>> = {
        float32: binding.TF_FLOAT,
        int32: binding.TF_INT32,
        bool: binding.TF_BOOL,
      };
      return tf.tidy(() =>
        backend.executeSingleOutput(
          'GatherV2',
          [
            {
              name: 'batch_dims',
              type: binding.TF_ATTR_INT,
              value: Number(attrs?.['batchDims'] ?? 0),
            },
            type('Tparams', dtypes[x.dtype]),
            type('Tindices', binding.TF_INT32),
            type('Taxis', binding.TF_INT32),
          ],
          [x, indices, tf.scalar(Number(attrs?.['axis'] ?? 0), 'int32')],
        ),
      );
    },
  });

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
  // The gradient is linear in dy, and flat in y except where y is zero: enough for a second derivative.
  tf.registerGradient({
    kernelName: 'ReluGrad',
    inputsToSave: ['y'],
    gradFunc: (ddy, [y]) => ({
      dy: () => runKernel('ReluGrad', { dy: ddy as tf.Tensor, y })[0],
      y: () => tf.zerosLike(y),
    }),
  });
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
