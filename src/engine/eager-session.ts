import * as tf from '@tensorflow/tfjs-core';
import { CaptureError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import { entries, mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import { isFeed, isHost, isTensor, toHostTensor } from './step';
import type { Feed, Session } from './step';

function toTensor(feed: Feed): tf.Tensor {
  const { data, shape } = toHostTensor(feed);
  const dtype =
    data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'bool';
  return tf.tensor(data, shape as number[], dtype);
}

async function toHost(tensor: tf.Tensor): Promise<HostTensor> {
  return { shape: [...tensor.shape], data: await tensor.data() };
}

async function readTree(tree: Tree<tf.Tensor>): Promise<Tree<HostTensor>> {
  const values = new Map<tf.Tensor, HostTensor>();
  for (const [, tensor] of entries(tree, isTensor)) values.set(tensor, await toHost(tensor));
  return mapTree(tree, isTensor, (tensor) => values.get(tensor) as HostTensor);
}

/**
 * Opens a session on `initial`: nested records of host tensors, copied to the device.
 *
 * Steps run eagerly: TF.js executes them kernel by kernel.
 *
 * @throws CaptureError if a step returns a part of the state that does not exist or has another shape.
 */
export function createEagerSession<S extends Tree<HostTensor>>(initial: S): Session<S> {
  let state: Tree<tf.Tensor> = mapTree(initial, isHost, toTensor);
  let isDisposed = false;

  /** Puts the tensors of `update` in the place of those of `old`; what is replaced is disposed. */
  const replace = (
    old: Tree<tf.Tensor>,
    update: Tree<tf.Tensor>,
    where: string,
  ): Tree<tf.Tensor> => {
    const result: Record<string, tf.Tensor | Tree<tf.Tensor>> = { ...old };
    for (const [key, next] of Object.entries(update)) {
      const before = old[key];
      if (before === undefined) {
        throw new CaptureError(
          `session: ${where} sets "${key}", which the state does not hold.` +
            `${nearestHint(key, Object.keys(old))} Put it into the state that the session starts with.`,
        );
      }
      if (isTensor(next) && isTensor(before)) {
        if (next.dtype !== before.dtype || next.shape.join() !== before.shape.join()) {
          throw new CaptureError(
            `session: ${where} sets "${key}" to ${next.dtype} [${next.shape.join()}]; it is ` +
              `${before.dtype} [${before.shape.join()}] and keeps its shape. Open a new session for another shape.`,
          );
        }
        if (next !== before) before.dispose();
        result[key] = next;
      } else if (!isTensor(next) && !isTensor(before)) {
        result[key] = replace(before, next, `${where} in "${key}"`);
      } else {
        throw new CaptureError(
          `session: ${where} sets "${key}", and only one of the new and the old value is a tensor. ` +
            'Return the nesting that the state has.',
        );
      }
    }
    return result;
  };

  const alive = (what: string): void => {
    if (isDisposed) {
      throw new CaptureError(`session: ${what} was called after dispose(). Open a new session.`);
    }
  };

  return {
    mode: 'eager',
    capture(name, step) {
      alive(`capture("${name}")`);
      return async (inputs) => {
        alive(`step "${name}"`);
        const result = tf.tidy(() => {
          const fed = mapTree(inputs, isFeed, toTensor);
          // The nesting of state and inputs is that of their types, which a walk cannot tell the compiler.
          return step(state as never, fed as never) as tf.TensorContainer;
        }) as { readonly state?: Tree<tf.Tensor>; readonly outputs?: Tree<tf.Tensor> };
        state = replace(state, result.state ?? {}, `step "${name}"`);
        const outputs = await readTree(result.outputs ?? {});
        for (const [, tensor] of entries(result.outputs ?? {}, isTensor)) tensor.dispose();
        // Lets timers, displays and signals in between two steps.
        await new Promise((resolve) => setImmediate(resolve));
        return outputs as never;
      };
    },
    async read(...names) {
      alive('read()');
      const parts = names.map((name) => {
        const part = state[name];
        if (part === undefined) {
          throw new CaptureError(
            `session: the state holds no "${name}".${nearestHint(name, Object.keys(state))}`,
          );
        }
        return [name, part] as const;
      });
      return (await readTree(Object.fromEntries(parts))) as never;
    },
    write(values) {
      alive('write()');
      state = replace(state, mapTree(values as Tree<HostTensor>, isHost, toTensor), 'write()');
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      for (const [, tensor] of entries(state, isTensor)) tensor.dispose();
    },
  };
}
