import { tidy } from '@tensorflow/tfjs-core';
import { loadTensorflow } from './tensorflow';

/** A file of numbers over steps, in TensorBoard's format. */
export interface SummaryWriter {
  /** Adds a number; {@link SummaryWriter.flush} passes it on to the file. `value` is stored as float32. */
  scalar(tag: string, value: number, step: number): void;
  /** @throws Error with TensorFlow's message if the file cannot be written */
  flush(): void;
  /** Closes the file; a second call does nothing. @throws Error with TensorFlow's message if the rest cannot be written */
  close(): void;
}

/** More than anyone adds between two flushes, so each flush writes to the file in one piece. */
const queueLength = 10_000;
/** A day, so that no timer flushes. */
const flushMs = 24 * 3600 * 1000;

/**
 * Creates a new file `events.out.tfevents.…` in a folder with TensorFlow's own writer. Other files there are untouched.
 *
 * TF.js's `summaryFileWriter` does the same but never closes the file.
 *
 * @throws EngineError if TensorFlow does not load, Error with TensorFlow's message if the file cannot be created
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
