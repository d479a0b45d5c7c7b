import type { HostTensor } from '../base/host-tensor';

/** Element types used in exported graphs. */
export type ElementType = 'float32' | 'int32' | 'uint8';

/** An attribute of a node, as in TensorFlow's `AttrValue`. */
export type FrozenAttribute =
  | { readonly kind: 'type'; readonly value: ElementType }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  /** -1 for a dimension known only when the graph runs. */
  | { readonly kind: 'shape'; readonly value: readonly number[] }
  | {
      readonly kind: 'tensor';
      /** Of any shape. */
      readonly value: HostTensor;
    };

/** A node of a TensorFlow graph. It reads the first output of each node named in `inputs`. */
export interface FrozenNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, FrozenAttribute>>;
}
