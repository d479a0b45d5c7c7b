// Installs the Python packages with which `npm run test:formats` reads our files into .venv-formats, an environment of their own.
//
//   node scripts/formats-setup.mjs            installs them, unless they are up to date
//   node scripts/formats-setup.mjs --clean    removes them
//
// Versions and hashes are pinned in setup/lock-formats.txt; docs/setup.md describes how to update that file.
import { setUpVenv } from './venv.mjs';

setUpVenv(import.meta.url, {
  name: 'formats',
  title: 'NumPy, safetensors, TensorBoard, TensorFlow, ONNX and onnxruntime',
  leastPython: [3, 10],
  probe:
    'import numpy as a, safetensors as b, tensorboard as c, tensorflow as d, onnx as e, onnxruntime as f; print(*(module.__version__ for module in (a, b, c, d, e, f)))',
});
