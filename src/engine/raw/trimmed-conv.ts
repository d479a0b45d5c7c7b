import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend, OpAttribute } from '../backend';
import { runKernel } from './register';

/**
 * TensorFlow's `explicit_paddings` of a trimmed convolution over `[N,H,W,C]`: a row of zeros above and, where H is even,
 * one below; the same for columns.
 */
export function trimmedPaddings(height: number, width: number): number[] {
  return [0, 0, 1, 1 - (height % 2), 1, 1 - (width % 2), 0, 0];
}

/**
 * A 3x3 convolution of stride 1 and padding 1 without the outputs that a max pooling of size 2 drops: `[N,H,W,cin]` to
 * `[N,2 floor(H/2),2 floor(W/2),cout]`, kernel `[3,3,cin,cout]`. Each output equals that of the whole convolution.
 *
 * Differentiable any number of times, as the convolution and both of its gradients are linear.
 */
export function trimmedConv(x: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor4D {
  return runKernel('TrimmedConv2D', { x, filter })[0] as tf.Tensor4D;
}

/** Registers {@link trimmedConv}, its two gradients and theirs. Called once, when TensorFlow is loaded. */
export function registerTrimmedConv(backend: NodeBackend): void {
  const { binding } = backend;
  const attributesFor = ([, height, width]: readonly number[]): OpAttribute[] => [
    { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: 'strides', type: binding.TF_ATTR_INT, value: [1, 1, 1, 1] },
    { name: 'padding', type: binding.TF_ATTR_STRING, value: 'EXPLICIT' },
    {
      name: 'explicit_paddings',
      type: binding.TF_ATTR_INT,
      value: trimmedPaddings(height, width),
    },
  ];
  const kernel = (
    kernelName: string,
    run: (
      inputs: Readonly<Record<string, tf.TensorInfo>>,
      shape: readonly number[],
    ) => tf.TensorInfo,
  ): void => {
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, attrs }) =>
        tf.tidy(
          () =>
            run(
              inputs as Record<string, tf.TensorInfo>,
              (attrs?.['shape'] ?? []) as number[],
            ) as tf.Tensor,
        ),
    });
  };
  kernel('TrimmedConv2D', ({ x, filter }) =>
    backend.executeSingleOutput('Conv2D', attributesFor(x.shape), [x, filter]),
  );
  kernel('TrimmedConv2DBackpropInput', ({ dy, filter }, shape) =>
    backend.executeSingleOutput('Conv2DBackpropInput', attributesFor(shape), [
      tf.tensor1d([...shape], 'int32'),
      filter,
      dy,
    ]),
  );
  kernel('TrimmedConv2DBackpropFilter', ({ x, dy }) =>
    backend.executeSingleOutput('Conv2DBackpropFilter', attributesFor(x.shape), [
      x,
      tf.tensor1d([3, 3, x.shape[3], dy.shape[3]], 'int32'),
      dy,
    ]),
  );

  const byInput = (dy: tf.Tensor, filter: tf.Tensor, shape: number[]): tf.Tensor =>
    runKernel('TrimmedConv2DBackpropInput', { dy, filter }, { shape })[0];
  const byFilter = (x: tf.Tensor, dy: tf.Tensor): tf.Tensor =>
    runKernel('TrimmedConv2DBackpropFilter', { x, dy })[0];
  const forward = (x: tf.Tensor, filter: tf.Tensor): tf.Tensor =>
    runKernel('TrimmedConv2D', { x, filter })[0];
  tf.registerGradient({
    kernelName: 'TrimmedConv2D',
    inputsToSave: ['x', 'filter'],
    gradFunc: (dy, [x, filter]) => ({
      x: () => byInput(dy as tf.Tensor, filter, x.shape),
      filter: () => byFilter(x, dy as tf.Tensor),
    }),
  });
  tf.registerGradient({
    kernelName: 'TrimmedConv2DBackpropInput',
    inputsToSave: ['dy', 'filter'],
    gradFunc: (ddx, [dy, filter]) => ({
      dy: () => forward(ddx as tf.Tensor, filter),
      filter: () => byFilter(ddx as tf.Tensor, dy),
    }),
  });
  tf.registerGradient({
    kernelName: 'TrimmedConv2DBackpropFilter',
    inputsToSave: ['x', 'dy'],
    gradFunc: (ddw, [x, dy]) => ({
      x: () => byInput(dy, ddw as tf.Tensor, x.shape),
      dy: () => forward(x, ddw as tf.Tensor),
    }),
  });
}
