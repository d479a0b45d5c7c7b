import { speedrunAblations } from '../catalogue/speedrun-ablations';
import type { AccuracyPoint } from '../report/frontier-points';
import { counted } from '../text/counted';
import { fixed } from '../text/fixed';
import { vegaLite } from './chart';
import type { Figure } from './figure';
import { ink, plotSize, series } from './theme';

/** Ticks of the accuracy axis, in percent. */
export const accuracyTicks: readonly number[] = [70, 80, 85, 90, 92, 93, 94, 95, 96];

/** The recipe whose lengths are joined by a line. */
export const lineRecipe = 'fastest';

export const frontierTitle = 'Test accuracy against arithmetic';
export const workTitle = 'operations of a run, PFLOP';

const kinds = [lineRecipe, 'others, run here', 'published'] as const;

/** The second panel: the recipes around 94 %, which are too close together in the first one. */
const near = { pflop: [0.16, 0.26], accPercent: [93.8, 94.4] } as const;

interface Mark {
  readonly kind: (typeof kinds)[number];
  /** Marks of a recipe at several lengths are joined by a line. */
  readonly series: string;
  readonly pflop: number;
  readonly error: number;
  /** The ends of the interval. */
  readonly errorLow?: number;
  readonly errorHigh?: number;
  readonly label: string;
  /** The side of the mark on which its label is. */
  readonly place: 'right' | 'left';
}

/** Height of a label and width of one of its characters, in pixels. */
const label = { height: 12, character: 5.5 } as const;

/** Space on the left and right of the marks of the first panel, in pixels. */
const padding = 72;
/** The same of the second panel. */
const nearPadding = 24;

const ablations: ReadonlySet<string> = new Set(speedrunAblations.map(({ name }) => name));

/** Test accuracy against operations as a picture: everything on a logarithmic axis of the error, and below, the part near 94 %. */
export function frontierPicture(points: readonly AccuracyPoint[]): Promise<Figure> {
  const isNear = ({ pflop, accPercent }: AccuracyPoint): boolean =>
    isIn(pflop, near.pflop) && isIn(accPercent, near.accPercent);
  const close = points.filter(isNear);
  const whole = points.map((point) => markOf(point, isNear(point) ? '' : wideLabel(point, points)));
  const detail = close.map((point) => markOf(point, nearLabel(point, close), sideOf(point, close)));
  const text = points.map(
    ({ recipe, epochs, pflop, accPercent }) =>
      `${recipe}${epochs === undefined ? '' : ` (${counted(epochs, 'epoch')})`} ${fixed(accPercent, 2)} % with ${pflop.toPrecision(3)} PFLOP`,
  );
  return vegaLite(
    {
      title: { text: frontierTitle, subtitle: 'means of full-scale runs; bars: 95 % interval' },
      vconcat: [widePanel(whole), ...(close.length < 2 ? [] : [detailPanel(detail)])],
      spacing: 24,
    },
    `${frontierTitle}: ${text.join('; ')}`,
  );
}

function isIn(value: number, [low, high]: readonly [number, number]): boolean {
  return value >= low && value <= high;
}

function markOf(
  { from, recipe, pflop, accPercent, low, high }: AccuracyPoint,
  label: string,
  place?: Mark['place'],
): Mark {
  const kind = from === 'published' ? kinds[2] : isOfLine({ from, recipe }) ? kinds[0] : kinds[1];
  return {
    kind,
    series: `${from} ${familyOf(recipe)}`,
    pflop,
    error: 100 - accPercent,
    ...(low === undefined || high === undefined
      ? {}
      : { errorLow: 100 - high, errorHigh: 100 - low }),
    label,
    place: place ?? (kind === lineRecipe ? 'left' : 'right'),
  };
}

/** The recipe of which a published point is a length, as in "hiverge, 7 epochs". */
function familyOf(recipe: string): string {
  return recipe.replace(/, [\d.]+ epochs$/, '');
}

