import { graphVersion } from './graph-version';
import type { FrozenGraph, FrozenValue } from './frozen-graph';
import type { ElementType, FrozenAttribute, FrozenNode } from './frozen-node';

/** TensorFlow's numbers for element types. */
const typeNumbers: Readonly<Record<ElementType, number>> = { float32: 1, int32: 3, uint8: 4 };

/**
 * A frozen graph as the bytes of `saved_model.pb`. A folder that holds this file alone is a SavedModel: the weights are
 * constants of the graph, so there are no variables beside it.
 *
 * Its signatures are `serving_default`, which takes `images` as float32, and `bytes`, which takes them as uint8; both are
 * `[N,H,W,C]` of 0..255 and give `logits` and `probabilities`. The tag is `serve`.
 *
 * @see TensorFlow, tensorflow/core/protobuf/saved_model.proto and meta_graph.proto, for the numbers of the fields
 */
export function savedModel({ nodes, inputs, outputs }: FrozenGraph): Uint8Array {
  const signature = (images: FrozenValue): Buffer =>
    Buffer.concat([
      entry(1, 'images', tensorInfo(images)),
      ...Object.entries(outputs).map(([key, value]) => entry(2, key, tensorInfo(value))),
      text(3, 'tensorflow/serving/predict'),
    ]);
  const metaInfo = text(4, 'serve');
  const versions = bytes(4, varint(1, graphVersion));
  const metaGraph = Buffer.concat([
    bytes(1, metaInfo),
    bytes(2, Buffer.concat([...nodes.map((node) => bytes(1, nodeDef(node))), versions])),
    entry(5, 'serving_default', signature(inputs.images)),
    entry(5, 'bytes', signature(inputs.bytes)),
  ]);
  return Buffer.concat([varint(1, 1), bytes(2, metaGraph)]);
}

function nodeDef({ name, op, inputs, attributes }: FrozenNode): Buffer {
  return Buffer.concat([
    text(1, name),
    text(2, op),
    ...inputs.map((input) => text(3, input)),
    ...Object.entries(attributes).map(([key, value]) => entry(5, key, attrValue(value))),
  ]);
}

function attrValue(attribute: FrozenAttribute): Buffer {
  switch (attribute.kind) {
    case 'ints':
      return bytes(1, bytes(3, Buffer.concat(attribute.value.map((value) => rawVarint(value)))));
    case 'string':
      return text(2, attribute.value);
    case 'int':
      return varint(3, attribute.value);
    case 'float': {
      const value = Buffer.alloc(5);
      value[0] = (4 << 3) | 5;
      value.writeFloatLE(attribute.value, 1);
      return value;
    }
    case 'bool':
      return varint(5, attribute.value ? 1 : 0);
    case 'type':
      return varint(6, typeNumbers[attribute.value]);
    case 'shape':
      return bytes(7, tensorShape(attribute.value));
    case 'tensor': {
      const { shape, data } = attribute.value;
      const dtype = typeNumbers[data instanceof Int32Array ? 'int32' : 'float32'];
      const content = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      return bytes(
        8,
        Buffer.concat([varint(1, dtype), bytes(2, tensorShape(shape)), bytes(4, content)]),
      );
    }
    default:
      return attribute satisfies never;
  }
}

function tensorInfo({ name, dtype, shape }: FrozenValue): Buffer {
  return Buffer.concat([
    text(1, `${name}:0`),
    varint(2, typeNumbers[dtype]),
    bytes(3, tensorShape(shape)),
  ]);
}

function tensorShape(shape: readonly number[]): Buffer {
  return Buffer.concat(shape.map((extent) => bytes(2, varint(1, extent))));
}

/** A field of a protocol buffer that holds bytes: text, or another message. */
function bytes(field: number, content: Uint8Array): Buffer {
  return Buffer.concat([rawVarint((field << 3) | 2), rawVarint(content.length), content]);
}

function text(field: number, content: string): Buffer {
  return bytes(field, Buffer.from(content));
}

function varint(field: number, value: number): Buffer {
  return Buffer.concat([rawVarint(field << 3), rawVarint(value)]);
}

/** An entry of a map from texts to messages. */
function entry(field: number, key: string, value: Uint8Array): Buffer {
  return bytes(field, Buffer.concat([text(1, key), bytes(2, value)]));
}

/** Seven bits a byte, the lowest first; negative numbers as their 64-bit two's complement. */
function rawVarint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Buffer.from([...out, Number(rest)]);
}
