import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend, OpAttribute } from '../backend';
import { ownActivations } from './own-operations';
import type { OwnActivation } from './own-operations';
import { runKernel } from './register';

let isAllowed = false;

/** Whether operations of our own may be used here: in a recording for a processor that has the instructions. */
export function hasOwnKernels(): boolean {
  return isAllowed;
}

/** Runs `body` with {@link hasOwnKernels} set. */
export function withOwnKernels<T>(allowed: boolean, body: () => T): T {
  const before = isAllowed;
  isAllowed = allowed;
  try {
    return body();
  } finally {
    isAllowed = before;
  }
}

/** TF.js's attributes of a kernel that ends in an activation. */
export function activationAttributes({ kind, alpha = 1 }: OwnActivation): tf.NamedAttrMap {
  return { activation: ownActivations[kind], alpha };
}

/**
 * Makes the operations of `native/elementwise-kernels.cc` known to TF.js, each with its gradient. They have no second
 * derivatives: whoever needs those records {@link withOwnKernels} off.
 *
 * @param threads that compute in each operation
 */
export function registerOwnKernels(backend: NodeBackend, threads: number): void {
  const { binding } = backend;
  const whole = (name: string, value: unknown): OpAttribute => ({
    name,
    type: binding.TF_ATTR_INT,
    value,
  });
  const float = (name: string, value: unknown): OpAttribute => ({
    name,
    type: binding.TF_ATTR_FLOAT,
    value,
  });
  const kinds: Readonly<Record<string, typeof whole>> = {
    activation: whole,
    size: whole,
    height: whole,
    width: whole,
    alpha: float,
    epsilon: float,
  };
  const kernel = (
    kernelName: string,
    inputNames: readonly string[],
    attributeNames: readonly string[],
    outputs: number,
  ): void => {
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, attrs }) => {
        const given = inputs as Record<string, tf.TensorInfo>;
        const attributes = [
          { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
          whole('threads', threads),
          ...attributeNames.map((name) => kinds[name](name, attrs?.[name])),
        ];
        return backend.executeMultipleOutputs(
          kernelName,
          attributes,
          inputNames.map((name) => given[name]),
          outputs,
        );
      },
    });
  };
  const act = ['activation', 'alpha'];
  kernel('Cifar10FastActivation', ['x', 'bias'], act, 1);
  kernel('Cifar10FastActivationGrad', ['dy', 'x', 'bias'], act, 1);
  kernel('Cifar10FastBiasGrad', ['dy', 'x', 'bias'], act, 1);
  kernel('Cifar10FastBatchNorm', ['x', 'scale', 'bias'], [...act, 'epsilon'], 4);
  kernel('Cifar10FastBatchNormGrad', ['dy', 'x', 'scale', 'bias', 'mean', 'reciprocal'], act, 3);
  kernel(
    'Cifar10FastBatchNormInference',
    ['x', 'scale', 'bias', 'mean', 'variance'],
    [...act, 'epsilon'],
    1,
  );
  kernel('Cifar10FastMaxPool', ['x'], ['size'], 2);
  kernel('Cifar10FastMaxPoolGrad', ['dy', 'place'], ['size', 'height', 'width'], 1);

  tf.registerGradient({
    kernelName: 'Cifar10FastActivation',
    inputsToSave: ['x', 'bias'],
    gradFunc: (dy, [x, bias], attributes) => {
      const inputs = { dy: dy as tf.Tensor, x, bias };
      return {
        x: () => runKernel('Cifar10FastActivationGrad', inputs, attributes)[0],
        bias: () => runKernel('Cifar10FastBiasGrad', inputs, attributes)[0],
      };
    },
  });
  tf.registerGradient({
    kernelName: 'Cifar10FastBatchNorm',
    inputsToSave: ['x', 'scale', 'bias'],
    outputsToSave: [false, true, false, true],
    gradFunc: (dys, [x, scale, bias, mean, reciprocal], attributes) => {
      const [dx, dScale, dBias] = runKernel(
        'Cifar10FastBatchNormGrad',
        { dy: (dys as readonly tf.Tensor[])[0], x, scale, bias, mean, reciprocal },
        attributes,
      );
      return { x: () => dx, scale: () => dScale, bias: () => dBias };
    },
  });
  // Rarely asked for, so composed: n is the normalised x, g the gradient before the activation.
  tf.registerGradient({
    kernelName: 'Cifar10FastBatchNormInference',
    inputsToSave: ['x', 'scale', 'bias', 'mean', 'variance'],
    gradFunc: (dy, [x, scale, bias, mean, variance], attributes) => {
      const r = variance.add(Number(attributes['epsilon'])).rsqrt();
      const n = x.sub(mean).mul(r);
      const inputs = { dy: dy as tf.Tensor, x: n.mul(scale), bias };
      const g = runKernel('Cifar10FastActivationGrad', inputs, attributes)[0];
      const perChannel = (t: tf.Tensor): tf.Tensor => t.sum([0, 1, 2]);
      const gain = scale.mul(r);
      return {
        x: () => g.mul(gain),
        scale: () => perChannel(g.mul(n)),
        bias: () => perChannel(g),
        mean: () => perChannel(g).mul(gain).neg(),
        variance: () => perChannel(g.mul(n)).mul(gain).mul(r).mul(-0.5),
      };
    },
  });
}
