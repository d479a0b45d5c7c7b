// Faults for scripts/mutate.mjs: [file, original code, faulty code, test files that should fail (default: the test beside the
// file)].
export const faults = [
  // base, text
  [
    'src/base/nearest.ts',
    'candidate.length) / 2',
    'candidate.length) / 8',
    'src/graph src/catalogue',
  ],
  ['src/base/nearest.ts', 'edits < fewest', 'edits <= fewest'],
  ['src/base/rng.ts', '2 ** -53', '2 ** -52'],
  ['src/base/rng.ts', 'scaled >>> 25', 'scaled >>> 24'],
  ['src/text/tsv.ts', 'totalSec / 3600', 'totalSec / 360'],
  ['src/text/time-left.ts', 'epochs - epoch + 1', 'epochs - epoch'],
  ['src/text/localtime.ts', 'getMonth() + 1', 'getMonth()'],
  // data
  ['src/data/normalise.ts', '66.7]', '66.1]'],
  ['src/data/normalise.ts', '(size - 2 - x)', '(size - 1 - x)'],
  ['src/data/safetensors.ts', 'if (begin !== end)', 'if (begin > end)'],
  ['src/data/safetensors.ts', 'if (end !== body.length)', 'if (end > body.length)'],
  ['src/data/python-batch.ts', 'if (list.length !== count)', 'if (list.length < count)'],
  // augment
  ['src/augment/crop.ts', 'corner.y0 + y)', 'corner.x0 + y)', 'src/augment'],
  ['src/augment/flip.ts', 'width - 1 - x : x', 'width - x : x'],
  ['src/augment/flip.ts', '^ isOdd', '^ 0', 'src/augment src/train/epoch-batches.test.ts'],
  [
    'src/augment/cutout.ts',
    'y < corner.y0 + transform.height',
    'y <= corner.y0 + transform.height',
    'src/augment',
  ],
  ['src/augment/window.ts', 'imageWidth - width + 1', 'imageWidth - width', 'src/augment'],
  [
    'src/augment/epoch-order.ts',
    'dropLast ? Math.floor(count',
    'dropLast ? Math.ceil(count',
    'src/augment',
  ],
  // graph
  ['src/graph/build.ts', 'first[0] === null) return leaves', 'first[0] !== null) return leaves'],
  ['src/graph/build.ts', '([leaf, -1] as const)', '([leaf, -2] as const)'],
  // optim
  ['src/optim/ema.ts', 'stepInEpoch % updateFreq === 0', 'stepInEpoch % updateFreq === 1'],
  ['src/optim/ema.ts', 'rate = momentum ** updateFreq', 'rate = momentum', 'src/optim'],
  [
    'src/optim/schedule.ts',
    'knots[next] === time) return vals[next]',
    'knots[next] === time) return vals[0]',
  ],
  ['src/optim/schedule.ts', 'knot * factor', 'knot / factor'],
  ['src/optim/lookahead.ts', 'now === before) return', 'now < before) return'],
  // nn
  ['src/nn/batch-norm.ts', 'epsilon = 1e-5', 'epsilon = 1e-3', 'src/nn test/parity'],
  [
    'src/nn/batch-norm.ts',
    "name: 'running_var', shape, role: 'running', init: () => filled(shape, 1)",
    "name: 'running_var', shape, role: 'running', init: () => filled(shape, 0)",
    'src/nn test/parity',
  ],
  ['src/nn/loss.ts', 'mul(logprobs).sum(1).neg()', 'mul(logprobs).sum(1)'],
  [
    'src/nn/loss.ts',
    'smoothedLoss(1 - alpha, alpha)',
    'smoothedLoss(1, alpha)',
    'src/nn test/parity',
  ],
  ['src/nn/whiten.ts', 'eigenvalues[i] + epsilon', 'eigenvalues[i]'],
  ['src/nn/whiten.ts', '= -signed * scale', '= signed * scale'],
  // engine
  ['src/engine/flops.ts', 'return 2 * image[0]', 'return image[0]'],
  ['src/engine/flops.ts', 'Math.max(0, needed - extent) >> 1', 'Math.max(0, needed - extent)'],
  ['src/engine/precision.ts', 'activations !== undefined && someLow', 'activations !== undefined'],
  // analysis
  [
    'src/analysis/vector.ts',
    "parameter.role === 'trainable'",
    "parameter.role !== 'running'",
    'src/analysis',
  ],
  [
    'src/analysis/overlap.ts',
    'dot(direction, vector) ** 2',
    'dot(direction, vector)',
    'src/analysis',
  ],
  ['src/analysis/densities.ts', '0.9 * spread * n ** -0.2', '0.9 * spread * n ** -0.5'],
  ['src/analysis/lanczos.ts', 'rounding = 5e-7', 'rounding = 5e-2'],
  // catalogue, runs
  [
    'src/catalogue/scale.ts',
    'Math.min(64, small.data.batchSize)',
    'Math.min(32, small.data.batchSize)',
    'src/catalogue',
  ],
  ['src/catalogue/scale.ts', 'channels / divisor', 'channels * divisor', 'src/catalogue'],
  ['src/catalogue/override.ts', 'at < 1 ||', 'at < 0 ||', 'src/catalogue'],
  [
    'src/runs/checkpoint.ts',
    'names.indexOf(name) + keep',
    'names.indexOf(name) + keep + 1',
    'src/runs/checkpoint.test.ts src/runs/train.test.ts',
  ],
  ['src/runs/checkpoint.ts', 'fingerprint(tensors, rest) !== sha256', 'sha256 === undefined'],
  // train
  ['src/train/pace.ts', '/ rate - 1e-9', '/ rate + 1', 'src/train/pace.test.ts'],
  [
    'src/train/timer.ts',
    'if (isCounted) totalSec',
    'if (!isCounted) totalSec',
    'src/train/timer.test.ts src/runs/dawnbench.test.ts',
  ],
  // report
  ['src/report/stats.ts', '** 2)) / (count - 1)', '** 2)) / count'],
  ['src/report/stats.ts', '(count - 1) >> 1', 'count >> 1'],
  ['src/report/stats.ts', 'target - 1e-6', 'target + 1e-2'],
  ['src/report/compare.ts', 'Math.sqrt(ea + eb)', 'Math.sqrt(ea)', 'src/report'],
  ['src/report/mistakes.ts', 'b.loss - a.loss', 'a.loss - b.loss', 'src/report'],
  ['src/report/groups.ts', 'a.seed - b.seed', 'b.seed - a.seed', 'src/report'],
  // kernel
  [
    'src/kernel/wire.ts',
    '!timingSafeEqual(signature, expected)',
    'timingSafeEqual(signature, expected)',
    'src/kernel test/kernel/install.test.ts',
  ],
  [
    'src/kernel/history.ts',
    'if (size <= mostBytes) return',
    'if (size > mostBytes) return',
    'src/kernel test/kernel/lifetime.test.ts',
  ],
  // setup
  [
    'setup/options.mjs',
    "name === '--no-data') options.data = false",
    "name === '--no-data') options.data = true",
    'test/setup',
  ],
  ['setup/stamps.mjs', 'slice(times ? 2 : 1)', 'slice(1)', 'test/setup'],
  [
    'setup/steps/packages.mjs',
    'integrity === integrity;',
    'integrity !== undefined;',
    'test/setup/install.test.ts',
  ],
  [
    'setup/steps/tools.mjs',
    'Number(capability) < 9 ? 525 : 555',
    'Number(capability) < 9 ? 525 : 525',
    'test/setup/variant.test.ts',
  ],
  [
    'setup/steps/tensorflow.mjs',
    'if (status === 3)',
    'if (status === 4)',
    'test/setup/resume.test.ts',
  ],
  [
    'setup/steps/addons.mjs',
    "map.set('tensorrt', join(site, 'nvidia/cusolver/lib'))",
    '',
    'test/setup/variant.test.ts',
  ],
  ['setup/steps/library.mjs', "!path.endsWith('.test.ts')", 'true', 'test/setup/install.test.ts'],
  ['setup/tools.sh', 'minor < 19', 'minor < 18', 'test/setup/failures.test.ts'],
  [
    'setup/unpack.py',
    'if digest.hexdigest() != expected:',
    'if False:',
    'test/setup/resume.test.ts',
  ],
  [
    'src/engine/recording.ts',
    'first.map(({ ref }) => ref[0])',
    'first.slice(1, 1).map(({ ref }) => ref[0])',
    'src/layers/micro-batches.test.ts',
  ],
  ['src/layers/micro-batches.ts', 'tf.slice(x, begin, size)', 'tf.slice(x, 0, size)'],
  ['src/engine/measure-algorithms.ts', '2 ** 14', '2 ** 30', 'src/engine/algorithms.test.ts'],
];
