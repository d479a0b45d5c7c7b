'use strict';
/**
 * Checks that the library that set-up installed computes: a matrix product and a convolution against plain loops.
 *
 *     node setup/self-check.cjs [--deep] [--gpu]
 *
 * Prints one line (with --deep: what was loaded, from where, and the numbers). Exit code 0: right; 1: a wrong number, a
 * TensorFlow other than the locked one, or a library that does not load, with the reason and the library's own messages on
 * standard error; 4, only with --gpu: TensorFlow runs without a GPU, with its messages and the CUDA libraries that cannot be
 * opened. Loads TensorFlow as the engine does: quietly, with the functions that Node 23 removed.
 */
const { closeSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const util = require('node:util');

const ROOT = resolve(__dirname, '..');
const VERSION = '2.21.0';

/** Small whole numbers: exact in every precision that a convolution may run in, TF32 included. */
function integers(count, seed) {
  return Float32Array.from({ length: count }, (_, index) => ((index * 7 + seed * 13) % 17) - 8);
}

/** [n,k] x [k,m], row-major. */
function matmulByLoops(a, b, n, k, m) {
  const out = new Float32Array(n * m);
  for (let row = 0; row < n; row++)
    for (let column = 0; column < m; column++)
      for (let inner = 0; inner < k; inner++)
        out[row * m + column] += a[row * k + inner] * b[inner * m + column];
  return out;
}

/** NHWC input [n,size,size,cin], HWIO filter [3,3,cin,cout], stride 1, zeros around. */
function convByLoops(x, filter, [n, size, cin, cout]) {
  const out = new Float32Array(n * size * size * cout);
  for (let image = 0; image < n; image++)
    for (let y = 0; y < size; y++)
      for (let column = 0; column < size; column++)
        for (let o = 0; o < cout; o++) {
          let sum = 0;
          for (let dy = 0; dy < 3; dy++)
            for (let dx = 0; dx < 3; dx++) {
              const [sy, sx] = [y + dy - 1, column + dx - 1];
              if (sy < 0 || sx < 0 || sy >= size || sx >= size) continue;
              for (let i = 0; i < cin; i++)
                sum +=
                  x[((image * size + sy) * size + sx) * cin + i] *
                  filter[((dy * 3 + dx) * cin + i) * cout + o];
            }
          out[((image * size + y) * size + column) * cout + o] = sum;
        }
  return out;
}

/** Describes the largest difference. @throws Error unless it is below 0.01 (the right values are whole numbers) */
function compare(what, found, expected) {
  let worst = 0;
  let at = 0;
  expected.forEach((value, index) => {
    const difference = Math.abs(value - found[index]);
    if (!(difference <= worst)) [worst, at] = [difference, index];
  });
  if (found.length !== expected.length || !(worst < 0.01))
    throw new Error(
      `${what} is wrong: element ${at} is ${found[at]}, expected ${expected[at]}. ` +
        'TensorFlow does not compute correctly on this machine.',
    );
  return `${what} right in ${expected.length} numbers (largest difference ${worst})`;
}

/** The files of this process whose path matches, each once. */
function mapped(pattern) {
  const paths = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .map((line) => line.slice(line.indexOf('/')))
    .filter((path) => pattern.test(path));
  return [...new Set(paths)];
}

/** Libraries that TensorFlow opens when it looks for GPUs, the driver's first: folder below `nvidia/`, and name. */
const gpuLibraries = [
  ['', 'libcuda.so.1'],
  ['cuda_runtime', 'libcudart.so.12'],
  ['cublas', 'libcublas.so.12'],
  ['cublas', 'libcublasLt.so.12'],
  ['cufft', 'libcufft.so.11'],
  ['cusolver', 'libcusolver.so.11'],
  ['cusparse', 'libcusparse.so.12'],
  ['cudnn', 'libcudnn.so.9'],
];

/** A line for each library that cannot be opened, with the loader's reason. */
function missingLibraries() {
  const nvidia = join(ROOT, 'node_modules/@tensorflow/tfjs-node-gpu/deps/nvidia');
  return gpuLibraries.flatMap(([folder, name]) => {
    try {
      process.dlopen({ exports: {} }, folder === '' ? name : join(nvidia, folder, 'lib', name));
      return [];
    } catch (error) {
      // The library opens; as expected, it is not a Node addon.
      return error.message.includes('self-register')
        ? []
        : [`${name} is missing: ${error.message}`];
    }
  });
}

function run() {
  Object.assign(util, {
    isNullOrUndefined: (value) => value === null || value === undefined,
    isArray: Array.isArray,
  });
  process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';

  const start = performance.now();
  const tf = require('@tensorflow/tfjs-node-gpu');
  const loadSec = ((performance.now() - start) / 1000).toFixed(1);
  const backend = tf.backend();
  const version = backend.binding?.TF_Version;
  if (tf.getBackend() !== 'tensorflow' || version !== VERSION)
    throw new Error(
      `TensorFlow ${version} was loaded as "${tf.getBackend()}", expected ${VERSION}.`,
    );
  const libraries = mapped(/libtensorflow/);
  const deps = join(ROOT, 'node_modules/@tensorflow/tfjs-node-gpu/deps/lib');
  for (const name of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) {
    const ours = realpathSync(join(deps, name));
    if (!libraries.includes(ours))
      throw new Error(
        `${libraries.find((path) => path.endsWith(name)) ?? 'nothing'} was loaded instead of ${ours}. ` +
          `LD_LIBRARY_PATH is "${process.env.LD_LIBRARY_PATH ?? ''}": take the other TensorFlow out of it.`,
      );
  }

  if (typeof require(join(ROOT, 'native/graph.node')).create !== 'function')
    throw new Error('native/graph.node lacks create().');

  const a = integers(32 * 48, 1);
  const b = integers(48 * 24, 2);
  const shape = [2, 9, 5, 6];
  const [n, size, cin, cout] = shape;
  const x = integers(n * size * size * cin, 3);
  const filter = integers(9 * cin * cout, 4);
  const numbers = tf.tidy(() => [
    compare(
      'matmul',
      tf.matMul(tf.tensor2d(a, [32, 48]), tf.tensor2d(b, [48, 24])).dataSync(),
      matmulByLoops(a, b, 32, 48, 24),
    ),
    compare(
      'convolution',
      tf
        .conv2d(
          tf.tensor4d(x, [n, size, size, cin]),
          tf.tensor4d(filter, [3, 3, cin, cout]),
          1,
          'same',
        )
        .dataSync(),
      convByLoops(x, filter, shape),
    ),
  ]);
  return {
    version,
    gpu: backend.isUsingGpuDevice,
    loadSec,
    numbers,
    libraries,
    nvidia: mapped(/\/nvidia\/|libcuda\.so/),
  };
}

function main() {
  const flags = new Set(process.argv.slice(2));
  const folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-'));
  const log = join(folder, 'stderr');
  const fd = openSync(log, 'w+', 0o600);
  const stderr = require(join(ROOT, 'native/stderr.node'));
  const saved = stderr.redirect(fd);
  let found;
  let failure;
  try {
    found = run();
  } catch (error) {
    failure = error instanceof Error ? error.message.trim() : String(error);
  } finally {
    stderr.restore(saved);
    closeSync(fd);
  }
  const said = readFileSync(log, 'utf8').trim();
  rmSync(folder, { recursive: true });

  if (found === undefined) {
    process.stderr.write(`${failure}\n${said}\n`);
    process.exitCode = 1;
    return;
  }
  const device = found.gpu ? 'GPU' : 'CPU';
  if (flags.has('--deep')) {
    const lines = [
      `TensorFlow ${found.version} on the ${device}, Node ${process.versions.node}, loaded in ${found.loadSec} s`,
      ...found.libraries.map((path) => `library ${path}`),
      ...found.nvidia.map((path) => `library ${path}`),
      ...found.numbers,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  } else {
    process.stdout.write(
      `TensorFlow ${found.version} on the ${device}: matmul and convolution right\n`,
    );
  }
  if (flags.has('--gpu') && !found.gpu) {
    process.stderr.write(`${[said, ...missingLibraries()].join('\n')}\n`);
    process.exitCode = 4;
  }
}

main();
