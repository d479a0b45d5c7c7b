import type { Leaf, Net } from '../graph/spec';
import { relu } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { add, concat, flatten, identity } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import type { AnyLayer } from '../nn/network';
import { avgPool, maxPool } from '../nn/pool';

/** Half of a stage of {@link dawnNet}: from `cin` to `cout` channels, image sides divided by `stride`. */
export type Block = (cin: number, cout: number, stride: number) => Net<AnyLayer>;

/** Options of {@link dawnNet}. */
export interface DawnOptions {
  /** Output channels of the first convolution and of the three stages that halve the image. */
  readonly channels?: readonly [number, number, number, number];
  /** The block; two make a stage. */
  readonly block?: Block;
  /** Follow the first convolution with batch norm and ReLU, as needed by blocks that do not start with them. */
  readonly prepBnRelu?: boolean;
  /** Feed the classifier with the maximum and the mean of each channel instead of the maximum alone. */
  readonly concatPool?: boolean;
}

/**
 * The network that post 1 starts from, a pre-activation ResNet of 18 layers: one convolution, four stages of two blocks,
 * global pooling and a linear layer with bias; 5,205,834 trainable parameters by default.
 *
 * Input `[N,32,32,3]`, output `logits` `[N,10]`. The scales of its batch norms are initialised from U(0, 1).
 *
 * @see Page, How to Train Your ResNet 1: Baseline (2018), and 4: Architecture, for the other blocks
 */
export function dawnNet({
  channels = [64, 128, 256, 256],
  block = resBlock,
  prepBnRelu = false,
  concatPool = true,
}: DawnOptions = {}): Net<AnyLayer> {
  const [c0, c1, c2, c3] = channels;
  const stage = (cin: number, cout: number, stride: number): Net<AnyLayer> => ({
    block0: block(cin, cout, stride),
    block1: block(cout, cout, 1),
  });
  return {
    input: [null, []],
    prep: { conv: conv(3, c0), ...(prepBnRelu ? { bn: norm(c0), relu: relu() } : {}) },
    layer1: stage(c0, c0, 1),
    layer2: stage(c0, c1, 2),
    layer3: stage(c1, c2, 2),
    layer4: stage(c2, c3, 2),
    final: concatPool
      ? {
          in: identity(),
          maxpool: maxPool(4),
          avgpool: [avgPool(4), 'in'],
          concat: [concat(), ['maxpool', 'avgpool']],
          flatten: flatten(),
          linear: linear(2 * c3, 10, { hasBias: true }),
        }
      : { pool: maxPool(4), flatten: flatten(), linear: linear(c3, 10, { hasBias: true }) },
    logits: identity(),
  };
}

/**
 * Two 3x3 convolutions, each after a batch norm and a ReLU, added to the output of the **first ReLU** (or to a 1x1
 * convolution of that output, where channels or sides change).
 *
 * @see He et al., Identity Mappings in Deep Residual Networks, arXiv:1603.05027 (2016), where the shortcut of a block
 *   that keeps its shape starts before the batch norm; here it never does, as in the reference.
 */
export function resBlock(cin: number, cout: number, stride: number): Net<AnyLayer> {
  const projects = isProjection(cin, cout, stride);
  return {
    bn1: norm(cin),
    relu1: relu(),
    branch: {
      conv1: conv(cin, cout, { stride }),
      bn2: norm(cout),
      relu2: relu(),
      conv2: conv(cout, cout),
    },
    ...(projects ? { conv3: [conv(cin, cout, { size: 1, stride }), 'relu1'] as const } : {}),
    add: [add(), [projects ? 'conv3' : 'relu1', 'branch/conv2']],
  };
}

/** {@link resBlock} without its branch: the shortest path through the network. */
export function preActivationBlock(cin: number, cout: number, stride: number): Net<AnyLayer> {
  return {
    bn1: norm(cin),
    relu1: relu(),
    ...(isProjection(cin, cout, stride) ? { conv3: conv(cin, cout, { size: 1, stride }) } : {}),
  };
}

/** A 1x1 convolution, batch norm and ReLU where channels or sides change, else nothing. For `prepBnRelu`. */
export function pointwiseBlock(cin: number, cout: number, stride: number): Net<AnyLayer> {
  return postActivation(cin, cout, stride, { conv: conv(cin, cout, { size: 1, stride }) });
}

/** {@link pointwiseBlock} with a 3x3 convolution of the same stride. */
export function stridedBlock(cin: number, cout: number, stride: number): Net<AnyLayer> {
  return postActivation(cin, cout, stride, { conv: conv(cin, cout, { stride }) });
}

/** A 3x3 convolution that keeps the sides, batch norm, ReLU, then max pooling by the stride; or nothing. */
export function maxPoolBlock(cin: number, cout: number, stride: number): Net<AnyLayer> {
  return postActivation(cin, cout, stride, { conv: conv(cin, cout), pool: maxPool(stride) });
}

function postActivation(
  cin: number,
  cout: number,
  stride: number,
  { conv, pool }: { readonly conv: AnyLayer; readonly pool?: AnyLayer },
): Record<string, Leaf<AnyLayer>> {
  if (!isProjection(cin, cout, stride)) return { id: identity() };
  return { conv, bn: norm(cout), relu: relu(), ...(pool === undefined ? {} : { pool }) };
}

function isProjection(cin: number, cout: number, stride: number): boolean {
  return stride !== 1 || cin !== cout;
}

/** PyTorch's batch norm of 2018 initialised its scales from U(0, 1); these networks keep that. */
function norm(channels: number): AnyLayer {
  return batchNorm(channels, { scaleInit: 'uniform' });
}
