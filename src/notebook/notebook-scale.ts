import { NotebookError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { loadTensorflow } from '../engine/tensorflow';
import { scales } from '../catalogue/experiment';
import type { Scale } from '../catalogue/experiment';

/**
 * The scale in `CIFAR10_FAST_SCALE`; `undefined` if it is not set.
 *
 * @throws NotebookError if it is not a scale
 */
export function wantedScale(): Scale | undefined {
  const wanted = process.env['CIFAR10_FAST_SCALE'] ?? '';
  if (wanted === '') return undefined;
  const found = scales.find((scale) => scale === wanted);
  if (found === undefined) {
    throw new NotebookError(
      `CIFAR10_FAST_SCALE is "${wanted}", which is not a scale.${nearestHint(wanted, scales)} ` +
        `Scales are: ${scales.join(', ')}.`,
    );
  }
  return found;
}

/**
 * The scale at which the cells of a notebook train: that of the environment variable `CIFAR10_FAST_SCALE`, else `full` if
 * TensorFlow has a GPU and `pocket` if it has none.
 *
 * @throws NotebookError if the variable is set to something other than a scale
 * @throws EngineError if TensorFlow does not load
 */
export function notebookScale(): Scale {
  return wantedScale() ?? (loadTensorflow().gpu ? 'full' : 'pocket');
}
