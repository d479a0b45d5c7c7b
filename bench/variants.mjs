// The variants: how each is started, its name in tables and result files, and the memory that it is expected to take (`bytes`,
// slightly more than observed).
import { startWorker } from './processes.mjs';
import { spread } from './rounds.mjs';

/** Our own training step. Mode `eager` is TF.js executing kernel by kernel. */
export function trainerVariant(mode, precision, config) {
  return {
    what: mode === 'eager' ? 'TF.js eager' : config.xla ? 'captured, XLA' : 'captured',
    precision,
    worker: 'trainer',
    config: { mode, precision, ...config },
    bytes: 1e9 + 14e6 * config.batch,
  };
}

/** The same network in `tf.layers`. */
export function layersVariant(config) {
  const bytes = 1e9 + 26e6 * config.batch;
  return { what: 'tf.layers model.fit', precision: 'fp32', worker: 'layers', config, bytes };
}

/** PyTorch in one of {@link torchModes}. */
export function torchVariant(mode, config) {
  const [number, ...rest] = mode.split(' ');
  const name = ['PyTorch', number === 'medium' ? 'fp32/bf16' : number, ...rest];
  return {
    what: name.join(' '),
    precision: number === 'fp32' ? 'fp32' : 'bf16',
    worker: 'torch',
    config: { kind: 'step', mode, ...config },
    bytes: 1e9 + 14e6 * config.batch,
  };
}

/** Chained products of square matrices, by `matmul` (captured by us) or `torch`. */
export function matmulVariant(worker, precision, { size, chain }) {
  return {
    what: worker === 'torch' ? 'PyTorch matmul' : 'captured matmul',
    precision,
    worker,
    config: { kind: 'matmul', precision, size, chain },
    bytes: 1e9 + 12 * size ** 2,
    gflop: (chain * 2 * size ** 3) / 1e9,
  };
}

/** PyTorch's modes for this network on a CPU; bench/peers/resnet9_torch.py explains them. */
export function torchModes({ compiles, hasAmx }) {
  const numbers = ['fp32', 'autocast', 'bf16', ...(hasAmx ? ['medium'] : [])];
  const layouts = ['', ' channels-last'];
  const runs = compiles ? ['', ' compiled'] : [''];
  return runs.flatMap((run) =>
    layouts.flatMap((layout) => numbers.map((number) => number + layout + run)),
  );
}

/**
 * Runs every mode of PyTorch for two steps after two of burn-in, one mode after the other, to select modes for the rounds.
 *
 * @returns `found`, the modes with their median seconds, fastest first, and `failed`
 */
export async function screenTorch(modes, config, say) {
  const found = [];
  const failed = [];
  for (const mode of modes) {
    const variant = torchVariant(mode, config);
    say(`screening ${variant.what}`);
    try {
      const worker = await startWorker(variant.worker, variant.config);
      const best = Math.min(Infinity, ...found.map(({ median }) => median));
      const warm = worker.ready.seconds.at(-1);
      // Emulated bf16 takes many times as long; the last step of the burn-in is enough then.
      const seconds = warm > 3 * best ? [warm] : (await worker.ask({ steps: 2 })).seconds;
      await worker.close();
      found.push({ mode, ...spread(seconds) });
    } catch (error) {
      failed.push({ mode, error: error.message });
    }
  }
  return { found: found.toSorted((a, b) => a.median - b.median), failed };
}
