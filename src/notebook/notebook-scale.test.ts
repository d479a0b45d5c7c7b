import { afterEach, describe, expect, test, vi } from 'vitest';
import { NotebookError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { notebookScale, wantedScale } from './notebook-scale';

afterEach(() => vi.unstubAllEnvs());

describe('the scale of a notebook', () => {
  test('is that of the environment variable', () => {
    vi.stubEnv('CIFAR10_FAST_SCALE', 'smoke');
    expect([notebookScale(), wantedScale()]).toEqual(['smoke', 'smoke']);
  });

  test('depends on the GPU by default', () => {
    vi.stubEnv('CIFAR10_FAST_SCALE', '');
    expect(wantedScale()).toBeUndefined();
    expect(notebookScale()).toBe(loadTensorflow().gpu ? 'full' : 'pocket');
  });

  test('is not guessed from a misspelt value', () => {
    vi.stubEnv('CIFAR10_FAST_SCALE', 'pcoket');
    expect(wantedScale).toThrow(NotebookError);
    expect(notebookScale).toThrow(/"pcoket".*Nearest: "pocket"/);
  });
});
