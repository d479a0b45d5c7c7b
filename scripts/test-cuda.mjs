// npm run test:cuda: tests the GPU path without a GPU. Installs TensorFlow's CUDA build into a copy of the checkout, loads it and
// trains with it. Then runs the tests of the GPU's policy on the CPU: half precision, XLA, and several steps per call, which must
// be bit-identical to single steps. Downloads 2.95 GB into the cache once. The last line is `N passed, N failed`.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

optionsOf(import.meta.url);

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const copy = mkdtempSync(join(tmpdir(), 'cifar10-fast-cuda-'));
process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));

let passed = 0;
let failed = 0;

function check(name, isGood, detail = '') {
  if (isGood) passed += 1;
  else failed += 1;
  console.log(`${isGood ? 'ok    ' : 'FAILED'}  ${name}`);
  if (!isGood && detail !== '') console.log(detail.trimEnd().replaceAll(/^/gm, '        '));
}

function run(command, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: copy,
    encoding: 'utf8',
    maxBuffer: 1e8,
    env: { ...process.env, ...env },
  });
  return { isGood: status === 0, status, stdout, stderr, said: `${stdout}\n${stderr}` };
}

/** Runs a script in Node and parses its last line as JSON. */
function evaluate(script) {
  const found = run(process.execPath, ['-e', `(async () => {${script}})()`]);
  try {
    return { ...found, value: JSON.parse(found.stdout.trim().split('\n').at(-1)) };
  } catch {
    return { ...found, isGood: false };
  }
}

// Copies only tracked files, so that the copy is like a fresh clone.
const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
for (const name of files
  .split('\0')
  .filter((name) => name !== '' && existsSync(join(root, name)))) {
  mkdirSync(dirname(join(copy, name)), { recursive: true });
  cpSync(join(root, name), join(copy, name));
}

const setUp = run('bash', ['kernel-setup.sh', '--cuda', '--no-jupyter']);
check('the CUDA build installs, and computes right on the processor', setUp.isGood, setUp.said);
if (setUp.isGood) {
  const deps = join(copy, 'node_modules/@tensorflow/tfjs-node-gpu/deps');
  for (const [folder, library] of [
    ['nvidia/cublas/lib', 'libcublas.so.12'],
    ['nvidia/cudnn/lib', 'libcudnn.so.9'],
    ['tensorrt', 'libcusolver.so.11'],
  ]) {
    check(`${library} lies where TensorFlow looks for it`, existsSync(join(deps, folder, library)));
  }
  const info = run(process.execPath, ['dist/cli/main.js', 'info', '--json']);
  const facts = info.isGood ? JSON.parse(info.stdout) : {};
  check(
    'it loads without a GPU, and says that it runs on the CPU',
    facts.device === 'cpu' && facts.tensorflow === '2.21.0',
    info.said,
  );
  const maps = evaluate(`
    require('.').loadTensorflow();
    const text = require('node:fs').readFileSync('/proc/self/maps', 'utf8');
    console.log(JSON.stringify([...new Set(text.match(/\\S*libtensorflow_cc\\S*/g))]));`);
  check(
    'what is loaded is the CUDA build',
    maps.isGood && maps.value.some((path) => path.includes('-cuda/')),
    maps.said,
  );
  const smoke = 'train demo --scale smoke --json --log-dir runs'.split(' ');
  const train = run(process.execPath, ['dist/cli/main.js', ...smoke]);
  const last = train.stdout.trim().split('\n').at(-1);
  check('it trains', train.isGood && JSON.parse(last).accPercent > 0, train.said);

  // Half precision, several steps per call, and a step or a loop compiled to a single XLA program.
  const vitest = join(copy, 'node_modules/vitest/vitest.mjs');
  const report = join(copy, 'report.json');
  const suites =
    'src/train/steps-per-call.test.ts src/engine/function-call.test.ts src/engine/precision.test.ts';
  const options = ['run', '--reporter=json', `--outputFile=${report}`, ...suites.split(' ')];
  const tests = run(process.execPath, [vitest, ...options]);
  if (existsSync(report)) {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
    for (const { assertionResults } of testResults) {
      for (const { fullName, status, failureMessages } of assertionResults) {
        if (status === 'passed' || status === 'failed') {
          check(fullName.trim(), status === 'passed', failureMessages.join('\n'));
        }
      }
    }
  } else check('tests of the policy', false, tests.said);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
