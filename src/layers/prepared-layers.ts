import { CaptureError } from '../base/errors';
import type { RandomSource } from '../engine/random';
import { fusedCall, readByRelu } from './fused-layers';
import { layersOf } from './internals';
import type { CallArguments, LayerInternals, ModelInternals } from './internals';
import { isTraining, randomCall, useRandomMasks } from './random-layers';

/** Thrown for a layer that cannot be recorded; its message names the layer and says what to do. */
class LayerCaptureError extends CaptureError {}

/**
 * Runs `action` with a model's layers prepared for recording: random layers draw from `random`, batch norm is fused, and an
 * operation that cannot be recorded throws an error that names its layer. Restores the layers afterwards.
 *
 * @throws CaptureError naming the layer that cannot be recorded
 */
export function withPreparedLayers<T>(
  model: ModelInternals,
  random: RandomSource,
  action: () => T,
): T {
  const restore: (() => void)[] = [];
  const layers = layersOf(model);
  const isBeforeRelu = readByRelu(layers, model.outputLayers);
  try {
    for (const layer of layers) {
      if (layer.stateful && 'states_' in layer) throw statefulError(layer);
      const restoreMasks = useRandomMasks(layer, random);
      if (restoreMasks !== undefined) restore.push(restoreMasks);
      const own = Object.getOwnPropertyDescriptor(layer, 'call');
      layer.call = prepared(
        layer,
        own === undefined ? replacement(layer, random, isBeforeRelu) : undefined,
      );
      restore.push(() => {
        if (own === undefined) Reflect.deleteProperty(layer, 'call');
        else Object.defineProperty(layer, 'call', own);
      });
    }
    return action();
  } finally {
    for (const undo of restore) undo();
  }
}

type Replacement = ReturnType<typeof fusedCall>;

/** What runs in training in the place of a layer's call, if anything. */
function replacement(
  layer: LayerInternals,
  random: RandomSource,
  isBeforeRelu: (layer: LayerInternals) => boolean,
): Replacement {
  return randomCall(layer, random) ?? fusedCall(layer, isBeforeRelu);
}

function prepared(layer: LayerInternals, inTraining: Replacement): LayerInternals['call'] {
  const original = layer.call.bind(layer);
  return (inputs, kwargs: CallArguments) => {
    try {
      const x = Array.isArray(inputs) ? inputs[0] : inputs;
      const replaced = isTraining(kwargs) ? inTraining?.(x) : undefined;
      if (replaced !== undefined) {
        layer.invokeCallHook(inputs, kwargs);
        return replaced;
      }
      return original(inputs, kwargs);
    } catch (cause) {
      throw named(layer, cause);
    }
  };
}

/** Adds to a capture error the name of the innermost layer that it comes from. Returns other errors unchanged. */
function named(layer: LayerInternals, cause: unknown): unknown {
  if (!(cause instanceof CaptureError) || cause instanceof LayerCaptureError) return cause;
  return new LayerCaptureError(
    `accelerate: the layer "${layer.name}" (${layer.getClassName()}) cannot be recorded: ${cause.message} ` +
      'Replace the layer, or pass { fallback: true } to train the model eagerly.',
    { cause },
  );
}

function statefulError(layer: LayerInternals): CaptureError {
  return new LayerCaptureError(
    `accelerate: the layer "${layer.name}" (${layer.getClassName()}) is stateful: it carries tensors from batch to ` +
      "batch outside of the model's weights. Make it with stateful: false, or pass { fallback: true } to train the " +
      'model eagerly.',
  );
}
