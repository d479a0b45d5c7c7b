import type { BaseCallback } from '@tensorflow/tfjs-layers/dist/base_callbacks';
import { loadTensorflow } from './tensorflow';

interface NodeCallbacks {
  readonly ProgbarLogger: new () => BaseCallback;
}

/** The progress bar that TF.js shows in Node during `fit`, unless `verbose` is 0. */
export function createProgressBar(): BaseCallback {
  loadTensorflow();
  const { ProgbarLogger } = require('@tensorflow/tfjs-node-gpu/dist/callbacks') as NodeCallbacks;
  return new ProgbarLogger();
}
