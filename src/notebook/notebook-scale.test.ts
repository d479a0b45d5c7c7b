import { afterEach, describe, expect, test, vi } from 'vitest';
import { NotebookError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { notebookScale, wantedScale } from './notebook-scale';

afterEach(() => vi.unstubAllEnvs());

describe('the size of a notebook', () => {
  test('is what the environment says', () => {
    vi.stubEnv('CIFAR10_FAST_SCALE', 'smoke');
    expect([notebookScale(), wantedScale()]).toEqual(['smoke', 'smoke']);
  });

  test('is else what suits the machine', () => {
    vi.stubEnv('CIFAR10_FAST_SCALE', '');
    expect(wantedScale()).toBeUndefined();
    expect(notebookScale()).toBe(loadTensorflow().gpu ? 'full' : 'pocket');
  });

  test('is not guessed at', () => {
    vi.stubEnv('CIFAR10_FAST_SCALE', 'pcoket');
    expect(wantedScale).toThrow(NotebookError);
    expect(notebookScale).toThrow(/"pcoket".*Nearest: "pocket"/);
  });
});
