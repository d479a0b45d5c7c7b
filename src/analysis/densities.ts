import type { HostTensor } from '../base/host-tensor';

/** The distribution of one channel's values. */
export interface ChannelDensity {
  /** From 0; -1 for all channels together. */
  readonly channel: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  /** Equidistant points, ascending, and the density at each; its integral over the real line is 1. */
  readonly at: readonly number[];
  readonly density: readonly number[];
}

/** Options of {@link channelDensities}. */
export interface DensityOptions {
  /** The range to estimate densities in. */
  readonly domain: readonly [from: number, to: number];
  /** How many channels, from the first. Default: 10. */
  readonly channels?: number;
  /** Treats all values as one channel. Default: false. */
  readonly isPooled?: boolean;
  /** Points of each density. Default: 48. */
  readonly points?: number;
}

/** The number of bins to count values in before estimating densities; a bin is far narrower than the kernel. */
const bins = 1024;

/**
 * Densities of the channels of an activation `[...,channels]` over all other axes, estimated with Gaussian kernels of
 * Silverman's width: 0.9 n^(-1/5) times the standard deviation or its estimate from the quartiles, whichever is smaller;
 * at least 1/200 of the domain, as channels can be constant.
 *
 * Points span five standard deviations around the mean, limited to the domain and to the reach of the kernels.
 *
 * @throws RangeError if there are no values
 * @see Silverman, Density Estimation for Statistics and Data Analysis (1986)
 */
export function channelDensities(
  { shape, data }: HostTensor,
  { domain, channels = 10, isPooled = false, points = 48 }: DensityOptions,
): ChannelDensity[] {
  const step = isPooled ? 1 : shape[shape.length - 1];
  const count = isPooled ? 1 : Math.min(channels, step);
  if (data.length === 0)
    throw new RangeError('densities: the tensor is empty. Give at least one value.');
  return Array.from({ length: count }, (_, first) => ({
    channel: isPooled ? -1 : first,
    ...densityOf(data, { first, step, domain, points }),
  }));
}

function densityOf(
  data: HostTensor['data'],
  {
    first,
    step,
    domain: [from, to],
    points,
  }: {
    readonly first: number;
    readonly step: number;
    readonly domain: readonly [number, number];
    readonly points: number;
  },
): Omit<ChannelDensity, 'channel'> {
  const n = data.length / step;
  let [sum, min, max] = [0, Infinity, -Infinity];
  for (let i = first; i < data.length; i += step) {
    const x = data[i];
    sum += x;
    if (x < min) min = x;
    if (x > max) max = x;
  }
  const mean = sum / n;
  let square = 0;
  for (let i = first; i < data.length; i += step) square += (data[i] - mean) ** 2;
  const sd = Math.sqrt(square / Math.max(1, n - 1));
  const spread = Math.min(sd, spreadOf(data, first, step) || sd);
  const width = Math.max(0.9 * spread * n ** -0.2, (to - from) / 200);
  const low = Math.max(from, min - 3 * width, mean - 5 * sd - 3 * width);
  const high = Math.min(to, max + 3 * width, mean + 5 * sd + 3 * width);
  if (!(low < high)) return { mean, min, max, at: [], density: [] };

  // Values just outside the range count too: their kernels reach into it.
  const [left, right] = [low - 4 * width, high + 4 * width];
  const bin = (right - left) / bins;
  const counts = new Float64Array(bins);
  for (let i = first; i < data.length; i += step) {
    const index = Math.floor((data[i] - left) / bin);
    if (index >= 0 && index < bins) counts[index]++;
  }
  const at = Array.from({ length: points }, (_, i) => low + ((high - low) * i) / (points - 1));
  const density = at.map((x) => {
    let total = 0;
    for (let i = 0; i < bins; i++) {
      if (counts[i] === 0) continue;
      const z = (left + (i + 0.5) * bin - x) / width;
      total += counts[i] * Math.exp(-0.5 * z * z);
    }
    return total / (n * width * Math.sqrt(2 * Math.PI));
  });
  return { mean, min, max, at, density };
}

/** The standard deviation of a normal distribution with the quartiles of these values, or of up to 4,096 of them. */
function spreadOf(data: HostTensor['data'], first: number, step: number): number {
  const n = data.length / step;
  const stride = step * Math.ceil(n / 4096);
  const values: number[] = [];
  for (let i = first; i < data.length; i += stride) values.push(data[i]);
  values.sort((a, b) => a - b);
  const at = (share: number): number => values[Math.floor(share * (values.length - 1))];
  return (at(0.75) - at(0.25)) / 1.349;
}
