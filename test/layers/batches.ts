import * as tf from '@tensorflow/tfjs-core';
import type { BatchDataset, BatchIterator } from '../../src/layers/batch-dataset';

/** A data set of batches of `size` examples; the last batch may be smaller. */
export function batches({ x, y }: { x: tf.Tensor; y: tf.Tensor }, size: number): BatchDataset {
  const [count] = x.shape;
  return {
    size: Math.ceil(count / size),
    iterator: () => {
      let start = 0;
      return Promise.resolve({
        next: () => {
          const from = start;
          const length = Math.min(size, count - from);
          start += size;
          if (length <= 0) return Promise.resolve({ done: true, value: null });
          const [xs, ys] = [x, y].map((part) => tf.slice(part, from, length));
          return Promise.resolve({ done: false, value: { xs, ys } });
        },
      });
    },
  };
}

/** The same batches as a stream: all its iterators continue where the last one ended. */
export function stream(dataset: BatchDataset): BatchDataset {
  let opened: Promise<BatchIterator> | undefined;
  return {
    iterator: () => {
      opened ??= dataset.iterator();
      return opened;
    },
  };
}
