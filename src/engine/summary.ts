import { tidy } from '@tensorflow/tfjs-core';
import { loadTensorflow } from './tensorflow';

/** A file of numbers over steps, in TensorBoard's format. */
export interface SummaryWriter {
  /** Adds a number; it is on its way to the disk after {@link SummaryWriter.flush}. `value` is kept as float32. */
  scalar(tag: string, value: number, step: number): void;
  /** @throws Error with TensorFlow's words if the file cannot be written */
  flush(): void;
  /** Closes the file; a second call does nothing. @throws Error with TensorFlow's words if what is left cannot be written */
  close(): void;
}

/** More than anyone adds between two flushes: what is added reaches the file in one piece. */
const queueLength = 10_000;
/** Nothing is written by time: a day, in milliseconds. */
const flushMs = 24 * 3600 * 1000;

/**
 * Begins a new file `events.out.tfevents.…` in a folder, through TensorFlow's own writer. Other files there stay as they are.
 *
 * TF.js's `summaryFileWriter` does the same and never closes the file.
 *
 * @throws EngineError if TensorFlow does not load, Error with TensorFlow's words if the file cannot be made
 */
export function openSummaryWriter(folder: string): SummaryWriter {
  const { backend } = loadTensorflow();
  const handle = backend.summaryWriter(folder);
  const call = (op: string): unknown => backend.executeMultipleOutputs(op, [], [handle], 0);
  tidy(() => backend.createSummaryFileWriter(handle, folder, queueLength, flushMs, '.v2'));
  let isOpen = true;
  return {
    scalar: (tag, value, step) => backend.writeScalarSummary(handle, step, tag, value),
    flush: () => void call('FlushSummaryWriter'),
    close() {
      if (!isOpen) return;
      isOpen = false;
      try {
        call('CloseSummaryWriter');
      } finally {
        handle.dispose();
      }
    },
  };
}
