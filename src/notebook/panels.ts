/**
 * A vega-lite specification of charts of the same kind in a grid, each with its name above it and its own data and axes. The
 * grid is about as wide as any other chart.
 *
 * @param chartOf returns vega-lite's `data` and `layer` for a panel
 */
export function panelGrid(
  names: readonly string[],
  columns: number,
  chartOf: (name: string) => object,
): Readonly<Record<string, unknown>> {
  const spacing = 18;
  const across = Math.min(columns, names.length);
  const width = Math.min(260, Math.floor((720 - spacing * (across - 1)) / across));
  return {
    columns,
    spacing,
    concat: names.map((name) => ({
      title: { text: name, anchor: 'middle', fontSize: 12.5, fontWeight: 'normal', offset: 4 },
      width,
      height: Math.round(0.7 * width),
      ...chartOf(name),
    })),
  };
}
