// Parts shared by the report's vega-lite charts.
/** The most series that colours distinguish; with more, each series has its own chart. */
export const mostColours: number = 7;

/** Every series, in order of appearance. */
export function seriesOf(rows: readonly { readonly series: string }[]): string[] {
  return [...new Set(rows.map(({ series }) => series))];
}

/** The channel that colours series. */
export function colour(order: readonly string[], legend: object = {}): object {
  // A single series needs no legend.
  return {
    field: 'series',
    type: 'nominal',
    sort: order,
    scale: { domain: order },
    legend:
      order.length === 1
        ? null
        : { title: null, orient: 'top', columns: 4, labelLimit: 260, ...legend },
  };
}

/** Dash patterns that distinguish series in addition to colour, for colour-blind readers. */
export const dashes: readonly (readonly number[])[] = [
  [1, 0],
  [9, 4],
  [3, 3],
  [12, 3, 3, 3],
  [6, 2],
  [1, 3],
  [14, 6],
];

/** As wide as its container. */
export const fitted: Readonly<Record<string, unknown>> = {
  width: 'container',
  autosize: { type: 'fit-x', contains: 'padding' },
};

/** A quantitative channel whose axis does not start at 0. */
export const quantity = (field: string, title: string): object => ({
  field,
  title,
  type: 'quantitative',
  scale: { zero: false },
});
