import * as tf from '@tensorflow/tfjs-core';
import { runKernel } from '../engine/raw/register';
import { loadTensorflow } from '../engine/tensorflow';

/** Gradients that TensorFlow computes from the output in one operation, and TF.js in several. */
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

/** Runs `action` with single-operation gradients in place of TF.js's own. */
export function withFusedGradients<T>(action: () => T): T {
  const before = Object.keys(fromOutput).map((kernelName): tf.GradConfig => {
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
