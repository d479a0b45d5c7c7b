import { NotebookError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { loadTensorflow } from '../engine/tensorflow';
import { scales } from '../catalogue/experiment';
import type { Scale } from '../catalogue/experiment';

/** The size that `CIFAR10_FAST_SCALE` asks for; `undefined` where it asks for none.
 *
 * @throws NotebookError if it is no size
 */
export function wantedScale(): Scale | undefined {
  const wanted = process.env['CIFAR10_FAST_SCALE'] ?? '';
  if (wanted === '') return undefined;
  const found = scales.find((scale) => scale === wanted);
  if (found === undefined) {
    throw new NotebookError(
      `CIFAR10_FAST_SCALE is "${wanted}", which is not a scale.${nearestHint(wanted, scales)} ` +
        `Sizes are: ${scales.join(', ')}.`,
    );
  }
  return found;
}

/**
 * The size in which the cells of a notebook train: what the environment variable `CIFAR10_FAST_SCALE` says, else `full` where
 * TensorFlow has a GPU and `pocket` where it has none.
 *
 * @throws NotebookError if the variable holds no size
 * @throws EngineError if TensorFlow does not load
 */
export function notebookScale(): Scale {
  return wantedScale() ?? (loadTensorflow().gpu ? 'full' : 'pocket');
}
