import { expect, test } from 'vitest';
import { nearest, nearestHint } from './nearest';

test('a substitution, a deletion and an insertion cost one edit each', () => {
  expect(nearest('ab', ['cb', 'abcd'])).toBe('cb');
  expect(nearest('layer', ['layr', 'prep', 'layer22'])).toBe('layr');
  expect(nearest('prep', ['layer1', 'prepp'])).toBe('prepp');
});

test('the first of equally near names wins', () => {
  expect(nearest('cat', ['car', 'bat'])).toBe('car');
});

test('no name matches if more than half of the letters differ', () => {
  expect(nearest('conv', ['relu'])).toBeUndefined();
  expect(nearest('conv', [])).toBeUndefined();
  expect(nearestHint('conv', ['relu'])).toBe('');
  expect(nearestHint('con', ['conv', 'relu'])).toBe(' Nearest: "conv".');
});
