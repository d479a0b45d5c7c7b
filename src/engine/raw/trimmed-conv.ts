import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend, OpAttribute } from '../backend';
import { runKernel } from './register';

/**
 * A 3x3 convolution with stride 1 and padding 1 without the outputs that a max pooling of size 2 drops: `[N,H,W,cin]` to
 * `[N,2 floor(H/2),2 floor(W/2),cout]`, kernel `[3,3,cin,cout]`. Each output equals that of the whole convolution.
 *
 * Its gradients are those of the whole convolution, with the gradient of the outputs padded by zeros. TensorFlow's
 * gradients of a convolution with explicit padding are not used: in bf16 on a CPU they take 500 times as long, and
 * accumulate in bf16. Recordings remove the zeros again (`own-convolution.ts`).
 */
export function trimmedConv(x: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor4D {
  return runKernel('TrimmedConv2D', { x, filter })[0] as tf.Tensor4D;
}

/** Registers {@link trimmedConv} and its gradient. Called once, when TensorFlow is loaded. */
export function registerTrimmedConv(backend: NodeBackend): void {
  const { binding } = backend;
  tf.registerKernel({
    kernelName: 'TrimmedConv2D',
    backendName: 'tensorflow',
    kernelFunc: ({ inputs }) => {
      const { x, filter } = inputs as Record<string, tf.TensorInfo>;
      const [, height, width] = x.shape;
      // A row of zeros above and, where the height is even, one below; the same for columns.
      const paddings = [0, 0, 1, 1 - (height % 2), 1, 1 - (width % 2), 0, 0];
      const attributes: OpAttribute[] = [
        { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
        { name: 'strides', type: binding.TF_ATTR_INT, value: [1, 1, 1, 1] },
        { name: 'padding', type: binding.TF_ATTR_STRING, value: 'EXPLICIT' },
        { name: 'explicit_paddings', type: binding.TF_ATTR_INT, value: paddings },
      ];
      return backend.executeSingleOutput('Conv2D', attributes, [x, filter]);
    },
  });
  tf.registerGradient({
    kernelName: 'TrimmedConv2D',
    inputsToSave: ['x', 'filter'],
    gradFunc: (given, [x, filter]) => {
      const [, height, width] = x.shape;
      const dy = tf.pad(given as tf.Tensor4D, [
        [0, 0],
        [0, height % 2],
        [0, width % 2],
        [0, 0],
      ]);
      const same = { strides: 1, pad: 'same', dataFormat: 'NHWC' };
      return {
        x: () =>
          runKernel('Conv2DBackpropInput', { dy, filter }, { ...same, inputShape: x.shape })[0],
        filter: () =>
          runKernel('Conv2DBackpropFilter', { x, dy }, { ...same, filterShape: filter.shape })[0],
      };
    },
  });
}
