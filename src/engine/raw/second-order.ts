import * as tf from '@tensorflow/tfjs-core';
import { loadTensorflow } from '../tensorflow';
import type { NodeBackend } from '../tensorflow';
import { runKernel } from './register';

type GradientOf = (
  dys: tf.Tensor | readonly (tf.Tensor | null)[],
  saved: readonly tf.Tensor[],
  attributes: tf.NamedAttrMap,
) => Record<string, () => tf.Tensor>;

let isRegistered = false;

/**
 * Makes gradients differentiable: TF.js has no gradients for the kernels that compute those of convolution (the kernel's
 * half), pooling, ELU and batch norm in training. Loads TensorFlow; later calls do nothing.
 *
 * Each of these kernels is differentiated by formula and exactly, piecewise constant parts (which element of a window is
 * the largest, on which side of zero an activation is) counting as constant. Third derivatives are not provided.
 */
export function registerSecondDerivatives(): void {
  const { backend } = loadTensorflow();
  if (isRegistered) return;
  isRegistered = true;
  registerMaxPoolGradGrad(backend);

  const gradient = (kernelName: string, inputsToSave: string[], gradFunc: GradientOf): void => {
    tf.registerGradient({
      kernelName,
      inputsToSave,
      gradFunc: gradFunc as tf.GradFunc,
    });
  };

  // Both are linear in x and in dy: the convolution with the kernel's direction, and its adjoint.
  gradient('Conv2DBackpropFilter', ['x', 'dy'], (ddw, [x, dy], attributes) => {
    const { strides, pad, dataFormat, dimRoundingMode } = attributes;
    const shared = { strides, pad, dataFormat, dimRoundingMode };
    const filter = ddw as tf.Tensor;
    const inputShape = x.shape;
    return {
      x: () => runKernel('Conv2DBackpropInput', { dy, filter }, { ...shared, inputShape })[0],
      dy: () => runKernel('Conv2D', { x, filter }, { ...shared, dilations: 1 })[0],
    };
  });
  gradient('MaxPoolGrad', ['input', 'output'], (ddx, [input, output], attributes) => ({
    dy: () => runKernel('MaxPoolGradGrad', { ddx: ddx as tf.Tensor, input, output }, attributes)[0],
    input: () => tf.zerosLike(input),
    output: () => tf.zerosLike(output),
  }));
  gradient('AvgPoolGrad', ['input'], (ddx, [input], attributes) => ({
    dy: () => runKernel('AvgPool', { x: ddx as tf.Tensor }, attributes)[0],
    input: () => tf.zerosLike(input),
  }));
  // Where y < 0 the first derivative is y + 1, which moves with y; elsewhere it is 1.
  gradient('EluGrad', ['dy', 'y'], (ddx, [dy, y]) => ({
    dy: () => runKernel('EluGrad', { dy: ddx as tf.Tensor, y })[0],
    y: () => tf.mul(ddx as tf.Tensor, dy).mul(tf.step(tf.neg(y))),
  }));
  const batchNormInputs = ['dy', 'x', 'scale', 'r1', 'r2', 'r3'];
  gradient('FusedBatchNormGradV3', batchNormInputs, (dds, saved, attributes) => {
    const [dy, x, scale, r1, r2, r3] = saved;
    const [ddx, ddScale, ddBias] = dds as readonly (tf.Tensor | null)[];
    const found = batchNormGradGrad({ ddx, ddScale, ddBias, dy, x, scale }, attributes);
    return {
      dy: () => found.dy,
      x: () => found.x,
      scale: () => found.scale,
      // What the forward pass kept are functions of x, whose gradient holds their share.
      r1: () => tf.zerosLike(r1),
      r2: () => tf.zerosLike(r2),
      r3: () => tf.zerosLike(r3),
    };
  });
}

/**
 * The gradient of batch norm's gradient. With n = (x - mean) / sqrt(variance + epsilon), r = 1 / sqrt(variance +
 * epsilon), M numbers a channel and means over them,
 *
 *     dx = scale r (dy - mean(dy) - n mean(dy n)),  dScale = sum(dy n),  dBias = sum(dy)
 *
 * and what comes back is the gradient of <ddx, dx> + <ddScale, dScale> + <ddBias, dBias>.
 */
function batchNormGradGrad(
  {
    ddx,
    ddScale,
    ddBias,
    dy,
    x,
    scale,
  }: {
    readonly ddx: tf.Tensor | null;
    readonly ddScale: tf.Tensor | null;
    readonly ddBias: tf.Tensor | null;
    readonly dy: tf.Tensor;
    readonly x: tf.Tensor;
    readonly scale: tf.Tensor;
  },
  attributes: tf.NamedAttrMap,
): { readonly dy: tf.Tensor; readonly x: tf.Tensor; readonly scale: tf.Tensor } {
  const mean = (t: tf.Tensor): tf.Tensor => t.mean([0, 1, 2]);
  const centre = (t: tf.Tensor): tf.Tensor => t.sub(mean(t));
  const [u, a, b] = [ddx ?? tf.zerosLike(x), ddScale ?? tf.zerosLike(scale), ddBias];
  const perChannel = x.size / scale.size;
  const centred = centre(x);
  const r = mean(centred.square()).add(Number(attributes['epsilon'])).rsqrt();
  const n = centred.mul(r);
  const gain = scale.mul(r);
  const [un, dyn] = [mean(u.mul(n)), mean(dy.mul(n))];
  // <ddx, dx> = M gain inner
  const inner = mean(centre(u).mul(dy)).sub(un.mul(dyn));
  const toN = dy.mul(a).sub(u.mul(dyn).add(dy.mul(un)).mul(gain));
  const toDy = centre(u).sub(n.mul(un)).mul(gain).add(n.mul(a));
  return {
    dy: b === null ? toDy : toDy.add(b),
    x: centre(toN)
      .sub(n.mul(mean(toN.mul(n))))
      .mul(r)
      .sub(n.mul(gain.mul(r).mul(inner))),
    scale: inner.mul(r).mul(perChannel),
  };
}

/** TensorFlow's kernel that picks, of a tensor like the pool's input, the elements that were the largest. */
function registerMaxPoolGradGrad(backend: NodeBackend): void {
  const { binding } = backend;
  tf.registerKernel({
    kernelName: 'MaxPoolGradGrad',
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, attrs }) => {
      const { filterSize, strides, pad } = attrs as unknown as tf.MaxPoolAttrs;
      const window = (size: number | readonly number[]): number[] => {
        const [height, width] = typeof size === 'number' ? [size, size] : size;
        return [1, height, width, 1];
      };
      const attributes = [
        { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
        { name: 'ksize', type: binding.TF_ATTR_INT, value: window(filterSize) },
        { name: 'strides', type: binding.TF_ATTR_INT, value: window(strides) },
        { name: 'padding', type: binding.TF_ATTR_STRING, value: String(pad).toUpperCase() },
        { name: 'data_format', type: binding.TF_ATTR_STRING, value: 'NHWC' },
      ];
      const { ddx, input, output } = inputs as Record<string, tf.TensorInfo>;
      return backend.executeSingleOutput('MaxPoolGradGrad', attributes, [input, output, ddx]);
    },
  });
}
