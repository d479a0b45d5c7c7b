import { graphVersion } from './graph-version';
import type { FrozenGraph, FrozenValue } from './frozen-graph';
import type { ElementType, FrozenAttribute, FrozenNode } from './frozen-node';
import { bytes, encode, entry, float, message, text, varint } from './protobuf';
import type { Write } from './protobuf';

/** TensorFlow's numbers for element types. */
const typeNumbers: Readonly<Record<ElementType, number>> = { float32: 1, int32: 3, uint8: 4 };

/**
 * Converts a frozen graph to the bytes of `saved_model.pb`. A folder with only this file is a complete SavedModel: the
 * weights are constants of the graph, so there is no `variables` folder.
 *
 * Its signatures are `serving_default`, which takes float32 `images`, and `bytes`, which takes uint8. Both take
 * `[N,H,W,C]` of 0..255 and return `logits` and `probabilities`. The tag is `serve`.
 *
 * @see TensorFlow, tensorflow/core/protobuf/saved_model.proto and meta_graph.proto, for the numbers of the fields
 */
export function savedModel({ nodes, inputs, outputs }: FrozenGraph): Uint8Array {
  const signature =
    (images: FrozenValue): Write =>
    (to) => {
      entry(to, 1, 'images', tensorInfo(images));
      for (const [key, value] of Object.entries(outputs)) entry(to, 2, key, tensorInfo(value));
      text(to, 3, 'tensorflow/serving/predict');
    };
  const graph: Write = (to) => {
    for (const node of nodes) message(to, 1, nodeDef(node));
    message(to, 4, (versions) => varint(versions, 1, graphVersion));
  };
  const metaGraph: Write = (to) => {
    message(to, 1, (metaInfo) => text(metaInfo, 4, 'serve'));
    message(to, 2, graph);
    entry(to, 5, 'serving_default', signature(inputs.images));
    entry(to, 5, 'bytes', signature(inputs.bytes));
  };
  return encode((file) => {
    varint(file, 1, 1);
    message(file, 2, metaGraph);
  });
}

function nodeDef({ name, op, inputs, attributes }: FrozenNode): Write {
  return (to) => {
    text(to, 1, name);
    text(to, 2, op);
    for (const input of inputs) text(to, 3, input);
    for (const [key, value] of Object.entries(attributes)) entry(to, 5, key, attrValue(value));
  };
}

function attrValue(attribute: FrozenAttribute): Write {
  return (to) => {
    switch (attribute.kind) {
      case 'ints':
        message(to, 1, (list) =>
          message(list, 3, (packed) => {
            for (const value of attribute.value) packed.int64(value);
          }),
        );
        break;
      case 'string':
        text(to, 2, attribute.value);
        break;
      case 'int':
        varint(to, 3, attribute.value);
        break;
      case 'float':
        float(to, 4, attribute.value);
        break;
      case 'bool':
        varint(to, 5, attribute.value ? 1 : 0);
        break;
      case 'type':
        varint(to, 6, typeNumbers[attribute.value]);
        break;
      case 'shape':
        message(to, 7, tensorShape(attribute.value));
        break;
      case 'tensor': {
        const { shape, data } = attribute.value;
        message(to, 8, (tensor) => {
          varint(tensor, 1, typeNumbers[data instanceof Int32Array ? 'int32' : 'float32']);
          message(tensor, 2, tensorShape(shape));
          bytes(tensor, 4, data);
        });
        break;
      }
      default:
        attribute satisfies never;
    }
  };
}

function tensorInfo({ name, dtype, shape }: FrozenValue): Write {
  return (to) => {
    text(to, 1, `${name}:0`);
    varint(to, 2, typeNumbers[dtype]);
    message(to, 3, tensorShape(shape));
  };
}

function tensorShape(shape: readonly number[]): Write {
  return (to) => {
    for (const extent of shape) message(to, 2, (dimension) => varint(dimension, 1, extent));
  };
}
