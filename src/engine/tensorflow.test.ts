import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EngineError } from '../base/errors';
import { createSession } from './session';
import { loadTensorflow } from './tensorflow';

/** The number of threads of this process with a given name. */
function threadsOf(name: string): number {
  return readdirSync('/proc/self/task').filter(
    (id) => readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim() === name,
  ).length;
}

test('an invalid number of threads is rejected, and nothing is loaded', () => {
  for (const intraOpThreads of [0, -1, 1.5, NaN]) {
    expect(() => loadTensorflow({ intraOpThreads })).toThrow(
      new EngineError(
        `engine: the number of threads must be a positive integer; got ${intraOpThreads}.`,
      ),
    );
  }
  expect(threadsOf('tf_Compute')).toBe(0);
});

test('the first call sets the number of threads for the whole process', () => {
  const session = createSession(
    { a: { shape: [], data: Float32Array.of(1) } },
    { intraOpThreads: 3, interOpThreads: 1 },
  );
  session.dispose();
  expect(loadTensorflow().intraOpThreads).toBe(3);
  expect(process.env['TF_NUM_INTRAOP_THREADS']).toBe('3');
  expect(loadTensorflow({ intraOpThreads: 3 })).toBe(loadTensorflow());
  expect(() => createSession({}, { intraOpThreads: 2 })).toThrow(
    new EngineError(
      'engine: 2 threads were requested, but TensorFlow already runs with 3 in this process. ' +
        'Set the number of threads before the first computation, or use a separate process.',
    ),
  );
});
