import * as tf from '@tensorflow/tfjs-core';
import { CaptureError, EngineError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import { entries, mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import { checkCount, checkResult, isFeed, isHost, isTensor, toHostTensor } from './step';
import type { Feed, Run, Session, Step } from './step';

/** Copies the array: TF.js reads it when an operation first needs it, and the caller may have overwritten it by then. */
function toTensor(feed: Feed): tf.Tensor {
  const { data, shape } = toHostTensor(feed);
  const dtype =
    data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'bool';
  return tf.tensor(data.slice(), shape as number[], dtype);
}

async function toHost(tensor: tf.Tensor): Promise<HostTensor> {
  return { shape: [...tensor.shape], data: await tensor.data() };
}

/** The row of a loop's feed for run `index` of `count`. */
function rowOf(
  name: string,
  path: readonly string[],
  { shape: [rows, ...shape], data }: HostTensor,
  index: number,
  count: number,
): HostTensor {
  if (rows !== count) {
    throw new CaptureError(
      `capture: "${name}" runs ${count} times per call, but "${path.join('/')}" has shape ` +
        `[${[rows, ...shape].join()}]. Feed one row per run.`,
    );
  }
  const size = data.length / count;
  return { shape, data: data.slice(index * size, (index + 1) * size) };
}

/** Starts all reads at once, so that a step called in the meantime does not affect them. */
async function readTree(tree: Tree<tf.Tensor>): Promise<Tree<HostTensor>> {
  const tensors = leaves(tree);
  const values = await Promise.all(tensors.map(toHost));
  const found = new Map(tensors.map((tensor, index) => [tensor, values[index]]));
  return mapTree(tree, isTensor, (tensor) => found.get(tensor) as HostTensor);
}

function leaves(tree: Tree<tf.Tensor>): tf.Tensor[] {
  return [...entries(tree, isTensor)].map(([, tensor]) => tensor);
}

/** `old` with the tensors of `update` substituted. */
function merge(
  old: Tree<tf.Tensor>,
  update: Tree<tf.Tensor>,
  where: string,
  prefix: string,
): Tree<tf.Tensor> {
  const result: Record<string, tf.Tensor | Tree<tf.Tensor>> = { ...old };
  for (const [key, next] of Object.entries(update)) {
    const name = `${prefix}${key}`;
    const before = old[key];
    if (before === undefined) {
      throw new CaptureError(
        `session: ${where} sets "${name}", which is not in the state.` +
          `${nearestHint(key, Object.keys(old))} Add it to the initial state.`,
      );
    }
    if (isTensor(next) && isTensor(before)) {
      if (next.dtype !== before.dtype || next.shape.join() !== before.shape.join()) {
        throw new CaptureError(
          `session: ${where} sets "${name}" to ${next.dtype} [${next.shape.join()}], but it is ` +
            `${before.dtype} [${before.shape.join()}]. Types and shapes are fixed; open a new session to change them.`,
        );
      }
      result[key] = next;
    } else if (!isTensor(next) && !isTensor(before)) {
      result[key] = merge(before, next, where, `${name}/`);
    } else {
      throw new CaptureError(
        `session: ${where} sets "${name}", but only one of the old and the new value is a tensor. ` +
          'Return the same structure as the state.',
      );
    }
  }
  return result;
}

/**
 * Opens a session with the state `initial`, a tree of host tensors, which is copied to the device.
 *
 * Steps run eagerly: TF.js executes them kernel by kernel.
 *
 * @throws CaptureError if a step returns a part of the state that does not exist or has another shape.
 */
export function createEagerSession<S extends Tree<HostTensor>>(initial: S): Session<S> {
  let state: Tree<tf.Tensor> = mapTree(initial, isHost, toTensor);
  let isDisposed = false;

  /** Merges `update` into the state, and disposes the tensors of the old state, `update` and `rest` that are not in it. */
  const replace = (update: Tree<tf.Tensor>, where: string, rest: Tree<tf.Tensor> = {}): void => {
    const old = state;
    try {
      state = merge(old, update, where, '');
    } finally {
      const held = new Set(leaves(state));
      for (const tensor of new Set([old, update, rest].flatMap(leaves))) {
        if (!held.has(tensor)) tensor.dispose();
      }
    }
  };

  const alive = (what: string): void => {
    if (isDisposed) {
      throw new CaptureError(`session: ${what} was called after dispose(). Open a new session.`);
    }
  };

  const capture = <I extends Tree<Feed>, O extends Tree<tf.Tensor>>(
    name: string,
    step: Step<S, I, O>,
  ): Run<I, O> => {
    alive(`capture("${name}")`);
    return async (inputs) => {
      alive(`step "${name}"`);
      const { state: update = {}, outputs = {} } = compute(name, step as never, state, inputs);
      // An output may also be a part of the state, which is kept or about to be replaced.
      const copies = mapTree(outputs, isTensor, (tensor) => tensor.clone());
      let values: Tree<HostTensor>;
      try {
        replace(update, `step "${name}"`, outputs);
        values = await readTree(copies);
      } finally {
        for (const tensor of leaves(copies)) tensor.dispose();
      }
      // Lets timers, displays and signal handlers run between two steps.
      await new Promise((resolve) => setImmediate(resolve));
      return values as never;
    };
  };

  return {
    mode: 'eager',
    recordings: [],
    algorithms: [],
    capture,
    captureLoop(name, count, step) {
      checkCount(name, count);
      const run = capture<Tree<Feed>, Record<string, never>>(name, step as never);
      return repeated(name, count, run);
    },
    profile() {
      return Promise.reject(
        new EngineError(
          'session: profile() times the operations of captured steps. Open the session with mode "captured".',
        ),
      );
    },
    async read(...names) {
      alive('read()');
      return (await readTree(partsOf(state, names))) as never;
    },
    write(values) {
      alive('write()');
      replace(mapTree(values as Tree<HostTensor>, isHost, toTensor), 'write()');
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      for (const tensor of leaves(state)) tensor.dispose();
    },
  };
}

/** Computes a step on a state and its inputs. */
function compute(
  name: string,
  step: Step<never, never, Tree<tf.Tensor>>,
  state: Tree<tf.Tensor>,
  inputs: Tree<Feed>,
): { readonly state?: Tree<tf.Tensor>; readonly outputs?: Tree<tf.Tensor> } {
  return tf.tidy(() => {
    const fed = mapTree(inputs, isFeed, toTensor);
    // State and inputs are nested as their types say, but the compiler cannot infer that from `mapTree`.
    const result = step(state as never, fed as never);
    checkResult(name, result);
    return result as tf.TensorContainer;
  }) as { readonly state?: Tree<tf.Tensor>; readonly outputs?: Tree<tf.Tensor> };
}

/** The named top-level parts of a state. */
function partsOf(state: Tree<tf.Tensor>, names: readonly string[]): Tree<tf.Tensor> {
  const parts = names.map((name) => {
    const part = state[name];
    if (part === undefined) {
      throw new CaptureError(
        `session: the state has no "${name}".${nearestHint(name, Object.keys(state))}`,
      );
    }
    return [name, part] as const;
  });
  return Object.fromEntries(parts);
}

/** Runs a step, which returns state only, `count` times in sequence. */
function repeated(
  name: string,
  count: number,
  run: Run<Tree<Feed>, Record<string, never>>,
): Run<Tree<Feed>, Record<string, never>> {
  return async (inputs) => {
    // Copies: the caller may overwrite its arrays while the first run is in progress.
    const rows = Array.from({ length: count }, (_, index) =>
      mapTree<Feed, Feed>(inputs, isFeed, (feed, path) =>
        rowOf(name, path, toHostTensor(feed), index, count),
      ),
    );
    for (const row of rows) {
      const outputs = await run(row);
      const [path] = Object.keys(outputs);
      if (path !== undefined) {
        throw new CaptureError(
          `capture: "${name}" runs ${count} times per call and must not return outputs; it returns "${path}". ` +
            'Accumulate it in the state and read that.',
        );
      }
    }
    return {};
  };
}
