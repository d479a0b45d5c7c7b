/** A straight line across a chart, and its label. */
export type Guide = ({ readonly x: number } | { readonly y: number }) & {
  readonly label?: string;
  /** The end with the label of a horizontal line. Default: `right`. Curves often end there, close to the line. */
  readonly end?: 'left' | 'right';
};

/** How {@link guideLayers} draws a guide. */
export interface GuideStyle {
  /** Encodings that the chart sets for all layers and a guide must not inherit: `{ y: null }`. */
  readonly inherited?: Readonly<Record<string, null>>;
  /** Type and scale of the guide's axis, if the chart's layers set them. */
  readonly axis?: Readonly<Record<string, unknown>>;
  /** Position of the label, as properties of a text mark. Default: at the end, above or beside the line. */
  readonly label?: Readonly<Record<string, unknown>>;
}

/** The vega-lite layers of a guide: a dashed line across the chart, and its label. */
export function guideLayers(
  { label, end = 'right', ...at }: Guide,
  { inherited = {}, axis = {}, label: style }: GuideStyle = {},
): object[] {
  const data = { values: [{}] };
  const isAcross = 'y' in at;
  const position = isAcross ? { y: { datum: at.y, ...axis } } : { x: { datum: at.x, ...axis } };
  const line = {
    data,
    mark: { type: 'rule', strokeDash: [5, 4], tooltip: false },
    encoding: { ...inherited, ...position },
  };
  if (label === undefined) return [line];
  const usual = isAcross
    ? { align: end, baseline: 'bottom', dx: end === 'left' ? 4 : -2, dy: -3 }
    : { align: 'left', baseline: 'top', dx: 5, dy: 2 };
  const place = isAcross ? { x: { value: end === 'left' ? 0 : 'width' } } : { y: { value: 0 } };
  const mark = { type: 'text', text: label, fontSize: 11.5, color: '#57606a', tooltip: false };
  return [
    line,
    { data, mark: { ...mark, ...usual, ...style }, encoding: { ...position, ...place } },
  ];
}
