import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend, OpAttribute } from '../backend';
import { ownActivations } from './own-operations';
import type { OwnActivation } from './own-operations';
import { runKernel } from './register';

let isAllowed = false;

/** Whether our own operations may be used here: inside a recording, on a processor with the instructions that they need. */
export function hasOwnKernels(): boolean {
  return isAllowed;
}

/** Runs `body` with {@link hasOwnKernels} set to `allowed`. */
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

/** Attributes of our own operations that are floats; all others are integers. */
const floats: ReadonlySet<string> = new Set(['alpha', 'epsilon']);

/** An operation of `native/elementwise-kernels.cc`: its inputs and attributes (except T and threads) in order, its outputs. */
type Signature = readonly [
  name: string,
  inputs: readonly string[],
  attributes: readonly string[],
  outputs: number,
];

const act = ['activation', 'alpha'];

const signatures: readonly Signature[] = [
  ['Cifar10FastActivation', ['x', 'bias'], act, 1],
  ['Cifar10FastActivationGrad', ['dy', 'x', 'bias'], act, 2],
  ['Cifar10FastBatchNorm', ['x', 'scale', 'bias'], [...act, 'epsilon'], 4],
  ['Cifar10FastBatchNormGrad', ['dy', 'x', 'scale', 'bias', 'mean', 'reciprocal'], act, 3],
  [
    'Cifar10FastBatchNormInference',
    ['x', 'scale', 'bias', 'mean', 'variance'],
    [...act, 'epsilon'],
    1,
  ],
  ['Cifar10FastMaxPool', ['x'], ['size'], 2],
  ['Cifar10FastMaxPoolGrad', ['dy', 'place'], ['size', 'height', 'width'], 1],
];

/**
 * Registers the operations of `native/elementwise-kernels.cc` in TF.js, each with its gradient. They have no second
 * derivatives: to get those, record with {@link withOwnKernels} off.
 *
 * @param threads number of threads within one operation
 */
export function registerOwnKernels(backend: NodeBackend, threads: number): void {
  const { binding } = backend;
  const attribute = (name: string, value: unknown): OpAttribute => ({
    name,
    type: floats.has(name) ? binding.TF_ATTR_FLOAT : binding.TF_ATTR_INT,
    value,
  });
  for (const [kernelName, inputNames, attributeNames, outputs] of signatures) {
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, attrs }) => {
        const given = inputs as Record<string, tf.TensorInfo>;
        return backend.executeMultipleOutputs(
          kernelName,
          [
            { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
            attribute('threads', threads),
            ...attributeNames.map((name) => attribute(name, attrs?.[name])),
          ],
          inputNames.map((name) => given[name]),
          outputs,
        );
      },
    });
  }
  registerOwnGradients();
}

function registerOwnGradients(): void {
  tf.registerGradient({
    kernelName: 'Cifar10FastActivation',
    inputsToSave: ['x', 'bias'],
    outputsToSave: [true],
    gradFunc: (dy, [x, bias, y], attributes) => {
      // The slope of a ReLU follows from its output: nothing else reads x, and the output can take its memory.
      const isRelu = attributes['activation'] === ownActivations.relu;
      const read = isRelu ? { x: y, bias: tf.zerosLike(bias) } : { x, bias };
      const inputs = { dy: dy as tf.Tensor, ...read };
      const [dx, dBias] = runKernel('Cifar10FastActivationGrad', inputs, attributes);
      return { x: () => dx, bias: () => dBias };
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
  // Rarely needed, so composed: n is the normalised x, g the gradient with respect to the activation's input.
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
