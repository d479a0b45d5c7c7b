import { defineConfig } from 'vitest/config';

const parity = ['test/parity/**/*.test.ts'];
/** Needs Python tools: run by `npm run test:kernel`. */
const tools = ['test/kernel/tools.test.ts'];
const kernel = ['test/kernel/**/*.test.ts'];
/**
 * Each needs a process of its own: one loads TensorFlow with its own number of threads, two replace modules that other files may
 * have loaded, one sends signals to its process.
 */
const alone = [
  'src/engine/tensorflow.test.ts',
  'test/parity/faults.test.ts',
  'src/base/interrupt.test.ts',
  'src/runs/unreadable-folder.test.ts',
];
const unit = ['src/**/*.test.ts', 'page/**/*.test.ts', 'test/**/*.test.ts'];

export default defineConfig({
  test: {
    pool: 'forks',
    // For a machine with two cores: the third worker computes while the others wait for timers and child processes.
    maxWorkers: 3,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Files share their worker's process and modules, because loading TensorFlow for each took a third of the time.
    isolate: false,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: unit, exclude: [...parity, ...kernel, ...alone] },
      },
      { extends: true, test: { name: 'alone', include: alone, isolate: true } },
      { extends: true, test: { name: 'parity', include: parity, exclude: alone } },
      { extends: true, test: { name: 'kernel', include: kernel, exclude: tools } },
      { extends: true, test: { name: 'tools', include: tools } },
    ],
  },
});
