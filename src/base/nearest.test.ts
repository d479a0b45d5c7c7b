import { expect, test } from 'vitest';
import { nearest, nearestHint } from './nearest';

test('a changed, a missing and an additional letter are one step each', () => {
  expect(nearest('ab', ['cb', 'abcd'])).toBe('cb');
  expect(nearest('layer', ['layr', 'prep', 'layer22'])).toBe('layr');
  expect(nearest('prep', ['layer1', 'prepp'])).toBe('prepp');
});

test('of names that are as near, the first', () => {
  expect(nearest('cat', ['car', 'bat'])).toBe('car');
});

test('nothing, if more than half of the letters differ', () => {
  expect(nearest('conv', ['relu'])).toBeUndefined();
  expect(nearest('conv', [])).toBeUndefined();
  expect(nearestHint('conv', ['relu'])).toBe('');
  expect(nearestHint('con', ['conv', 'relu'])).toBe(' Nearest: "conv".');
});
