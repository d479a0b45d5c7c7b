import { GraphError } from '../base/errors';
import type { Leaf, Net } from '../graph/spec';
import { relu } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { add, flatten, identity, mul } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import type { AnyLayer } from '../nn/network';
import { maxPool } from '../nn/pool';

/** Output channels of the four stages. */
export interface Widths {
  readonly prep: number;
  readonly layer1: number;
  readonly layer2: number;
  readonly layer3: number;
}

/** The three stages that halve the image. */
export type Stage = 'layer1' | 'layer2' | 'layer3';

/** Options of {@link resnet9}. */
export interface Resnet9Options {
  readonly channels?: Widths;
  /** The logits are multiplied by this. */
  readonly weight?: number;
  /** The pooling after the activation of each of the three stages. */
  readonly pool?: AnyLayer;
  /** Stages with one more convolution. */
  readonly extraLayers?: readonly Stage[];
  /** Stages with a residual block. */
  readonly resLayers?: readonly Stage[];
}

const defaultWidths: Widths = { prep: 64, layer1: 128, layer2: 256, layer3: 512 };

/** A 3x3 convolution without bias, batch norm and ReLU. */
export function convBn(cin: number, cout: number): Record<'conv' | 'bn' | 'relu', Leaf<AnyLayer>> {
  return { conv: conv(cin, cout), bn: batchNorm(cout), relu: relu() };
}

/** Two {@link convBn} with a skip connection from the input. */
export function residual(channels: number): Net<AnyLayer> {
  return {
    in: identity(),
    res1: convBn(channels, channels),
    res2: convBn(channels, channels),
    add: [add(), ['in', 'res2/relu']],
  };
}

/**
 * The network of post 4: three stages of convolution, batch norm, ReLU and pooling, two of them with a residual block;
 * nine layers with weights, 6,573,120 trainable parameters at the default widths. Input `[N,32,32,3]`, output `logits`
 * `[N,10]`.
 *
 * @throws GraphError if a named stage does not exist
 * @see Page, How to Train Your ResNet 4: Architecture (2018)
 */
export function resnet9({
  channels = defaultWidths,
  weight = 0.125,
  pool = maxPool(2),
  extraLayers = [],
  resLayers = ['layer1', 'layer3'],
}: Resnet9Options = {}): Net<AnyLayer> {
  const stages: readonly (readonly [stage: Stage, cin: number])[] = [
    ['layer1', channels.prep],
    ['layer2', channels.layer1],
    ['layer3', channels.layer2],
  ];
  const unknown = [...extraLayers, ...resLayers].find(
    (name) => !stages.some(([stage]) => stage === name),
  );
  if (unknown !== undefined) {
    throw new GraphError(
      `resnet9: there is no stage "${unknown}". Stages are layer1, layer2 and layer3.`,
    );
  }
  return {
    input: [null, []],
    prep: convBn(3, channels.prep),
    ...Object.fromEntries(
      stages.map(([stage, cin]) => {
        const cout = channels[stage];
        return [
          stage,
          {
            ...convBn(cin, cout),
            pool,
            ...(resLayers.includes(stage) ? { residual: residual(cout) } : {}),
            ...(extraLayers.includes(stage) ? { extra: convBn(cout, cout) } : {}),
          },
        ];
      }),
    ),
    pool: maxPool(4),
    flatten: flatten(),
    linear: linear(channels.layer3, 10),
    logits: mul(weight),
  };
}
