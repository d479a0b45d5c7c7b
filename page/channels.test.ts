import { describe, expect, test } from 'vitest';
import { strongest } from './channels';

describe('strongest', () => {
  // Two pixels of four channels.
  const activation = {
    name: 'layer1',
    shape: [1, 1, 2, 4],
    data: Float32Array.from([1, -9, 0, 4, 2, 3, 0, 0]),
  };

  test('returns the channels with the largest mean square, by index, as shares of the largest value', () => {
    expect(strongest(activation, 2)).toEqual([
      { index: 1, shares: Float32Array.of(0, 0.75) },
      { index: 3, shares: Float32Array.of(1, 0) },
    ]);
  });

  test('returns all channels if there are fewer', () => {
    expect(strongest(activation, 16).map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  });

  test('an activation of zeros does not divide by zero', () => {
    const dead = { ...activation, data: new Float32Array(8) };
    expect(strongest(dead, 1)[0].shares).toEqual(Float32Array.of(0, 0));
  });
});
