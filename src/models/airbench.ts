import type { Net } from '../graph/spec';
import { gelu, silu } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { flatten, identity, mul } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import type { AnyLayer } from '../nn/network';
import { globalMaxPool, maxPool } from '../nn/pool';

/** The changes that the successors of airbench94 make to its network. */
export interface AirbenchOptions {
  /** Channels of the three blocks; default: 64, 256, 256. */
  readonly channels?: { readonly block1: number; readonly block2: number; readonly block3: number };
  /** The activation of the blocks; the one after the whitening is GELU. Default: `gelu`. */
  readonly act?: 'gelu' | 'silu';
  /** Share of the new batch in the running statistics of batch norms; default: 0.4. */
  readonly normMomentum?: number;
  /** The logits are multiplied by this; default: 1 / channels.block3. */
  readonly weight?: number;
  /** Initialisation of the blocks' kernels; default: `dirac`. */
  readonly init?: 'dirac' | 'uniform';
  /** Whether the head is initialised with standard deviation 1 instead of U(-k, k), k = 1 / sqrt(fan in); default: true. */
  readonly isHeadStandardised?: boolean;
}

/** Filters of the whitening convolution: 12 eigenvectors of 2x2 patches of three colours, and their negatives. */
const whitened = 24;

/**
 * The network of airbench94 with Muon and of its successors: a frozen 2x2 whitening convolution with a bias, then three
 * blocks of two 3x3 convolutions with a max pooling after the first, and a linear head on the global maximum.
 *
 * Input `[N,H,W,3]` with H and W of at least 16, output `logits` `[N,10]`. By default, kernels are initialised as identities
 * (Dirac) and the head with standard deviation 1. 1,972,792 trainable parameters at the default channels. `whitenInput` of
 * `nn/whiten` sets the kernel of `whiten/conv`.
 *
 * @see Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, arXiv:2404.00498 (2024)
 */
export function airbench({
  channels = { block1: 64, block2: 256, block3: 256 },
  act = 'gelu',
  normMomentum = 0.4,
  weight = 1 / channels.block3,
  init = 'dirac',
  isHeadStandardised = true,
}: AirbenchOptions = {}): Net<AnyLayer> {
  const activation = (): AnyLayer => (act === 'gelu' ? gelu() : silu());
  const norm = (width: number): AnyLayer =>
    batchNorm(width, { epsilon: 1e-12, momentum: normMomentum, isScaleFrozen: true });
  const block = (cin: number, cout: number): Net<AnyLayer> => ({
    conv1: conv(cin, cout, { init }),
    pool: maxPool(2),
    norm1: norm(cout),
    act1: activation(),
    conv2: conv(cout, cout, { init }),
    norm2: norm(cout),
    act2: activation(),
  });
  const { block1, block2, block3 } = channels;
  return {
    input: [null, []],
    whiten: {
      conv: conv(3, whitened, {
        size: 2,
        padding: 0,
        hasBias: true,
        isFrozen: true,
        isBiasFrozen: false,
      }),
      act: gelu(),
    },
    block1: block(whitened, block1),
    block2: block(block1, block2),
    block3: block(block2, block3),
    pool: globalMaxPool(),
    classifier: {
      flatten: flatten(),
      conv: linear(block3, 10, { isStandardised: isHeadStandardised }),
      scale: mul(weight),
    },
    logits: identity(),
  };
}
