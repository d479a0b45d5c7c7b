import { createRng } from '../src/base/rng';
import { classes } from '../src/data/cifar10';
import type { Cifar10, Split } from '../src/data/cifar10';

/** `count` noise images, the same for the same seed. */
export function noise(count: number, seed: number): Split {
  const rng = createRng(seed, 'images');
  return {
    images: Uint8Array.from({ length: count * 3072 }, () => rng.integer(256)),
    labels: Uint8Array.from({ length: count }, () => rng.integer(10)),
  };
}

/** Noise in place of CIFAR-10, with `train` training and `valid` test images. */
export function noiseData(train: number, valid: number): Cifar10 {
  return { train: noise(train, 0), valid: noise(valid, 1), classes, source: 'noise' };
}
