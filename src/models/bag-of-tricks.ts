import { override, reorder } from '../graph/edit';
import type { Net } from '../graph/spec';
import { celu, relu } from '../nn/activation';
import type { ActivationLayer } from '../nn/activation';
import { batchNorm, ghostBatchNorm } from '../nn/batch-norm';
import { add, flatten, identity, mul } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import type { AnyLayer } from '../nn/network';
import { maxPool } from '../nn/pool';
import { resnet9 } from './resnet9';
import type { Widths } from './resnet9';

/** A layer of a stage of {@link bagOfTricks}. */
export type Member = 'conv' | 'norm' | 'act' | 'pool';

/** The changes that post 8 makes to its network, as data. */
export interface BagOfTricksOptions {
  readonly channels?: Widths;
  /** Order of the layers in the three stages. Blocks without pooling keep the order of the others. */
  readonly order?: readonly Member[];
  readonly act?: ActivationLayer;
  /** Parts into which ghost batch norm splits a batch; 1 is plain batch norm. */
  readonly splits?: number;
  /** Keep the scales of all norms at 1. */
  readonly isScaleFrozen?: boolean;
  /** Start with the frozen convolution `prep/whiten`, to 27 channels; `whitenInput` of `nn/whiten` sets its kernel. */
  readonly isWhitened?: boolean;
  /** The logits are multiplied by this. */
  readonly weight?: number;
}

const defaultWidths: Widths = { prep: 64, layer1: 128, layer2: 256, layer3: 512 };

/** Numbers in a 3x3 patch of three colours, which is also the number of channels of the whitening convolution. */
const patchSize = 27;

/**
 * The network of post 8: ResNet-9 with the names `conv`, `norm`, `act` and `pool`, and an option for each of the post's
 * changes. By default it computes the same as `resnet9`; 6,573,120 trainable parameters, 6,570,880 with frozen scales.
 *
 * Input `[N,32,32,3]`, output `logits` `[N,10]`; N is a multiple of `splits` in training.
 *
 * @throws GraphError if `order` does not name each of the four members once
 * @see Page, How to Train Your ResNet 8: Bag of Tricks (2019)
 */
export function bagOfTricks({
  channels = defaultWidths,
  order = ['conv', 'norm', 'act', 'pool'],
  act = relu(),
  splits = 1,
  isScaleFrozen = false,
  isWhitened = false,
  weight = 0.125,
}: BagOfTricksOptions = {}): Net<AnyLayer> {
  const withoutPool = order.filter((member) => member !== 'pool');
  const norm = (size: number): AnyLayer =>
    splits === 1
      ? batchNorm(size, { isScaleFrozen })
      : ghostBatchNorm(size, splits, { isScaleFrozen });
  const block = (cin: number, cout: number, size = 3): Net<AnyLayer> => {
    const members: Net<AnyLayer> = { conv: conv(cin, cout, { size }), norm: norm(cout), act };
    return reorder(members, withoutPool);
  };
  const stage = (cin: number, cout: number): Net<AnyLayer> =>
    reorder({ ...block(cin, cout), pool: maxPool(2) }, order);
  const residual = (size: number): Net<AnyLayer> => ({
    in: identity(),
    res1: block(size, size),
    res2: block(size, size),
    out: identity(),
    add: [add(), ['in', 'out']],
  });
  const { prep, layer1, layer2, layer3 } = channels;
  return {
    input: [null, []],
    prep: isWhitened ? { whiten: whiten(), ...block(patchSize, prep, 1) } : block(3, prep),
    layer1: { ...stage(prep, layer1), residual: residual(layer1) },
    layer2: stage(layer1, layer2),
    layer3: { ...stage(layer2, layer3), residual: residual(layer3) },
    pool: maxPool(4),
    classifier: { flatten: flatten(), conv: linear(layer3, 10), scale: mul(weight) },
    logits: identity(),
  };
}

/** Options of {@link newDawn}. */
export type NewDawnOptions = Pick<BagOfTricksOptions, 'channels' | 'weight' | 'splits'> & {
  /** Alpha of the CELUs. */
  readonly alpha?: number;
};

/**
 * The network of the script `new_dawn`, made by editing `resnet9`: whitened input, pooling before the norm, ghost batch norm
 * with frozen scales, CELU. It computes the same as {@link bagOfTricks} with all of its options set, under other names.
 */
export function newDawn({
  channels = defaultWidths,
  weight = 1 / 16,
  splits = 16,
  alpha = 0.3,
}: NewDawnOptions = {}): Net<AnyLayer> {
  const norm = (size: number): AnyLayer => ghostBatchNorm(size, splits, { isScaleFrozen: true });
  const swapped = override<AnyLayer, AnyLayer>(
    {
      kinds: { relu: () => celu(alpha), 'batch-norm': (bn) => norm(bn.channels) },
      paths: {
        prep: {
          whiten: whiten(),
          conv: conv(patchSize, channels.prep, { size: 1 }),
          norm: norm(channels.prep),
          act: celu(alpha),
        },
      },
    },
    resnet9({ channels, weight }),
  );
  return Object.fromEntries(
    Object.entries(swapped).map(([name, part]) => {
      if (!name.startsWith('layer')) return [name, part];
      const stage = part as Net<AnyLayer>;
      const rest = Object.keys(stage).filter((key) => key === 'residual');
      return [name, reorder(stage, ['conv', 'pool', 'bn', 'relu', ...rest])];
    }),
  );
}

function whiten(): AnyLayer {
  return conv(3, patchSize, { isFrozen: true });
}
