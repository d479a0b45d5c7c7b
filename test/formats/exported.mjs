// Reads exported networks with Python's own TensorFlow and with onnxruntime, and compares their logits with ours.
//
//   node test/formats/exported.mjs PYTHON    a Python that has tensorflow or tensorflow-cpu 2.x, onnx and onnxruntime
//
// The library is the compiled one in dist/. The last line is `N passed, N failed`; the exit code is 1 if anything failed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const library = createRequire(import.meta.url)(
  process.env.CIFAR10_FAST_DIST ?? '../../dist/exports/all.js',
);
const { createPredictor, createRng, findExperiment, freeze, initNetwork } = library;
const { mean, networkOf, onnxModel, savedModel, scaled, std } = library;

const python = process.argv[2];
if (python === undefined) {
  console.error('usage: node test/formats/exported.mjs PYTHON');
  process.exit(2);
}

/** One experiment of each kind of network, with or without mirror images. */
const subjects = [
  ['demo', false],
  ['demo', true],
  ['fastest', true],
  ['post1-baseline', false],
  ['post8-final', true],
  ['post7-norm', false],
];
const count = 5;
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-formats-'));
const images = Uint8Array.from({ length: count * 3072 }, (_, i) => (i * i * 31 + i) % 256);

/** Initial weights; scales, biases and running statistics are random, because a mix-up of equal ones would not show. */
function weightsOf(graph) {
  const rng = createRng(0, 'init');
  return Object.fromEntries(
    Object.entries(initNetwork(graph, rng)).map(([path, { shape, data }]) => {
      if (shape.length !== 1) return [path, { shape, data }];
      const drawn = new Float32Array(data.length);
      rng.fillUniform(drawn, 0.5, 1.5);
      return [path, { shape, data: drawn }];
    }),
  );
}

let passed = 0;
let failed = 0;
try {
  for (const [name, tta] of subjects) {
    const graph = networkOf(scaled(findExperiment(name), 'pocket'));
    const weights = weightsOf(graph);
    const predictor = createPredictor(graph, weights, { tta });
    const logits = await predictor.logits(images);
    predictor.dispose();
    const folder = join(scratch, `${name}${tta ? '-tta' : ''}`);
    mkdirSync(folder);
    const frozen = freeze(graph, weights, { normalisation: { mean, std }, tta });
    writeFileSync(join(folder, 'saved_model.pb'), savedModel(frozen));
    writeFileSync(join(folder, 'network.onnx'), onnxModel(frozen));
    const [imagesFile, logitsFile] = ['images.bin', 'logits.bin'].map((file) =>
      join(scratch, file),
    );
    writeFileSync(imagesFile, images);
    writeFileSync(logitsFile, Buffer.from(logits.buffer));
    console.log(`${name}${tta ? ', with mirror images' : ''}`);
    const { stdout, stderr, status } = spawnSync(
      python,
      [join(here, 'exported.py'), folder, imagesFile, logitsFile],
      { encoding: 'utf8', env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' } },
    );
    const [, ok, bad] = /(\d+) passed, (\d+) failed\s*$/.exec(stdout) ?? [];
    console.log(stdout.replace(/\d+ passed, \d+ failed\s*$/, '').trimEnd());
    if (ok === undefined) console.log(`FAILED  ${name}: exit ${status}\n${stderr.slice(-3000)}`);
    passed += Number(ok ?? 0);
    failed += Number(bad ?? 1);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
