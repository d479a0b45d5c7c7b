/** A point of a chart, in pixels from the top left of the plotting area. */
interface Place {
  readonly x: number;
  readonly y: number;
}

/** A point with a label. */
export interface Named extends Place {
  readonly text: string;
}

/** The position of a label relative to its point, in plotly.js's terms. */
export type LabelPosition = (typeof positions)[number]['position'];

const positions = [
  { position: 'top center', dx: -0.5, dy: -1 },
  { position: 'bottom center', dx: -0.5, dy: 1 },
  { position: 'middle right', dx: 0, dy: 0 },
  { position: 'middle left', dx: -1, dy: 0 },
  { position: 'top right', dx: 0, dy: -1 },
  { position: 'bottom right', dx: 0, dy: 1 },
  { position: 'top left', dx: -1, dy: -1 },
  { position: 'bottom left', dx: -1, dy: 1 },
] as const;

/** In pixels: a wide letter in 11 px Helvetica, the line height, and the distance from a point's centre to its label. */
const [letter, line, gap] = [6.7, 14, 8];

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

function boxOf({ x, y, text }: Named, { dx, dy }: (typeof positions)[number]): Box {
  const width = letter * text.length;
  const left = x + dx * width + Math.sign(dx + 0.5) * gap;
  const middle = y + dy * (gap + line / 2);
  return { left, right: left + width, top: middle - line / 2, bottom: middle + line / 2 };
}

/**
 * Places labels one after another, each at the first of eight positions around its point where it covers no point and no
 * earlier label, and stays inside the plotting area.
 *
 * @param marks every point drawn
 * @returns the position of each label, `undefined` if none is free
 */
export function placeLabels(
  labels: readonly Named[],
  marks: readonly Place[],
  { width, height }: { readonly width: number; readonly height: number },
): (LabelPosition | undefined)[] {
  const taken: Box[] = marks.map(({ x, y }) => ({
    left: x - 4,
    right: x + 4,
    top: y - 4,
    bottom: y + 4,
  }));
  return labels.map((label) => {
    for (const candidate of positions) {
      const box = boxOf(label, candidate);
      const isInside = box.left >= 0 && box.right <= width && box.top >= 0 && box.bottom <= height;
      if (!isInside || taken.some((other) => overlap(box, other))) continue;
      taken.push(box);
      return candidate.position;
    }
    return undefined;
  });
}
