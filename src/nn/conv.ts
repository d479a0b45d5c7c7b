import * as tf from '@tensorflow/tfjs-core';
import { LayerError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import type { Rng } from '../base/rng';
import { biasActivation } from '../engine/raw/bias-activation';
import { hasOwnKernels } from '../engine/raw/own-kernels';
import { trimmedConv } from '../engine/raw/trimmed-conv';
import { activationForward, ownActivation } from './activation';
import type { ActivationLayer } from './activation';
import type { Parameter, Parameters } from './parameter';

/** A convolution over `[N,H,W,cin]` with a kernel `[size,size,cin,cout]`. */
export interface ConvLayer {
  readonly kind: 'conv';
  readonly cin: number;
  readonly cout: number;
  /** Height and width of the kernel. */
  readonly size: number;
  readonly stride: number;
  /** Zeros on each of the four sides. */
  readonly padding: number;
  readonly hasBias: boolean;
  /** Whether the kernel is excluded from training, as in the fixed whitening convolution. */
  readonly isFrozen: boolean;
  /** Whether the bias is excluded from training. Default: `isFrozen`. */
  readonly isBiasFrozen?: boolean;
  /** Scale of the initial kernel, which is drawn from U(-k, k), k = gain / sqrt(fan in). */
  readonly gain: number;
  /**
   * Whether to skip the last row and column of outputs if their number is odd; only for 3x3 kernels with stride 1 and
   * padding 1. `trimNetwork` of `nn/trim` sets it where a pooling drops these outputs anyway.
   */
  readonly isTrimmed?: boolean;
  /**
   * `dirac`: the first `cin` output channels start as copies of the input channels, the rest as `uniform`. Default: `uniform`.
   */
  readonly init?: 'uniform' | 'dirac';
  /** Activation applied to the result; `fuse` moves the activation that follows a convolution with a bias here. */
  readonly activation?: ActivationLayer;
}

/**
 * A convolution; by default 3x3 with stride 1, without bias, and padded so that it keeps height and width.
 *
 * @throws LayerError if a number is not an integer or too small, an even kernel has no explicit padding or is `dirac`, or
 *   the kernel cannot be trimmed
 */
export function conv(
  cin: number,
  cout: number,
  {
    size = 3,
    stride = 1,
    padding = (size - 1) / 2,
    hasBias = false,
    isFrozen = false,
    isBiasFrozen = isFrozen,
    gain = 1,
    isTrimmed = false,
    init = 'uniform',
  }: Partial<Omit<ConvLayer, 'kind' | 'cin' | 'cout' | 'activation'>> = {},
): ConvLayer {
  for (const [name, value, least] of [
    ['cin', cin, 1],
    ['cout', cout, 1],
    ['size', size, 1],
    ['stride', stride, 1],
    ['padding', padding, 0],
  ] as const) {
    if (!Number.isInteger(value) || value < least) {
      throw new LayerError(
        `conv: ${name} must be an integer of at least ${least}; got ${value}. Even kernels need explicit padding.`,
      );
    }
  }
  if (isTrimmed && (size !== 3 || stride !== 1 || padding !== 1)) {
    throw new LayerError(
      `conv: isTrimmed requires a 3x3 kernel with stride 1 and padding 1; got ${size}x${size}, stride ${stride} and ` +
        `padding ${padding}. Unset isTrimmed.`,
    );
  }
  if (init === 'dirac' && size % 2 === 0) {
    throw new LayerError(
      `conv: a kernel of ${size}x${size} has no centre, which init "dirac" needs. Use an odd size.`,
    );
  }
  const layer: ConvLayer = {
    kind: 'conv',
    cin,
    cout,
    size,
    stride,
    padding,
    hasBias,
    isFrozen,
    gain,
  };
  // Omits defaults: a drawing of the network shows every field that is set.
  return {
    ...layer,
    ...(isBiasFrozen === isFrozen ? {} : { isBiasFrozen }),
    ...(init === 'uniform' ? {} : { init }),
    ...(isTrimmed ? { isTrimmed } : {}),
  };
}

/** A fully connected layer: `[N,cin]` to `[N,cout]`, weight `[cin,cout]`. */
export interface LinearLayer {
  readonly kind: 'linear';
  readonly cin: number;
  readonly cout: number;
  readonly hasBias: boolean;
  /** Scale of the initial weight, which is drawn from U(-k, k), k = gain / sqrt(cin). */
  readonly gain: number;
  /** Whether to divide the initial weight by its standard deviation, which cancels `gain`. Default: false. */
  readonly isStandardised?: boolean;
}

/** A fully connected layer; without bias by default. */
export function linear(
  cin: number,
  cout: number,
  {
    hasBias = false,
    gain = 1,
    isStandardised = false,
  }: Partial<Omit<LinearLayer, 'kind' | 'cin' | 'cout'>> = {},
): LinearLayer {
  const layer: LinearLayer = { kind: 'linear', cin, cout, hasBias, gain };
  return isStandardised ? { ...layer, isStandardised } : layer;
}

/**
 * The parameters of a convolution or a fully connected layer.
 *
 * Weights and biases start from U(-k, k), k = 1 / sqrt(fan in), standard deviation 1 / sqrt(3 fan in): PyTorch's default
 * (Kaiming uniform with a = sqrt 5), which the reference keeps. `gain` sqrt 6 makes weights He-scaled.
 *
 * @see He et al., Delving Deep into Rectifiers, arXiv:1502.01852 (2015); for `dirac` Zagoruyko and Komodakis, DiracNets,
 *   arXiv:1706.00388 (2017), as airbench uses it
 */
export function convParameters(layer: ConvLayer | LinearLayer): Parameter[] {
  const shape =
    layer.kind === 'conv'
      ? [layer.size, layer.size, layer.cin, layer.cout]
      : [layer.cin, layer.cout];
  const bound = 1 / Math.sqrt(sizeOf(shape) / layer.cout);
  const isConv = layer.kind === 'conv';
  return [
    {
      name: 'weight',
      shape,
      role: isConv && layer.isFrozen ? 'frozen' : 'trainable',
      init: (rng) => startingWeight(layer, uniform(shape, layer.gain * bound, rng)),
    },
    ...(layer.hasBias
      ? [
          {
            name: 'bias',
            shape: [layer.cout],
            role: isConv && (layer.isBiasFrozen ?? layer.isFrozen) ? 'frozen' : 'trainable',
            init: (rng: Rng): HostTensor => uniform([layer.cout], bound, rng),
          } as const,
        ]
      : []),
  ];
}

function uniform(shape: readonly number[], bound: number, rng: Rng): HostTensor {
  const data = new Float32Array(sizeOf(shape));
  rng.fillUniform(data, -bound, bound);
  return { shape, data };
}

function startingWeight(layer: ConvLayer | LinearLayer, drawn: HostTensor): HostTensor {
  if (layer.kind === 'linear') return layer.isStandardised === true ? standardised(drawn) : drawn;
  return layer.init === 'dirac' ? withIdentity(layer, drawn) : drawn;
}

/** A kernel `[size,size,cin,cout]` whose first min(cin, cout) output channels copy the input channels. */
function withIdentity({ size, cin, cout }: ConvLayer, { shape, data }: HostTensor): HostTensor {
  const kernel = Float32Array.from(data);
  const centre = (size * size - 1) / 2;
  for (let tap = 0; tap < size * size; tap++) {
    for (let i = 0; i < cin; i++) {
      for (let o = 0; o < Math.min(cin, cout); o++) {
        kernel[(tap * cin + i) * cout + o] = tap === centre && i === o ? 1 : 0;
      }
    }
  }
  return { shape, data: kernel };
}

/** The tensor divided by its standard deviation (unbiased, about its mean). */
function standardised({ shape, data }: HostTensor): HostTensor {
  const values = Array.from(data);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const square = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  const deviation = Math.sqrt(square / (values.length - 1));
  return { shape, data: Float32Array.from(values, (x) => x / deviation) };
}

/**
 * The output `[N,H',W',cout]` for x `[N,H,W,cin]`, H' = floor((H + 2 padding - size) / stride) + 1; for a trimmed
 * convolution H' = 2 floor(H / 2).
 */
export function convForward(
  layer: ConvLayer,
  x: tf.Tensor,
  { weight, bias }: Parameters,
): tf.Tensor {
  const { size, stride, padding } = layer;
  if (x.rank !== 4 || x.shape[3] !== layer.cin) {
    throw new LayerError(
      `conv: the input has shape [${x.shape.join()}]; expected [N,H,W,${layer.cin}]. ` +
        'Set cin to the output channels of the preceding node.',
    );
  }
  const [, height, width] = (x as tf.Tensor4D).shape;
  if (layer.isTrimmed === true && (height % 2 === 1 || width % 2 === 1)) {
    if (Math.min(height, width) < 2) {
      throw new LayerError(
        `conv: the input has shape [${x.shape.join()}]; a trimmed convolution needs at least two rows and two columns. ` +
          'Use larger images, or unset isTrimmed.',
      );
    }
    const y = trimmedConv(x as tf.Tensor4D, weight as tf.Tensor4D);
    return withBias(layer, y, bias);
  }
  // TensorFlow's "same" pads both sides equally only at stride 1, and its gradients do not support explicit padding.
  const isSame = stride === 1 && 2 * padding === size - 1;
  const padded =
    isSame || padding === 0
      ? (x as tf.Tensor4D)
      : tf.pad(x as tf.Tensor4D, [
          [0, 0],
          [padding, padding],
          [padding, padding],
          [0, 0],
        ]);
  const y = tf.conv2d(padded, weight as tf.Tensor4D, stride, isSame ? 'same' : 'valid');
  return withBias(layer, y, bias);
}

/** Adds the bias and applies the activation of a convolution, in one operation of our own if there is one. */
function withBias(
  { activation }: ConvLayer,
  y: tf.Tensor4D,
  bias: tf.Tensor | undefined,
): tf.Tensor {
  const own = activation === undefined ? { kind: 'none' as const } : ownActivation(activation);
  if (bias !== undefined && own !== undefined && hasOwnKernels()) {
    return biasActivation(y, bias as tf.Tensor1D, own);
  }
  const whole = bias === undefined ? y : y.add(bias);
  return activation === undefined ? whole : activationForward(activation, whole);
}

/** The output `[N,cout]` for x `[N,cin]`. */
export function linearForward(
  layer: LinearLayer,
  x: tf.Tensor,
  { weight, bias }: Parameters,
): tf.Tensor {
  if (x.rank !== 2 || x.shape[1] !== layer.cin) {
    throw new LayerError(
      `linear: the input has shape [${x.shape.join()}]; expected [N,${layer.cin}]. ` +
        'Put flatten() before it, and set cin to the number of features.',
    );
  }
  const y = tf.matMul(x, weight);
  return bias === undefined ? y : y.add(bias);
}
