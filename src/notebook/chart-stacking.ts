import { NotebookError } from '../base/errors';
import { canonical } from './chart-encoding';
import type { Encoding } from './chart-encoding';
import type { ChartOptions, Mark } from './chart-options';
import type { StoredRow } from './chart-rows';

const orderColumn = 'order in the stack';

/**
 * The stacking of bars and areas, which vega-lite stacks by default. Rows are stacked if their colour distinguishes them, in
 * the order of the legend; an extra column holds the index of each row's colour. In any other chart, each row is drawn from
 * 0, or from the edge of the axis if it omits 0.
 *
 * @throws NotebookError if two rows at one position share a colour: stacked, they would be drawn as their sum
 */
export function stackingOf(
  values: StoredRow[],
  encoding: Encoding,
  marks: readonly Mark[],
  { x, y }: ChartOptions,
): Encoding {
  if (!marks.includes('bar') && !marks.includes('area')) return {};
  const { color } = encoding;
  const field = color?.['type'] === 'nominal' ? (color['field'] as string | undefined) : undefined;
  const places = [encoding['x'], encoding['y']].map((channel) => channel?.['field']);
  const leavesZero = [x, y].some((channel) => canonical(channel)?.zero === false);
  if (field === undefined || places.includes(field) || leavesZero) {
    const free = Object.entries(encoding).filter(
      ([name, { type, bin }]) =>
        (name === 'x' || name === 'y') && type === 'quantitative' && bin === undefined,
    );
    return Object.fromEntries(free.map(([name, channel]) => [name, { ...channel, stack: null }]));
  }
  checkDistinct(values, encoding);
  const order = (color['sort'] as readonly string[] | null) ?? [
    ...new Set(values.map((row) => row[field])),
  ];
  for (const row of values) row[orderColumn] = order.indexOf(row[field] as never);
  return { order: { field: orderColumn, type: 'quantitative' } };
}

/** The channels that determine where a stacked row is drawn, and which row it is. */
const placing = ['x', 'y', 'color', 'detail', 'column', 'row'];

function checkDistinct(values: readonly StoredRow[], encoding: Encoding): void {
  const isSummed = Object.values(encoding).some(
    ({ aggregate, bin }) => aggregate !== undefined || bin !== undefined,
  );
  if (isSummed) return;
  // On two numeric axes, vega-lite stacks along y.
  const isNumeric = ['x', 'y'].every((name) => encoding[name]?.['type'] === 'quantitative');
  const fields = placing.flatMap((name) => {
    const { field, type } = encoding[name] ?? {};
    const isPlace = type !== 'quantitative' || (isNumeric && name === 'x');
    return typeof field === 'string' && isPlace ? [field] : [];
  });
  const seen = new Set<string>();
  for (const row of values) {
    const key = JSON.stringify(fields.map((field) => row[field]));
    if (seen.has(key)) {
      const names = fields.map((field) => `${field} ${JSON.stringify(row[field])}`).join(', ');
      throw new NotebookError(
        `chart: two rows have ${names}; stacking would draw their sum. Give the axis a stat, such as ` +
          "stat: 'mean', or each row its own colour.",
      );
    }
    seen.add(key);
  }
}
