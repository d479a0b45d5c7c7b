// Reads exported networks with Python's own TensorFlow and compares their logits with ours.
//
//   node test/formats/saved-model.mjs PYTHON    a Python that has tensorflow or tensorflow-cpu 2.x
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
const { mean, networkOf, savedModel, scaled, std } = library;

const python = process.argv[2];
if (python === undefined) {
  console.error('usage: node test/formats/saved-model.mjs PYTHON');
  process.exit(2);
}

/** One record of each kind of network, with or without mirror images. */
const subjects = [
  ['demo', false],
  ['demo', true],
  ['post1-baseline', false],
  ['post8-final', true],
  ['post7-norm', false],
];
const count = 5;
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-formats-'));
const images = Uint8Array.from({ length: count * 3072 }, (_, i) => (i * i * 31 + i) % 256);
let passed = 0;
let failed = 0;
try {
  for (const [record, tta] of subjects) {
    const graph = networkOf(scaled(findExperiment(record), 'pocket'));
    const weights = initNetwork(graph, createRng(0, 'init'));
    const predictor = createPredictor(graph, weights, { tta });
    const logits = await predictor.logits(images);
    predictor.dispose();
    const folder = join(scratch, `${record}${tta ? '-tta' : ''}`);
    mkdirSync(folder);
    const frozen = freeze(graph, weights, { normalisation: { mean, std }, tta });
    writeFileSync(join(folder, 'saved_model.pb'), savedModel(frozen));
    const [imagesFile, logitsFile] = ['images.bin', 'logits.bin'].map((name) =>
      join(scratch, name),
    );
    writeFileSync(imagesFile, images);
    writeFileSync(logitsFile, Buffer.from(logits.buffer));
    console.log(`${record}${tta ? ', with mirror images' : ''}`);
    const { stdout, stderr, status } = spawnSync(
      python,
      [join(here, 'saved_model.py'), folder, imagesFile, logitsFile],
      { encoding: 'utf8', env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' } },
    );
    const [, ok, bad] = /(\d+) passed, (\d+) failed\s*$/.exec(stdout) ?? [];
    console.log(stdout.replace(/\d+ passed, \d+ failed\s*$/, '').trimEnd());
    if (ok === undefined) console.log(`FAILED  ${record}: exit ${status}\n${stderr.slice(-3000)}`);
    passed += Number(ok ?? 0);
    failed += Number(bad ?? 1);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
