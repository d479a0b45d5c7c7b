import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // TensorFlow's native addon wants a process of its own, and two cores are all a small machine has.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});
