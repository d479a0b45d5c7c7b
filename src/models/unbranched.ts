import { reorder } from '../graph/edit';
import type { Net } from '../graph/spec';
import { relu } from '../nn/activation';
import type { ActivationLayer } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { add, flatten, identity, mul } from '../nn/combine';
import type { CombineLayer } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import type { AnyLayer } from '../nn/network';
import { maxPool } from '../nn/pool';
import type { Stage, Widths } from './resnet9';

/** Options of {@link unbranched}, as data. */
export interface UnbranchedOptions {
  readonly channels?: Widths;
  /** Position of batch norm: before the activation (the post's "simple"), after it ("post"), or no batch norm. */
  readonly norm?: 'before' | 'after' | 'none';
  readonly act?: ActivationLayer;
  /** Stages with one more convolution. */
  readonly extraLayers?: readonly Stage[];
  /** Stages with a residual block: `extraLayers: [], resLayers: ['layer1', 'layer3']` is the post's "full". */
  readonly resLayers?: readonly Stage[];
}

const defaultWidths: Widths = { prep: 64, layer1: 128, layer2: 256, layer3: 512 };

/** Factor from PyTorch's initial weights to He's, whose standard deviation is sqrt(2 / fan in). */
const he = Math.sqrt(6);

/**
 * The network of post 7: eight convolutions in a row, batch norm without trainable parameters (scale 1 and bias 0, both
 * frozen), weights from He's distribution. 4,651,712 trainable parameters.
 *
 * Input `[N,32,32,3]`, output `classifier/out` `[N,10]`. The pixels are divided by sqrt 2, so that an activation that
 * keeps half of the variance sees what it would deeper in the network.
 *
 * @see Page, How to Train Your ResNet 7: Batch Norm (2019)
 */
export function unbranched({
  channels = defaultWidths,
  norm = 'before',
  act = relu(),
  extraLayers = ['layer1', 'layer2', 'layer3'],
  resLayers = [],
}: UnbranchedOptions = {}): Net<AnyLayer> {
  const block = (cin: number, cout: number): Net<AnyLayer> => {
    const members: Net<AnyLayer> = {
      conv: conv(cin, cout, { gain: he }),
      norm:
        norm === 'none' ? identity() : batchNorm(cout, { isScaleFrozen: true, isBiasFrozen: true }),
      act,
    };
    return norm === 'after' ? reorder(members, ['conv', 'act', 'norm']) : members;
  };
  const stage = (name: Stage, cin: number): Net<AnyLayer> => {
    const cout = channels[name];
    const residual: Net<AnyLayer> = {
      in: identity(),
      res1: block(cout, cout),
      res2: block(cout, cout),
      out: identity(),
      add: [add(), ['in', 'out']],
    };
    return {
      ...block(cin, cout),
      pool: maxPool(2),
      ...(resLayers.includes(name) ? { residual } : {}),
      ...(extraLayers.includes(name) ? { extra: block(cout, cout) } : {}),
    };
  };
  return {
    input: [null, []],
    scale: mul(Math.SQRT1_2),
    prep: block(3, channels.prep),
    layer1: stage('layer1', channels.prep),
    layer2: stage('layer2', channels.layer1),
    layer3: stage('layer3', channels.layer2),
    pool: maxPool(4),
    classifier: {
      conv: conv(channels.layer3, 10, { size: 1, gain: he }),
      scale: mul(0.125 / he),
      out: flatten(),
    },
  };
}

/** Options of {@link fullyConnected}, as data. */
export interface FullyConnectedOptions {
  readonly depth?: number;
  readonly width?: number;
  /** Follows every layer; `identity()` leaves the network linear. */
  readonly act?: ActivationLayer | CombineLayer;
  /** Weights have a standard deviation of gain / sqrt(3 width): sqrt 6 is He's, sqrt 3 keeps a linear net's variance. */
  readonly gain?: number;
}

/**
 * The deep network of post 7's figures: `depth` times a square linear layer without bias and an activation, named
 * `layer1/fc`, `layer1/act` and so on. Input and output `[N,width]`.
 */
export function fullyConnected({
  depth = 50,
  width = 2048,
  act = relu(),
  gain = he,
}: FullyConnectedOptions = {}): Net<AnyLayer> {
  return {
    input: [null, []],
    ...Object.fromEntries(
      Array.from({ length: depth }, (_, index) => [
        `layer${index + 1}`,
        { fc: linear(width, width, { gain }), act },
      ]),
    ),
  };
}
