// Installs what `npm run test:formats` reads our files with, in .venv-formats, apart from everything else.
//
//   node scripts/formats-setup.mjs            what is set up already is left alone
//   node scripts/formats-setup.mjs --clean    removes it
//
// Versions and hashes are those of setup/lock-formats.txt; docs/setup.md says how that file is made.
import { setUpVenv } from './venv.mjs';

setUpVenv(import.meta.url, {
  name: 'formats',
  title: 'NumPy, safetensors, TensorBoard, TensorFlow, ONNX and onnxruntime',
  leastPython: [3, 10],
  probe:
    'import numpy as a, safetensors as b, tensorboard as c, tensorflow as d, onnx as e, onnxruntime as f; print(*(module.__version__ for module in (a, b, c, d, e, f)))',
});
