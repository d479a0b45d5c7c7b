import { classes } from '../data/cifar10';
import { mean, std } from '../data/normalise';
import { writeSafetensors } from '../data/safetensors';
import { freeze } from '../export/frozen-graph';
import type { FrozenGraph } from '../export/frozen-graph';
import { graphModel } from '../export/graph-model';
import { onnxModel } from '../export/onnx';
import { savedModel } from '../export/saved-model';
import type { TrainedNetwork } from './trained-network';

/** The formats in which a trained network can be exported. */
export type ExportFormat = 'saved-model' | 'tfjs' | 'onnx' | 'safetensors';

/** Every {@link ExportFormat}. */
export const exportFormats: readonly ExportFormat[] = [
  'saved-model',
  'tfjs',
  'onnx',
  'safetensors',
];

/** Options of {@link exported}. */
export interface ExportOptions {
  /** Whether the logits are the mean over the image and its mirror image; default: the setting of the experiment. */
  readonly tta?: boolean;
}

/** An exported network. */
export interface Exported {
  /** Files by name, without `about.json`. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  /** The contents of `about.json`. */
  readonly about: object;
}

/**
 * Exports a trained network as files for other programs, by name: `saved_model.pb`, or `model.json` and its shards, or
 * `network.onnx`, or `network.safetensors`, weights `[...]` in the shapes of their layers; and `about.json`, which describes
 * the network, its classes, inputs and outputs.
 *
 * SavedModel, graph model and ONNX take images of 0..255 and normalise them inside; a safetensors file holds the weights
 * alone. All numbers are float32. Nothing is written to disk.
 *
 * @throws ExportError if the variables do not match the network
 */
export function exported(
  trained: TrainedNetwork,
  format: ExportFormat,
  options: ExportOptions = {},
): ReadonlyMap<string, string | Uint8Array> {
  const { files, about } = exportOf(trained, format, options);
  return new Map([...files, ['about.json', aboutText(about)]]);
}

/** The text of an `about.json`. */
export function aboutText(about: object): string {
  return `${JSON.stringify(about, null, 2)}\n`;
}

/**
 * Like {@link exported}, with the contents of `about.json` as an object.
 *
 * @throws ExportError if the variables do not match the network
 */
export function exportOf(
  trained: TrainedNetwork,
  format: ExportFormat,
  { tta = trained.tta }: ExportOptions = {},
): Exported {
  const { graph, variables } = trained;
  const about = aboutOf(trained);
  if (format === 'safetensors') {
    const tensors = Object.entries(variables).map(([path, { shape, data }]) => {
      return [path, { dtype: 'F32', shape, data: data as Float32Array }] as const;
    });
    const metadata = { format: 'cifar10-fast network 1', about: JSON.stringify(about) };
    const files = new Map([['network.safetensors', writeSafetensors(tensors, metadata)]]);
    return { files, about: { ...about, format } };
  }
  const frozen = freeze(graph, variables, { normalisation: { mean, std }, tta });
  const { images, bytes } = frozen.inputs;
  const inputs = format === 'saved-model' ? { images, bytes } : { images };
  return {
    files: graphFiles(frozen, format, { ...about, tta }),
    about: { ...about, format, tta, inputs, outputs: frozen.outputs },
  };
}

/** The fields of `about.json` that all formats share. */
function aboutOf({ name: record, isEma, accPercent, ...trained }: TrainedNetwork): object {
  const { scale, seed, epoch, checkpoint } = trained;
  return {
    record,
    scale,
    seed,
    epoch,
    checkpoint,
    weights: isEma ? 'ema' : 'network',
    ...(accPercent === undefined ? {} : { accPercent }),
    classes,
    normalisation: { mean, std },
  };
}

function graphFiles(
  frozen: FrozenGraph,
  format: Exclude<ExportFormat, 'safetensors'>,
  about: object,
): ReadonlyMap<string, string | Uint8Array> {
  switch (format) {
    case 'saved-model':
      return new Map([['saved_model.pb', savedModel(frozen)]]);
    case 'tfjs':
      return graphModel(frozen, about);
    case 'onnx':
      return new Map([['network.onnx', onnxModel(frozen, { about: JSON.stringify(about) })]]);
    default:
      return format satisfies never;
  }
}
