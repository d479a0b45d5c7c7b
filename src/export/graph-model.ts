import { graphVersion } from './graph-version';
import type { FrozenGraph, FrozenValue } from './frozen-graph';
import type { ElementType, FrozenAttribute, FrozenNode } from './frozen-node';

const typeNames: Readonly<Record<ElementType, string>> = {
  float32: 'DT_FLOAT',
  int32: 'DT_INT32',
  uint8: 'DT_UINT8',
};

/** Bytes of weights per file, as in TF.js's own converter: browsers load several files at a time and cache each. */
const shardBytes = 4 * 1024 * 1024;

/**
 * Converts a frozen graph to a TF.js graph model for `tf.loadGraphModel`. Returns files by name: `model.json` with the
 * graph and `group1-shardKofN.bin` with the weights.
 *
 * The input is `images` as float32 `[N,H,W,C]` of 0..255; TF.js has no uint8. `predict` returns `logits` and
 * `probabilities`, in this order.
 *
 * @param metadata stored in `model.json` as `userDefinedMetadata`
 */
export function graphModel(
  { nodes, inputs: { images, bytes }, outputs }: FrozenGraph,
  metadata: object = {},
): ReadonlyMap<string, string | Uint8Array> {
  const kept = nodes
    .filter(({ name }) => name !== bytes.name)
    .map((node) => (node.name === images.name ? placeholder(images) : node));
  const constants = kept.flatMap(({ name, attributes: { value } }) =>
    value?.kind === 'tensor' ? [{ name, ...value.value }] : [],
  );
  const weights = Buffer.concat(
    constants.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  );
  const count = Math.ceil(weights.length / shardBytes);
  const shards = Array.from({ length: count }, (_, index) => ({
    name: `group1-shard${index + 1}of${count}.bin`,
    content: weights.subarray(index * shardBytes, (index + 1) * shardBytes),
  }));
  const values = (of: readonly FrozenValue[]): object =>
    Object.fromEntries(
      of.map(({ name, dtype, shape }) => [
        name,
        { name: `${name}:0`, dtype: typeNames[dtype], tensorShape: shapeJson(shape) },
      ]),
    );
  const model = {
    format: 'graph-model',
    generatedBy: 'cifar10-fast',
    convertedBy: null,
    signature: { inputs: values([images]), outputs: values(Object.values(outputs)) },
    userDefinedMetadata: metadata,
    modelTopology: {
      node: kept.map(nodeJson),
      versions: { producer: graphVersion },
    },
    weightsManifest: [
      {
        paths: shards.map(({ name }) => name),
        weights: constants.map(({ name, shape, data }) => ({
          name,
          shape,
          dtype: data instanceof Int32Array ? 'int32' : 'float32',
        })),
      },
    ],
  };
  return new Map<string, string | Uint8Array>([
    ...shards.map(({ name, content }) => [name, content] as const),
    // Last, so that once this file exists, the weights exist too.
    ['model.json', `${JSON.stringify(model)}\n`],
  ]);
}

function placeholder({ name, dtype, shape }: FrozenValue): FrozenNode {
  return {
    name,
    op: 'Placeholder',
    inputs: [],
    attributes: { dtype: { kind: 'type', value: dtype }, shape: { kind: 'shape', value: shape } },
  };
}

function nodeJson({ name, op, inputs, attributes }: FrozenNode): object {
  const attr = Object.entries(attributes).flatMap(([key, attribute]) =>
    attribute.kind === 'tensor' ? [] : [[key, attributeJson(attribute)] as const],
  );
  return {
    name,
    op,
    ...(inputs.length === 0 ? {} : { input: inputs }),
    attr: Object.fromEntries(attr),
  };
}

/** The JSON mapping of protocol buffers: 64-bit integers and bytes are strings, bytes in base64. */
function attributeJson(attribute: Exclude<FrozenAttribute, { kind: 'tensor' }>): object {
  switch (attribute.kind) {
    case 'ints':
      return { list: { i: attribute.value.map(String) } };
    case 'string':
      return { s: Buffer.from(attribute.value).toString('base64') };
    case 'int':
      return { i: String(attribute.value) };
    case 'float':
      return { f: attribute.value };
    case 'bool':
      return { b: attribute.value };
    case 'type':
      return { type: typeNames[attribute.value] };
    case 'shape':
      return { shape: shapeJson(attribute.value) };
    default:
      return attribute satisfies never;
  }
}

function shapeJson(shape: readonly number[]): object {
  return { dim: shape.map((extent) => ({ size: String(extent) })) };
}
