/**
 * Jupyter counts positions in code points, JavaScript in UTF-16 units: they differ after an emoji.
 *
 * @returns the position in units
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

/** The other way: the position in code points. */
export function pointsAt(text: string, units: number): number {
  return Array.from(text.slice(0, units)).length;
}
