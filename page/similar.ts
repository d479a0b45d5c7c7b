/** An image of a set and its similarity: the cosine of the angle between features, -1..1. */
export interface Neighbour {
  readonly index: number;
  readonly cosine: number;
}

/**
 * The images whose features have the most similar direction, nearest first.
 *
 * @param features `[C]`
 * @param set `[N,C]`; each row may have a scale of its own
 * @param without index of an image to skip: the one being compared
 */
export function nearest(
  features: Float32Array,
  set: Int8Array,
  count: number,
  without?: number,
): Neighbour[] {
  const length = features.length;
  const norm = Math.hypot(...features);
  const found: Neighbour[] = [];
  for (let index = 0; index * length < set.length; index++) {
    if (index === without) continue;
    let product = 0;
    let square = 0;
    for (let i = 0; i < length; i++) {
      const value = set[index * length + i];
      product += features[i] * value;
      square += value * value;
    }
    found.push({ index, cosine: product / (norm * Math.sqrt(square) || 1) });
  }
  found.sort((a, b) => b.cosine - a.cosine);
  return found.slice(0, count);
}
