import { describe, expect, test } from 'vitest';
import { mistakesSections, sumMistakes } from './mistakes';

describe('mistakes', () => {
  const valid = {
    images: Uint8Array.from({ length: 20 * 3072 }, (_, i) => (i * 7919) % 256),
    labels: Uint8Array.from({ length: 20 }, (_, i) => i % 10),
  };

  test('are summed over runs: confusion, and the worst images by mean loss', () => {
    const labels = Uint8Array.of(0, 1, 2);
    const a = { labels, predicted: Uint8Array.of(0, 2, 5), losses: Float32Array.of(0, 1, 4) };
    const b = { labels, predicted: Uint8Array.of(0, 1, 5), losses: Float32Array.of(9, 6, 2) };
    const found = sumMistakes('demo', [a, b]);
    expect(found.confusion[0][0]).toBe(2);
    expect(found.confusion[1].slice(0, 3)).toEqual([0, 1, 1]);
    expect(found.confusion[2][5]).toBe(2);
    // Image 0 has the largest loss, but no run gets it wrong.
    expect(found.worst).toEqual([
      { image: 1, label: 1, predicted: 1, wrong: 1, loss: 3.5 },
      { image: 2, label: 2, predicted: 5, wrong: 2, loss: 3 },
    ]);
    const others = { ...b, labels: Uint8Array.of(0, 1, 3) };
    expect(() => sumMistakes('demo', [a, others])).toThrow('of different test images');
  });

  test('become a matrix and pictures on a page', () => {
    const predicted = Uint8Array.from({ length: 20 }, () => 3);
    const losses = Float32Array.from({ length: 20 }, (_, i) => i);
    const mistakes = sumMistakes('demo', [{ labels: valid.labels, predicted, losses }], 2);
    const classes = 'abcdefghij'.split('');
    const [{ title, parts }] = mistakesSections([mistakes], { valid, classes });
    expect(title).toBe('What demo gets wrong');
    const pictures = parts.find((part) => part.kind === 'pictures');
    expect(pictures?.pictures.map(({ lines }) => lines)).toEqual([
      ['j', 'as d', 'loss 19.00', 'image 19'],
      ['i', 'as d', 'loss 18.00', 'image 18'],
    ]);
  });
});
