import { flopsOf } from './flops';
import { byteSizeOf, dataTypeName } from './graph';
import type { GraphEntry, Value } from './graph';
import type { NamedValue, Recording } from './step';

/** A summary of a captured step's graph. */
export interface GraphSummary {
  readonly nodes: number;
  /** The number of nodes of each operation, the most frequent first. */
  readonly byOp: ReadonlyMap<string, number>;
  /** Floating point operations of convolutions and matrix products in one run, see {@link flopsOf}. */
  readonly flops: number;
  /** Casts between 32-bit and 16-bit formats. */
  readonly casts: number;
  /** Bytes of the parts of the state that the step reads or replaces. */
  readonly stateBytes: number;
}

/** Summarises the graph of a captured step. */
export function summariseGraph(recording: Recording): GraphSummary {
  const { reads, writes } = recording;
  const nodes = visible(recording);
  const counts = new Map<string, number>();
  for (const { op } of nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  const ids = new Set(nodes.map(({ id }) => id));
  const parts = new Map(
    [...reads.filter(({ value }) => ids.has(value.ref[0])), ...writes].map(({ path, value }) => [
      path,
      byteSizeOf(value),
    ]),
  );
  return {
    nodes: nodes.length,
    byOp: new Map([...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))),
    flops: nodes.reduce((sum, node) => sum + flopsOf(node), 0),
    casts: nodes.filter(isFormatChange).length,
    stateBytes: [...parts.values()].reduce((sum, bytes) => sum + bytes, 0),
  };
}

/** Nodes without those that only name a variable. */
function visible({ nodes }: Recording): GraphEntry[] {
  return nodes.filter(({ op }) => op !== 'VarHandleOp');
}

function isFormatChange({ op, inputs, outputs }: GraphEntry): boolean {
  const isLow = ({ dtype }: Value): boolean =>
    ['bfloat16', 'float16'].includes(dataTypeName(dtype));
  return op === 'Cast' && isLow(inputs[0]) !== isLow(outputs[0]);
}

/**
 * A captured step as text: a line per node with its inputs, the element type and shape of its first output, and its name
 * outside the graph or its cost; then the outputs, the changes of the state and the summary. Nodes are numbered in the
 * order of the text, so the same step always prints the same.
 */
export function printGraph(recording: Recording): string {
  const { name, inputs, outputs, reads, writes } = recording;
  const shown = visible(recording);
  const numbers = new Map(shown.map(({ id }, index) => [id, index + 1]));
  const titles = new Map(
    [...inputs, ...reads].map(({ path, value }) => [value.ref[0], `"${path}"`] as const),
  );
  const label = ({ ref: [id, index] }: Value): string =>
    `%${numbers.get(id)}${index === 0 ? '' : `:${index}`}`;

  const rows = shown.map((node): string[] => {
    const known = node.inputs.filter(({ ref }) => numbers.has(ref[0])).map(label);
    const flops = flopsOf(node);
    const remarks = [
      titles.get(node.id) ?? constantText(node),
      attributeText(node),
      flops === 0 ? '' : `${quantity(flops)}FLOP`,
    ];
    return [
      `%${numbers.get(node.id)}`,
      known.length === 0 ? node.op : `${node.op}(${known.join(', ')})`,
      typeText(node.outputs[0]),
      remarks.filter((remark) => remark !== '').join(' '),
    ];
  });
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length), 0));
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '),
  );

  const names = (what: string, values: readonly NamedValue[]): string[] =>
    values.map(({ path, value }) => `${what} "${path}" = ${label(value)}`);
  const { nodes, byOp, flops, casts, stateBytes } = summariseGraph(recording);
  return [
    `step "${name}"`,
    ...lines.map((line) => `  ${line}`),
    ...names('  output', outputs),
    ...names('  state', writes),
    `${nodes} nodes: ${[...byOp].map(([op, count]) => `${count} ${op}`).join(', ')}`,
    `${quantity(flops)}FLOP in convolutions and matrix products, ${casts} casts, ` +
      `${quantity(stateBytes)}B of state`,
    '',
  ]
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Element type and shape of a value, as in `float32 [512,10]`. */
export function typeText({ dtype, shape }: Value): string {
  return `${dataTypeName(dtype)} [${shape.join()}]`;
}

/** The first numbers of a constant. */
function constantText({ op, attributes }: GraphEntry): string {
  if (op !== 'Const') return '';
  const value = attributes.find(({ name }) => name === 'value')?.value;
  const { data } = value as { readonly data: ArrayLike<number> };
  const numbers = Array.from({ length: Math.min(data.length, 8) }, (_, i) =>
    Number(data[i].toPrecision(6)),
  );
  return numbers.length === 0 ? '' : `= ${numbers.join(' ')}${data.length > 8 ? ' ...' : ''}`;
}

/** Attributes that are printed; types and defaults are omitted. */
const printedAttributes: ReadonlyMap<string, (value: unknown) => string> = new Map([
  ['strides', (value: unknown) => windowText('stride', value)],
  ['dilations', (value: unknown) => windowText('dilation', value)],
  ['ksize', (value: unknown) => windowText('window', value)],
  ['padding', (value: unknown) => String(value).toLowerCase()],
  ['transpose_a', (value: unknown) => (value === true ? 'a^T' : '')],
  ['transpose_b', (value: unknown) => (value === true ? 'b^T' : '')],
  ['adj_x', (value: unknown) => (value === true ? 'a^T' : '')],
  ['adj_y', (value: unknown) => (value === true ? 'b^T' : '')],
]);

function attributeText({ attributes }: GraphEntry): string {
  return attributes
    .map(({ name, value }) => printedAttributes.get(name)?.(value) ?? '')
    .filter((text) => text !== '')
    .join(' ');
}

/** Height and width of a window `[1,h,w,1]`; empty if both are 1. */
function windowText(what: string, value: unknown): string {
  const [, height, width] = value as readonly number[];
  return height === 1 && width === 1 ? '' : `${what} ${height}x${width}`;
}

/** A number with three significant digits, a space and the prefix of its unit. */
function quantity(value: number): string {
  const prefixes = ['', 'k', 'M', 'G', 'T'];
  const power = Math.min(
    value < 1 ? 0 : Math.floor(Math.log10(value) / 3 + 1e-9),
    prefixes.length - 1,
  );
  return `${Number((value / 1000 ** power).toPrecision(3))} ${prefixes[power]}`;
}
