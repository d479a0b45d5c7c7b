import { build } from '../graph/build';
import type { Graph } from '../graph/spec';
import { airbench } from '../models/airbench';
import { bagOfTricks, newDawn } from '../models/bag-of-tricks';
import {
  dawnNet,
  maxPoolBlock,
  pointwiseBlock,
  preActivationBlock,
  resBlock,
  stridedBlock,
} from '../models/dawn';
import type { Block } from '../models/dawn';
import { resnet9 } from '../models/resnet9';
import { unbranched } from '../models/unbranched';
import { celu, relu } from '../nn/activation';
import { crossEntropyLoss, labelSmoothingLoss, smoothedLoss } from '../nn/loss';
import type { AnyLayer } from '../nn/network';
import type { BlockName, Experiment } from './experiment';

const blocks: Readonly<Record<BlockName, Block>> = {
  res: resBlock,
  'pre-activation': preActivationBlock,
  pointwise: pointwiseBlock,
  strided: stridedBlock,
  'max-pool': maxPoolBlock,
};

/** The network of an experiment. */
export function networkOf({ net }: Experiment): Graph<AnyLayer> {
  switch (net.model) {
    case 'resnet9':
      return build(resnet9(net));
    case 'dawn':
      return build(dawnNet({ ...net, block: blocks[net.block] }));
    case 'bag-of-tricks': {
      const { celuAlpha } = net;
      return build(
        bagOfTricks({ ...net, act: celuAlpha === undefined ? relu() : celu(celuAlpha) }),
      );
    }
    case 'new-dawn':
      return build(newDawn(net));
    case 'unbranched':
      return build(unbranched(net));
    case 'airbench':
      return build(airbench(net));
    default:
      return net satisfies never;
  }
}

/** The loss of an experiment, as a network that reads `logits` and `target`. */
export function lossOf({ loss }: Experiment): Graph<AnyLayer> {
  if ('xentWeight' in loss) return build(smoothedLoss(loss.xentWeight, loss.klWeight));
  return build<AnyLayer>(
    loss.smoothing === 0 ? crossEntropyLoss() : labelSmoothingLoss(loss.smoothing),
  );
}
