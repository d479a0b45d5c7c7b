import * as tf from '@tensorflow/tfjs-core';
import { loadTensorflow } from '../tensorflow';
import type { NodeBackend } from '../backend';
import { runKernel } from './register';

type GradientOf = (
  dys: tf.Tensor | readonly tf.Tensor[],
  saved: readonly tf.Tensor[],
  attributes: tf.NamedAttrMap,
) => Record<string, () => tf.Tensor>;

type TapeNode = readonly [
  kernelName: string,
  inputs: Readonly<Record<string, tf.Tensor>>,
  outputs: readonly tf.Tensor[],
  ...rest: unknown[],
];

/** The part of TF.js's engine that writes the tape. */
interface TapeWriter {
  readonly state: { readonly kernelDepth: number };
  addTapeNode(...node: TapeNode): void;
}

let isRegistered = false;

/**
 * Makes gradients differentiable, of which TF.js supports only some. Loads TensorFlow; later calls do nothing.
 *
 * TF.js has no gradients for the gradient kernels of convolution (with respect to its kernel), pooling, ELU and training
 * batch norm. These are added as exact formulas; piecewise constant parts (which element of a window is the largest, on
 * which side of zero an activation is) count as constant. TF.js also treats the **output** that a kernel keeps for the
 * backward pass as constant, so second derivatives of exp, tanh, sigmoid or log softmax are wrong or missing;
 * {@link keepOutputsOnTape} fixes that. Third derivatives are not provided.
 */
export function registerSecondDerivatives(): void {
  const { backend } = loadTensorflow();
  if (isRegistered) return;
  isRegistered = true;
  keepOutputsOnTape(tf.engine() as unknown as TapeWriter);
  registerMaxPoolGradGrad(backend);

  const gradient = (kernelName: string, inputsToSave: string[], gradFunc: GradientOf): void => {
    tf.registerGradient({
      kernelName,
      inputsToSave,
      gradFunc,
    });
  };

  // The kernel gradient is linear in x and in dy: its gradients are the convolution with ddw, and the adjoint of that.
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
  // Where y < 0 the first derivative is y + 1, which depends on y; elsewhere it is 1.
  gradient('EluGrad', ['dy', 'y'], (ddx, [dy, y]) => ({
    dy: () => runKernel('EluGrad', { dy: ddx as tf.Tensor, y })[0],
    y: () => tf.mul(ddx as tf.Tensor, dy).mul(tf.step(tf.neg(y))),
  }));
  gradient('FusedBatchNormGradV3', ['dy', 'x', 'scale'], (dds, [dy, x, scale], attributes) => {
    const [ddx, ddScale, ddBias] = dds as readonly tf.Tensor[];
    const found = batchNormGradGrad({ ddx, ddScale, ddBias, dy, x, scale }, attributes);
    return { dy: () => found.dy, x: () => found.x, scale: () => found.scale };
  });
}

/**
 * The gradient of batch norm's gradient. With n = (x - mean) / sqrt(variance + epsilon), r = 1 / sqrt(variance +
 * epsilon), M elements per channel and means over them,
 *
 *     dx = scale r (dy - mean(dy) - n mean(dy n)),  dScale = sum(dy n),  dBias = sum(dy)
 *
 * it returns the gradient of <ddx, dx> + <ddScale, dScale> + <ddBias, dBias>.
 */
function batchNormGradGrad(
  {
    ddx,
    ddScale,
    ddBias,
    dy,
    x,
    scale,
  }: Readonly<Record<'ddx' | 'ddScale' | 'ddBias' | 'dy' | 'x' | 'scale', tf.Tensor>>,
  attributes: tf.NamedAttrMap,
): Readonly<Record<'dy' | 'x' | 'scale', tf.Tensor>> {
  const mean = (t: tf.Tensor): tf.Tensor => t.mean([0, 1, 2]);
  const centre = (t: tf.Tensor): tf.Tensor => t.sub(mean(t));
  const perChannel = x.size / scale.size;
  const centred = centre(x);
  const r = mean(centred.square()).add(Number(attributes['epsilon'])).rsqrt();
  const n = centred.mul(r);
  const gain = scale.mul(r);
  const [alongX, alongY] = [mean(ddx.mul(n)), mean(dy.mul(n))];
  // <ddx, dx> = M gain inner
  const inner = mean(centre(ddx).mul(dy)).sub(alongX.mul(alongY));
  const toN = dy.mul(ddScale).sub(ddx.mul(alongY).add(dy.mul(alongX)).mul(gain));
  return {
    dy: centre(ddx).sub(n.mul(alongX)).mul(gain).add(n.mul(ddScale)).add(ddBias),
    x: centre(toN)
      .sub(n.mul(mean(toN.mul(n))))
      .mul(r)
      .sub(n.mul(gain.mul(r).mul(inner))),
    scale: inner.mul(r).mul(perChannel),
  };
}

/**
 * Fixes the order of the tape. TF.js keeps a kernel's output for the backward pass as a copy, and writes the copy operation
 * on the tape **before** the kernel, so in the order of the tape the copy depends on nothing. Here, copies made inside a
 * kernel are written after it.
 *
 * The statistics that batch norm keeps stay off the tape: the gradient above treats them as functions of x.
 *
 * @see https://github.com/tensorflow/tfjs/issues/3252, Can't take second derivative with respect to tanh, sigmoid, or exp
 */
function keepOutputsOnTape(engine: TapeWriter): void {
  const write = engine.addTapeNode.bind(engine);
  let waiting: TapeNode[] = [];
  engine.addTapeNode = (...node) => {
    if (engine.state.kernelDepth > 0) {
      waiting.push(node);
      return;
    }
    write(...node);
    const copies = waiting;
    waiting = [];
    const [kernelName, , outputs] = node;
    for (const copy of copies) {
      const [, { x }] = copy;
      if (kernelName !== 'FusedBatchNormV3' || !outputs.includes(x)) write(...copy);
    }
  };
}

/** TensorFlow's kernel that selects, from a tensor shaped like the pool's input, the elements at the positions of the maxima. */
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
