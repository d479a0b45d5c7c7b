import type { Activation } from './network';

/** A channel of an activation, as shares 0..1 of the largest value among the channels shown with it. */
export interface Channel {
  readonly index: number;
  /** `[H,W]` */
  readonly shares: Float32Array;
}

/**
 * The channels of `[1,H,W,C]` with the largest mean square, by index. Negative values count as 0, as after a ReLU.
 */
export function strongest({ shape, data }: Activation, count: number): Channel[] {
  const channels = shape[3];
  const pixels = data.length / channels;
  const squares = new Float64Array(channels);
  data.forEach((value, i) => {
    if (value > 0) squares[i % channels] += value * value;
  });
  const order = [...squares.keys()].toSorted((a, b) => squares[b] - squares[a]);
  const chosen = order.slice(0, count).toSorted((a, b) => a - b);
  const positive = (pixel: number, index: number): number =>
    Math.max(0, data[pixel * channels + index]);
  let most = 0;
  for (const index of chosen) {
    for (let pixel = 0; pixel < pixels; pixel++) most = Math.max(most, positive(pixel, index));
  }
  return chosen.map((index) => ({
    index,
    shares: Float32Array.from(
      { length: pixels },
      (_, pixel) => positive(pixel, index) / (most || 1),
    ),
  }));
}
