// Registers itself.
// oxlint-disable-next-line import/no-unassigned-import
import '@tensorflow/tfjs-backend-webgpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import wasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { dispose, env, io, setBackend, tensor4d } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { PageData } from './data';

/** The value of a node for one image. */
export interface Activation {
  readonly name: string;
  /** `[1,H,W,C]` */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The network's output for an image. */
export interface Answer {
  /** `[10]` */
  readonly probabilities: Float32Array;
  /** `[C]`, the input of the head. */
  readonly features: Float32Array;
  readonly stages: readonly Activation[];
  readonly milliseconds: number;
}

/** A network that is ready to classify. */
export interface Network {
  /** For example `WebGPU`. */
  readonly backend: string;
  /** Why faster backends are not used, one sentence each. */
  readonly refused: readonly string[];
  /** @param pixels `[32,32,3]`, 0..255 */
  classify(pixels: Uint8Array): Promise<Answer>;
}

/** Backends, the fastest first. */
const backends = [
  { id: 'webgpu', title: 'WebGPU' },
  { id: 'wasm', title: 'WebAssembly' },
] as const;

/** A backend whose scores are off by more than this is not used. */
const tolerance = 1e-3;

/**
 * Opens the network on the first backend that starts and reproduces the known scores of this image.
 *
 * @param first the first test image `[32,32,3]`
 * @param only the one backend to try; default: WebGPU, then WebAssembly
 * @throws Error with the reasons of all backends if none does
 */
export async function openNetwork(
  data: PageData,
  first: Uint8Array,
  only?: string | null,
): Promise<Network> {
  // One binary for every browser: threads would need a server that isolates the page.
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  setWasmPaths({
    'tfjs-backend-wasm.wasm': wasm,
    'tfjs-backend-wasm-simd.wasm': wasm,
    'tfjs-backend-wasm-threaded-simd.wasm': wasm,
  });
  const refused: string[] = [];
  for (const { id, title } of backends.filter((backend) => !only || backend.id === only)) {
    try {
      const isThere = (id !== 'webgpu' || (await hasAdapter())) && (await setBackend(id));
      if (!isThere) throw new Error('this browser does not support it');
      const model = await loadGraphModel(io.fromMemory(artifacts(data)));
      const classify = (pixels: Uint8Array): Promise<Answer> => run(model, data, pixels);
      const { probabilities } = await classify(first);
      const error = Math.max(
        ...data.about.test.first.map((share, i) => Math.abs(share - probabilities[i])),
      );
      if (!(error <= tolerance)) throw new Error(`its scores are wrong by ${error.toPrecision(2)}`);
      return { backend: title, refused, classify };
    } catch (error) {
      refused.push(`${title}: ${error instanceof Error ? error.message : String(error)}.`);
    }
  }
  throw new Error(
    `the network runs neither on WebGPU nor on WebAssembly. ${refused.join(' ')} Use a browser released in 2023 or later.`,
  );
}

/** Whether WebGPU has an adapter to compute on; a browser can have WebGPU without one. */
async function hasAdapter(): Promise<boolean> {
  const { gpu } = navigator as { readonly gpu?: { requestAdapter(): Promise<object | null> } };
  return ((await gpu?.requestAdapter()) ?? null) !== null;
}

function artifacts({ model, weights }: PageData): io.ModelArtifacts {
  const { modelTopology, signature, weightsManifest } = model;
  return {
    modelTopology,
    signature,
    weightSpecs: weightsManifest.flatMap((group) => group.weights) as io.WeightsManifestEntry[],
    weightData: weights,
    format: 'graph-model',
  };
}

async function run(model: GraphModel, { about }: PageData, pixels: Uint8Array): Promise<Answer> {
  const start = performance.now();
  const nodes = ['probabilities', about.features, ...about.stages.map(({ node }) => node)];
  const images = tensor4d(Float32Array.from(pixels), [1, 32, 32, 3]);
  const tensors = model.execute({ images }, nodes) as Tensor[];
  try {
    const values = await Promise.all(tensors.map((tensor) => tensor.data<'float32'>()));
    const [probabilities, features, ...stages] = values;
    return {
      probabilities,
      features,
      stages: stages.map((data, i) => {
        return { name: about.stages[i].name, shape: tensors[i + 2].shape, data };
      }),
      milliseconds: performance.now() - start,
    };
  } finally {
    dispose([images, ...tensors]);
  }
}