/** Each length of {@link lineRecipe} by its epochs, the ablations of a length at the worst, any other recipe at its shortest. */
function wideLabel(point: AccuracyPoint, points: readonly AccuracyPoint[]): string {
  const { recipe, epochs = 0, accPercent } = point;
  if (isOfLine(point)) return counted(epochs, 'epoch');
  if (ablations.has(recipe)) {
    const same = points.filter((other) => ablations.has(other.recipe) && other.epochs === epochs);
    const isWorst = same.every((other) => other.accPercent >= accPercent);
    return isWorst ? `ablations, ${counted(epochs, 'epoch')}` : '';
  }
  return isShortest(point, points) ? nameOf(point) : '';
}

/** As {@link wideLabel}, for the points near 94 %: each of our results by its name, a published recipe with the number of its lengths. */
function nearLabel(point: AccuracyPoint, points: readonly AccuracyPoint[]): string {
  if (point.from === 'here') return nameOf(point);
  if (!isShortest(point, points)) return '';
  const { length } = lengthsOf(point, points);
  return length === 1 ? nameOf(point) : `${nameOf(point)}, ${length} lengths`;
}

/** Whether a point is one of our lengths of {@link lineRecipe}. */
export function isOfLine({ from, recipe }: Pick<AccuracyPoint, 'from' | 'recipe'>): boolean {
  return from === 'here' && recipe === lineRecipe;
}

function nameOf({ recipe }: AccuracyPoint): string {
  return familyOf(recipe).replace('speedrun-', '');
}

/** The points of the same recipe and source at any length. */
function lengthsOf(
  { from, recipe }: AccuracyPoint,
  points: readonly AccuracyPoint[],
): readonly AccuracyPoint[] {
  const family = familyOf(recipe);
  return points.filter((other) => other.from === from && familyOf(other.recipe) === family);
}

function isShortest(point: AccuracyPoint, points: readonly AccuracyPoint[]): boolean {
  return lengthsOf(point, points).every(({ pflop }) => pflop >= point.pflop);
}

/** On the left if nothing is further left, or if one of our results is so close on the right that the label would cover it. */
function sideOf(point: AccuracyPoint, points: readonly AccuracyPoint[]): Mark['place'] {
  const isCovered = points.some(
    ({ from, pflop, accPercent }) =>
      from === 'here' &&
      pflop > point.pflop &&
      pflop < 1.05 * point.pflop &&
      Math.abs(accPercent - point.accPercent) < 0.08,
  );
  const isFirst = points.every(({ pflop }) => pflop >= point.pflop);
  return isFirst || isCovered ? 'left' : 'right';
}

const color = {
  field: 'kind',
  type: 'nominal',
  scale: { domain: [...kinds], range: [series[0], series[2], series[1]] },
  legend: { title: null, orient: 'top' },
};

function widePanel(marks: readonly Mark[]): object {
  const errors = marks.map(({ error }) => error);
  const [least, most] = [0.9 * Math.min(...errors), 1.1 * Math.max(...errors)];
  const height = plotSize.height + 20;
  const work = marks.map(({ pflop }) => pflop);
  const [first, final] = [Math.min(...work), Math.max(...work)];
  const inner = plotSize.width - 2 * padding;
  const pixelOf = ({ pflop, error }: Mark): readonly [x: number, y: number] => [
    first === final
      ? padding
      : padding + (inner * Math.log(pflop / first)) / Math.log(final / first),
    (height * Math.log(error / least)) / Math.log(most / least),
  ];
  return panel(nudged(marks, pixelOf), {
    height,
    x: { scale: { type: 'log', nice: false, padding } },
    y: {
      scale: { type: 'log', reverse: true, nice: false, domain: [least, most] },
      values: accuracyTicks.map((acc) => 100 - acc).filter((error) => isIn(error, [least, most])),
      labelExpr: '100 - datum.value',
    },
  });
}

