import * as tf from '@tensorflow/tfjs-core';
import { batchNormTraining } from '../engine/raw/batch-norm';
import { runKernel } from '../engine/raw/register';
import { loadTensorflow } from '../engine/tensorflow';
import type { LayerInternals, Weight } from './internals';

interface BatchNormalization extends LayerInternals {
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly gamma?: WeightAccess;
  readonly beta?: WeightAccess;
  readonly movingMean: WeightAccess;
  readonly movingVariance: WeightAccess;
}

interface WeightAccess extends Weight {
  read(): tf.Tensor;
  write(value: tf.Tensor): void;
}

/**
 * Batch norm in training by TensorFlow's one fused kernel and its gradient, where TF.js takes some twenty operations, each
 * of which keeps the activations.
 *
 * @returns what the layer does in training; nothing if the fused kernel does not fit it
 */
export function fusedCall(layer: LayerInternals): ((x: tf.Tensor) => tf.Tensor) | undefined {
  if (layer.getClassName() !== 'BatchNormalization') return undefined;
  const norm = layer as BatchNormalization;
  const { gamma, beta } = norm;
  if (gamma === undefined || beta === undefined) return undefined;
  return (x) => {
    const channels = x.shape[x.rank - 1];
    const examples = x.size / channels;
    const image = tf.reshape(x, [x.shape[0], -1, 1, channels] as [number, number, number, number]);
    const { output, mean, variance } = batchNormTraining(
      image as tf.Tensor4D,
      gamma.read() as tf.Tensor1D,
      beta.read() as tf.Tensor1D,
      norm.epsilon,
    );
    // The kernel divides the sum of squares by n - 1, TF.js by n.
    move(norm.movingMean, mean, norm.momentum);
    move(norm.movingVariance, tf.mul(variance, (examples - 1) / examples), norm.momentum);
    return tf.reshape(output, x.shape);
  };
}

/** Whether {@link fusedCall} of a batch norm can take an input. */
export function fits(layer: LayerInternals, x: tf.Tensor): boolean {
  const { axis } = layer as BatchNormalization;
  const isLast = axis === -1 || axis === x.rank - 1;
  return isLast && x.rank >= 2 && x.size / x.shape[x.rank - 1] > 1;
}

function move(average: WeightAccess, value: tf.Tensor, momentum: number): void {
  const before = average.read();
  average.write(tf.sub(before, tf.mul(tf.sub(before, value), 1 - momentum)));
}

type Gradient = tf.GradConfig;

/** Gradients that TensorFlow computes in one operation from the output, and TF.js in several. */
const fromOutput: Readonly<Record<string, (dy: tf.Tensor, y: tf.Tensor) => tf.Tensor>> = {
  Relu: (dy, y) => runKernel('ReluGrad', { dy, y })[0],
  Sigmoid: (dy, y) => execute('SigmoidGrad', y, dy),
  Tanh: (dy, y) => execute('TanhGrad', y, dy),
  Selu: (dy, y) => execute('SeluGrad', dy, y),
};

function execute(op: string, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const { backend } = loadTensorflow();
  const { TF_ATTR_TYPE: type, TF_FLOAT: value } = backend.binding;
  return backend.executeSingleOutput(op, [{ name: 'T', type, value }], [a, b]);
}

/** Runs `action` with the gradients of {@link fromOutput} in the place of TF.js's own. */
export function withFusedGradients<T>(action: () => T): T {
  const before = Object.keys(fromOutput).map((kernelName): Gradient => {
    const gradient = tf.getGradient(kernelName);
    tf.unregisterGradient(kernelName);
    tf.registerGradient({
      kernelName,
      outputsToSave: [true],
      gradFunc: (dy, [y]) => ({ x: () => fromOutput[kernelName](dy as tf.Tensor, y) }),
    });
    return gradient;
  });
  try {
    return action();
  } finally {
    for (const gradient of before) {
      tf.unregisterGradient(gradient.kernelName);
      tf.registerGradient(gradient);
    }
  }
}
