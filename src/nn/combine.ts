import * as tf from '@tensorflow/tfjs-core';
import { LayerError } from '../base/errors';

/** A layer without parameters that joins, scales or reshapes the outputs of other nodes. */
export type CombineLayer =
  | { readonly kind: 'identity' }
  | { readonly kind: 'add' }
  | { readonly kind: 'add-weighted'; readonly wx: number; readonly wy: number }
  | { readonly kind: 'mul'; readonly weight: number }
  | { readonly kind: 'concat' }
  | { readonly kind: 'flatten' };

/** Passes its input through: names a place in the network. */
export function identity(): CombineLayer {
  return { kind: 'identity' };
}

/** x + y */
export function add(): CombineLayer {
  return { kind: 'add' };
}

/** wx * x + wy * y */
export function addWeighted(wx: number, wy: number): CombineLayer {
  return { kind: 'add-weighted', wx, wy };
}

/** x * weight, a fixed number */
export function mul(weight: number): CombineLayer {
  return { kind: 'mul', weight };
}

/** Concatenates its inputs along the channels (the last axis). */
export function concat(): CombineLayer {
  return { kind: 'concat' };
}

/** `[N,...]` to `[N,product of the rest]` */
export function flatten(): CombineLayer {
  return { kind: 'flatten' };
}

/** How many inputs each kind takes; `concat` takes any number. */
const inputCounts = { identity: 1, add: 2, 'add-weighted': 2, mul: 1, flatten: 1 } as const;

/** The layer's output; its kind determines the number of inputs. */
export function combineForward(layer: CombineLayer, inputs: readonly tf.Tensor[]): tf.Tensor {
  const expected = layer.kind === 'concat' ? inputs.length : inputCounts[layer.kind];
  if (inputs.length !== expected) {
    throw new LayerError(
      `${layer.kind}: expected ${expected} input${expected === 1 ? '' : 's'}, got ${inputs.length}. ` +
        'Name them: [layer, ["in", "res2/relu"]].',
    );
  }
  const [x, y] = inputs;
  switch (layer.kind) {
    case 'identity':
      return x;
    case 'add':
      return x.add(y);
    case 'add-weighted':
      return x.mul(layer.wx).add(y.mul(layer.wy));
    case 'mul':
      return x.mul(layer.weight);
    case 'concat':
      return tf.concat([...inputs], -1);
    case 'flatten':
      return x.reshape([x.shape[0], -1]);
    default:
      return layer satisfies never;
  }
}
