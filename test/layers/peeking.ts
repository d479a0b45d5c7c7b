import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

const { layers } = tfl;

/** A layer that reads its input on the host, which cannot be recorded. */
class Peek extends layers.Layer {
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    return tf.mul(x, x.dataSync().length > 0 ? 1 : 0);
  }
  override computeOutputShape(shape: tfl.Shape): tfl.Shape {
    return shape;
  }
  static get className(): string {
    return 'Peek';
  }
  override getClassName(): string {
    return 'Peek';
  }
}

/** A compiled model with 3 inputs and 2 outputs that cannot be recorded; the same weights in every call. */
export function peeking(kernelConstraint?: 'nonNeg'): tfl.Sequential {
  const constrained = kernelConstraint === undefined ? {} : { kernelConstraint };
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 2, inputShape: [3], kernelInitializer: 'ones', ...constrained }),
      new Peek({ name: 'peek' }),
    ],
  });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  return model;
}