function detailPanel(marks: readonly Mark[]): object {
  const [most, least] = near.accPercent.map((acc) => 100 - acc);
  const { width, height } = plotSize;
  const [first, final] = near.pflop;
  const pixelOf = ({ pflop, error }: Mark): readonly [x: number, y: number] => [
    nearPadding + ((width - 2 * nearPadding) * Math.log(pflop / first)) / Math.log(final / first),
    (height * (error - least)) / (most - least),
  ];
  return panel(
    nudged(marks, pixelOf).map((mark) => ({ ...mark, nudge: mark.nudge - 6 })),
    {
      height,
      x: { scale: { type: 'log', nice: false, domain: [...near.pflop], padding: nearPadding } },
      y: {
        scale: { reverse: true, nice: false, zero: false, domain: [least, most] },
        values: [93.8, 93.9, 94, 94.1, 94.2, 94.3, 94.4].map((acc) => 100 - acc),
        labelExpr: "format(100 - datum.value, '.1f')",
      },
    },
  );
}

/**
 * Moves labels on the right of their marks down where they would overlap one above. A label that would have to move by more than
 * its height is removed: it would seem to belong to another mark.
 */
function nudged(
  marks: readonly Mark[],
  pixelOf: (mark: Mark) => readonly [x: number, y: number],
): (Mark & { readonly nudge: number })[] {
  const placed: { readonly left: number; readonly right: number; readonly y: number }[] = [];
  const moves = new Map<Mark, number>();
  const removed = new Set<Mark>();
  const labelled = marks.filter((mark) => mark.place === 'right' && mark.label !== '');
  for (const mark of labelled.toSorted((p, q) => p.error - q.error)) {
    const [left, top] = pixelOf(mark);
    const right = left + label.character * mark.label.length;
    const beside = placed.filter((other) => other.left < right && left < other.right);
    const y = beside.reduce((at, other) => Math.max(at, other.y + label.height), top);
    if (y - top > label.height) {
      removed.add(mark);
      continue;
    }
    placed.push({ left, right, y });
    moves.set(mark, y - top);
  }
  return marks.map((mark) => ({
    ...mark,
    label: removed.has(mark) ? '' : mark.label,
    nudge: moves.get(mark) ?? 0,
  }));
}

interface PanelOptions {
  readonly height: number;
  readonly x: { readonly scale: object };
  readonly y: {
    readonly scale: object;
    readonly values: readonly number[];
    readonly labelExpr: string;
  };
}

const places = {
  right: { align: 'left', dx: 8, dy: { expr: '3 + datum.nudge' } },
  left: { align: 'right', dx: -9, dy: -4 },
} as const;

function panel(
  marks: readonly (Mark & { readonly nudge: number })[],
  { height, x: axis, y: ordinate }: PanelOptions,
): object {
  const x = {
    field: 'pflop',
    type: 'quantitative',
    scale: axis.scale,
    axis: { title: workTitle, format: '~g' },
  };
  const y = {
    field: 'error',
    type: 'quantitative',
    scale: ordinate.scale,
    axis: {
      title: 'test accuracy, %',
      values: [...ordinate.values],
      labelExpr: ordinate.labelExpr,
    },
  };
  const interval = {
    transform: [{ filter: 'isValid(datum.errorLow)' }],
    mark: { type: 'rule', strokeWidth: 1.5 },
    encoding: { x, y: { ...y, field: 'errorLow' }, y2: { field: 'errorHigh' }, color },
  };
  return {
    data: { values: [...marks] },
    width: plotSize.width,
    height,
    layer: [
      {
        mark: { type: 'line', strokeWidth: 1.5 },
        encoding: { x, y, color, detail: { field: 'series' } },
      },
      // vega-lite warns about layers without marks.
      ...(marks.some(({ errorLow }) => errorLow !== undefined) ? [interval] : []),
      { mark: { type: 'point', size: 70, filled: true }, encoding: { x, y, color } },
      ...Object.entries(places)
        .filter(([place]) => marks.some((mark) => mark.place === place))
        .map(([place, at]) => ({
          transform: [{ filter: `datum.place === '${place}'` }],
          mark: { type: 'text', ...at, fontSize: 10.5, color: ink.faint },
          encoding: { x, y, text: { field: 'label' } },
        })),
    ],
  };
}
