// What the report's charts of vega-lite share.
/** Colours tell so many series apart; more of them get a chart each. */
export const mostColours: number = 7;

/** Every series, in the order in which they come. */
export function seriesOf(rows: readonly { readonly series: string }[]): string[] {
  return [...new Set(rows.map(({ series }) => series))];
}

/** The channel that colours series. */
export function colour(order: readonly string[], legend: object = {}): object {
  // One series needs no colour to be told from others, nor does a legend say more than a title.
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

/** Lines of the series, beside their colours: for readers who see few of them. */
export const dashes: readonly (readonly number[])[] = [
  [1, 0],
  [9, 4],
  [3, 3],
  [12, 3, 3, 3],
  [6, 2],
  [1, 3],
  [14, 6],
];

/** As wide as what the chart stands in. */
export const fitted: Readonly<Record<string, unknown>> = {
  width: 'container',
  autosize: { type: 'fit-x', contains: 'padding' },
};

/** A channel of numbers, whose axis does not begin at 0. */
export const quantity = (field: string, title: string): object => ({
  field,
  title,
  type: 'quantitative',
  scale: { zero: false },
});
