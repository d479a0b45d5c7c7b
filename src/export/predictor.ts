import type * as tf from '@tensorflow/tfjs-core';
import { reverse } from '@tensorflow/tfjs-core';
import { ExportError } from '../base/errors';
import { checkFinite } from './finite';
import { classes as cifar10Classes } from '../data/cifar10';
import { normalise } from '../data/normalise';
import { createSession } from '../engine/session';
import type { Run, SessionOptions } from '../engine/session';
import { firstNotFinite } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import type { Graph } from '../graph/spec';
import { outputCount, runNetwork } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';

/** How images are classified. */
export interface PredictorOptions {
  /** Averages the logits over the image and its mirror image. Default: false. */
  readonly tta?: boolean;
  /** Images per batch. Default: 250. */
  readonly batchSize?: number;
  /** How the network runs. Default: eagerly, in fp32, which spares a few images the cost of recording and measuring. */
  readonly engine?: SessionOptions;
}

/** A network on the device that classifies images. */
export interface Predictor {
  /** Outputs of the network; 10 if they cannot be told from its layers. */
  readonly classes: number;
  /**
   * The logits `[N,classes]` of images `[N,32,32,3]` of 0..255, in a new array.
   *
   * @throws ExportError if `images` has the wrong length, or a logit is NaN or infinite; names the first node whose output is
   */
  logits(images: Uint8Array): Promise<Float32Array>;
  /** Frees the device memory. */
  dispose(): void;
}

const imageLength = 32 * 32 * 3;

/**
 * Loads a trained network onto the device to classify images of CIFAR-10's size. The caller disposes it.
 *
 * @param variables all tensors that the network's layers own, by path
 * @throws EngineError if TensorFlow does not load
 * @throws ExportError if `batchSize` is not a positive integer, or a variable holds NaN or infinity; later, see {@link Predictor.logits}
 */
export function createPredictor(
  graph: Graph<AnyLayer>,
  variables: HostVariables,
  { tta = false, batchSize = 250, engine = { mode: 'eager' } }: PredictorOptions = {},
): Predictor {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ExportError(`predict: batchSize must be a positive integer; got ${batchSize}.`);
  }
  checkFinite(variables, 'predict');
  const output = [...graph.keys()].at(-1) ?? '';
  const classes = outputCount(graph) ?? cifar10Classes.length;
  const session = createSession({ network: variables }, engine);
  const runs = new Map<number, Run<{ input: HostTensor }, { logits: tf.Tensor }>>();
  const run = async (images: Uint8Array): Promise<HostTensor> => {
    const count = images.length / imageLength;
    const input: HostTensor = { shape: [count, 32, 32, 3], data: normalise(images) };
    const captured =
      runs.get(count) ??
      session.capture(
        `predict ${count}`,
        ({ network }, fed) => {
          const ask = (x: tf.Tensor): tf.Tensor =>
            runNetwork(graph, network, { input: x }, false).values.get(output) as tf.Tensor;
          const plain = ask(fed.input);
          const logits = tta ? plain.add(ask(reverse(fed.input, 2))).mul(0.5) : plain;
          return { outputs: { logits } };
        },
        { input },
      );
    runs.set(count, captured);
    return (await captured({ input })).logits;
  };
  /** Runs the network node by node on the first image whose logits are not finite. */
  const firstBadNode = async (images: Uint8Array, logits: HostTensor): Promise<string> => {
    const index = Math.floor(
      logits.data.findIndex((x) => !Number.isFinite(x)) / (logits.shape.at(-1) ?? classes),
    );
    const image = images.subarray(index * imageLength, (index + 1) * imageLength);
    const input: HostTensor = { shape: [1, 32, 32, 3], data: normalise(image) };
    const runAll = session.capture(
      'predict, every node',
      ({ network }, fed) => {
        const views = tta ? [fed.input, reverse(fed.input, 2)] : [fed.input];
        const values = views.flatMap((view, at) =>
          [...runNetwork(graph, network, { input: view }, false).values].map(
            ([path, value]) => [at === 0 ? path : `${path} (mirrored)`, value.clone()] as const,
          ),
        );
        return { outputs: Object.fromEntries(values) };
      },
      { input },
    );
    const bad = firstNotFinite(Object.entries(await runAll({ input })));
    return `for image ${index} of its batch ${bad ?? 'a logit is NaN'}`;
  };
  return {
    classes,
    async logits(images) {
      const count = images.length / imageLength;
      if (!Number.isInteger(count) || count === 0) {
        throw new ExportError(
          `predict: ${images.length} bytes are not a whole number of images [32,32,3] of ${imageLength}. ` +
            'Resize them first, and give [N,32,32,3] in rows.',
        );
      }
      const parts: HostTensor[] = [];
      for (let from = 0; from < count; from += batchSize) {
        const batch = images.subarray(from * imageLength, (from + batchSize) * imageLength);
        const part = await run(batch);
        if (firstNotFinite([['logits', part]]) !== undefined) {
          throw new ExportError(
            `predict: ${await firstBadNode(batch, part)}, although all variables are finite. Train the network again, or ` +
              'take another checkpoint.',
          );
        }
        parts.push(part);
      }
      return Float32Array.from(parts.flatMap(({ data }) => [...data]));
    },
    dispose: () => session.dispose(),
  };
}

/** Probabilities `[N,classes]` of logits `[N,classes]`; each row adds up to 1. */
export function softmax(logits: Float32Array, classes = 10): Float64Array {
  const out = new Float64Array(logits.length);
  for (let from = 0; from < logits.length; from += classes) {
    const row = logits.subarray(from, from + classes);
    const top = Math.max(...row);
    let sum = 0;
    for (const value of row) sum += Math.exp(value - top);
    for (let i = 0; i < row.length; i++) out[from + i] = Math.exp(row[i] - top) / sum;
  }
  return out;
}
