import { ExportError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import type { Rgb } from '../data/normalise';
import type { Graph } from '../graph/spec';
import { parametersOfGraph } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';
import { checkFinite } from './finite';
import { constant, emitLayer, float, integers, type } from './frozen-layers';
import type { Emit, Placed } from './frozen-layers';
import type { ElementType, FrozenNode } from './frozen-node';

/** An input or output of a graph. */
export interface FrozenValue {
  /** The name of the node whose first output this is. */
  readonly name: string;
  readonly dtype: ElementType;
  /** -1 for the number of images. */
  readonly shape: readonly number[];
}

/** A trained network as one TensorFlow graph without variables; see {@link freeze}. */
export interface FrozenGraph {
  /** In topological order. */
  readonly nodes: readonly FrozenNode[];
  /** The same images in either type: feed one of them. Feeding `images` bypasses `bytes`. */
  readonly inputs: { readonly images: FrozenValue; readonly bytes: FrozenValue };
  readonly outputs: { readonly logits: FrozenValue; readonly probabilities: FrozenValue };
}

/** Options of {@link freeze}. */
export interface FreezeOptions {
  /** Mean and standard deviation per channel for normalising images, on the scale 0..255. */
  readonly normalisation: { readonly mean: Rgb; readonly std: Rgb };
  /** Averages the logits over the image and its mirror image. Default: false. */
  readonly tta?: boolean;
  /** `[H,W,C]` of an image. Default: `[32,32,3]`. */
  readonly imageShape?: readonly [height: number, width: number, channels: number];
}

/**
 * Writes a network in evaluation mode as a graph of standard TensorFlow operations, with its weights as constants.
 *
 * The input is images `[N,H,W,C]` of 0..255, any N, as `images` (float32) or `bytes` (uint8); the graph normalises them. The
 * outputs are `logits` and `probabilities`, `[N,classes]`. The graph computes in float32, whatever the training precision.
 * Nodes are named by the network's paths: `network/layer1/conv`, their constants `network/layer1/conv/weight`.
 *
 * @param variables all tensors that the network's layers own, by path; the arrays are not copied
 * @throws ExportError if a variable is missing, has a different shape from its layer's, or holds NaN or infinity, or if the
 *   network contains a loss layer
 */
export function freeze(
  graph: Graph<AnyLayer>,
  variables: HostVariables,
  { normalisation, tta = false, imageShape = [32, 32, 3] }: FreezeOptions,
): FrozenGraph {
  checkVariables(graph, variables);
  checkFinite(variables, 'export');
  const nodes: FrozenNode[] = [];
  const emit: Emit = (name, op, inputs, attributes = {}) => {
    nodes.push({ name, op, inputs, attributes });
    return name;
  };
  const shape = [-1, ...imageShape];
  const placeholder = { dtype: type('uint8'), shape: { kind: 'shape', value: shape } } as const;
  emit('bytes', 'Placeholder', [], placeholder);
  emit('images', 'Cast', ['bytes'], { SrcT: type('uint8'), DstT: float });
  const mean = constant(emit, 'normalise/mean', vector(normalisation.mean));
  const std = constant(emit, 'normalise/std', vector(normalisation.std));
  emit('normalise/sub', 'Sub', ['images', mean], { T: float });
  const input = emit('normalise', 'RealDiv', ['normalise/sub', std], { T: float });

  const weights = new Map<string, string>();
  for (const path of parametersOfGraph(graph).map((owned) => owned.path)) {
    weights.set(path, constant(emit, `network/${path}`, variables[path]));
  }
  const plain = emitNetwork(emit, 'network', graph, weights, input, imageShape);
  let logits = plain.name;
  if (tta) {
    const axis = constant(emit, 'mirror/axis', integers([2]));
    emit('mirror', 'ReverseV2', [input, axis], { Tidx: type('int32'), T: float });
    const mirrored = emitNetwork(emit, 'mirrored', graph, weights, 'mirror', imageShape);
    emit('sum', 'AddV2', [plain.name, mirrored.name], { T: float });
    const half = constant(emit, 'half', { shape: [], data: Float32Array.of(0.5) });
    logits = emit('mean', 'Mul', ['sum', half], { T: float });
  }
  emit('logits', 'Identity', [logits], { T: float });
  emit('probabilities', 'Softmax', ['logits'], { T: float });
  const scores = { dtype: 'float32', shape: [-1, ...plain.shape] } as const;
  return {
    nodes,
    inputs: {
      images: { name: 'images', dtype: 'float32', shape },
      bytes: { name: 'bytes', dtype: 'uint8', shape },
    },
    outputs: {
      logits: { name: 'logits', ...scores },
      probabilities: { name: 'probabilities', ...scores },
    },
  };
}

function vector(values: readonly number[]): HostTensor {
  return { shape: [values.length], data: Float32Array.from(values) };
}

function checkVariables(graph: Graph<AnyLayer>, variables: HostVariables): void {
  for (const { path, parameter } of parametersOfGraph(graph)) {
    const variable = variables[path];
    if (variable === undefined) {
      throw new ExportError(
        `export: there is no variable "${path}".${nearestHint(path, Object.keys(variables))} ` +
          'Give the weights of the network that is exported.',
      );
    }
    if (variable.shape.join() !== parameter.shape.join()) {
      throw new ExportError(
        `export: "${path}" has shape [${variable.shape.join()}]; its layer expects [${parameter.shape.join()}]. ` +
          'Give the weights of the network that is exported.',
      );
    }
  }
}

/** Adds every node of a network, named `<prefix>/<path>`; returns the last one. */
function emitNetwork(
  emit: Emit,
  prefix: string,
  graph: Graph<AnyLayer>,
  weights: ReadonlyMap<string, string>,
  input: string,
  imageShape: readonly number[],
): Placed {
  const placed = new Map<string, Placed>();
  let last: Placed = { name: input, shape: imageShape };
  for (const [path, { layer, inputs }] of graph) {
    if (layer === null) {
      placed.set(path, { name: input, shape: imageShape });
      continue;
    }
    const read = inputs.map((name) => placed.get(name) as Placed);
    const name = `${prefix}/${path}`;
    const weight = (own: string): string => weights.get(`${path}/${own}`) as string;
    last = emitLayer(layer, { emit, name, inputs: read, weight });
    placed.set(path, last);
  }
  return last;
}
