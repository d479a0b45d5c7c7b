/**
 * Converts a position from code points, which Jupyter counts, to UTF-16 units: they differ after an emoji.
 */
export function unitsAt(text: string, points: number): number {
  let units = 0;
  for (const point of text) {
    if (points <= 0) break;
    points -= 1;
    units += point.length;
  }
  return units;
}

/** Converts a position from UTF-16 units to code points. */
export function pointsAt(text: string, units: number): number {
  return Array.from(text.slice(0, units)).length;
}
