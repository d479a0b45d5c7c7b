import { describe, expect, test } from 'vitest';
import { ink, series } from './theme';

type Rgb = readonly number[];

const linear = (hex: string): Rgb =>
  [1, 3, 5].map((at) => {
    const level = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
  });

/** Linear colours as seen without one kind of cone: Machado, Oliveira and Fernandes (2009), severity 1. */
const eyes: Readonly<Record<string, readonly Rgb[]>> = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** CIE Lab, white D65: its distances approximate perceived ones. */
function lab([r, g, b]: Rgb): Rgb {
  const curve = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = curve((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = curve(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = curve((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const dot = (a: Rgb, b: Rgb): number => a.reduce((sum, value, index) => sum + value * b[index], 0);
const contrast = (hex: string): number =>
  1.05 / (dot([0.2126, 0.7152, 0.0722], linear(hex)) + 0.05);

describe('colours', () => {
  test.each(Object.entries(eyes))(
    'of categories can be told apart with vision of the kind %s',
    (_, matrix) => {
      const seen = series.map((hex) =>
        lab(matrix.map((row) => Math.min(1, Math.max(0, dot(row, linear(hex)))))),
      );
      const nearest = Math.min(
        ...seen.flatMap((a, i) =>
          seen.slice(i + 1).map((b) => Math.hypot(...a.map((value, axis) => value - b[axis]))),
        ),
      );
      // A distance of about 2.3 is just noticeable side by side.
      expect(nearest).toBeGreaterThan(10);
    },
  );

  test('of text have the contrast that WCAG 2.2 requires of text; the first four of lines, that of graphics', () => {
    expect([ink.text, ink.faint].map((hex) => contrast(hex) >= 4.5)).toEqual([true, true]);
    expect(series.slice(0, 4).map((hex) => contrast(hex) >= 2.9)).toEqual([true, true, true, true]);
  });
});
