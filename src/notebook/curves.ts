import type { EpochRow } from '../train/training';
import { vegaLite } from './chart';
import type { Figure } from './figure';
import type { LiveRun } from './live-view';
import { series } from './theme';
import { fixed } from '../text/fixed';

/** A run whose curves are drawn. */
export type CurveRun = Pick<LiveRun, 'name' | 'rows'> & Partial<Pick<LiveRun, 'trace'>>;

/** Maximum letters in a name. If one is longer, the legend is below the charts; beside them, it would not fit the page. */
const shortName = 24;

/**
 * Loss and accuracy of runs over their epochs, side by side: training as a thin line, test as a line with points. Each run
 * has a colour.
 *
 * @throws NotebookError if no epoch is over
 */
export function curves(
  runs: readonly CurveRun[],
  { title }: { readonly title?: string } = {},
): Promise<Figure> {
  // Runs of a few seconds have hardly a point per epoch; the mean of each epoch shows more.
  const training = runs.flatMap(({ name, rows, trace }) =>
    (trace === undefined || trace.length < 4 * rows.length ? rows.map(trainingPoint) : trace).map(
      ({ at, loss, acc }) => ({ run: name, epoch: round(at), loss: round(loss), acc: round(acc) }),
    ),
  );
  const test = runs.flatMap(({ name, rows }) =>
    rows.map(({ epoch, valid }) => ({
      run: name,
      epoch,
      loss: round(valid.loss),
      acc: round(valid.acc),
    })),
  );
  const epochs = Math.max(1, ...test.map(({ epoch }) => epoch));
  const panel = (field: 'loss' | 'acc', name: string, format: string): object => {
    const encoding = {
      x: { field: 'epoch', type: 'quantitative', title: 'epoch', scale: { domain: [0, epochs] } },
      y: {
        field,
        type: 'quantitative',
        title: null,
        axis: { format, tickCount: 5 },
        // Both axes end in a label, so that the titles above them are at the same height.
        scale: field === 'acc' ? { domain: [0, 1] } : { zero: true, nice: 5 },
      },
      color: {
        field: 'run',
        type: 'nominal',
        sort: null,
        title: 'run',
        ...legendOf(runs),
      },
    };
    return {
      title: { text: name, fontSize: 13, offset: 8 },
      width: 265,
      height: 200,
      encoding,
      layer: [
        {
          data: { name: 'training' },
          mark: { type: 'line', strokeWidth: 1.25, opacity: 0.7, tooltip: false },
        },
        { data: { name: 'test' }, mark: { type: 'line', point: { size: 40 } } },
      ],
    };
  };
  return vegaLite(
    {
      title: {
        text: title ?? 'Training and test',
        subtitle: 'thin: training, on augmented images; with points: test, after each epoch',
      },
      datasets: { training, test },
      hconcat: [panel('loss', 'loss', '.1f'), panel('acc', 'accuracy', '.0%')],
    },
    `${title ?? 'Training and test'}: ${runs.map(lastOf).join('; ')}`,
  );
}

function trainingPoint({ epoch, train }: EpochRow): { at: number; loss: number; acc: number } {
  return { at: epoch, loss: train.loss, acc: train.acc };
}

function lastOf({ name, rows }: CurveRun): string {
  const last = rows.at(-1);
  if (last === undefined) return `${name}: no finished epoch`;
  return `${name}: epoch ${last.epoch}, test loss ${last.valid.loss.toFixed(4)}, test accuracy ${fixed(100 * last.valid.acc, 2)} %`;
}

function round(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(5)) : null;
}

function legendOf(runs: readonly CurveRun[]): object {
  if (runs.length === 1) return { legend: null };
  const names = runs.map(({ name }) => name);
  const longest = Math.max(...names.map(({ length }) => length));
  const common = longest > shortName ? commonStart(names) : '';
  return {
    legend: {
      // Of names with a common prefix, only the rest is shown.
      ...(common === ''
        ? {}
        : {
            title: `${common}…`,
            titleLimit: 320,
            labelExpr: `slice(datum.label, ${common.length})`,
          }),
      ...(longest - common.length > shortName
        ? { orient: 'bottom', columns: 2, labelLimit: 400 }
        : {}),
    },
    // More runs than colours: neighbouring runs get neighbouring colours of a scale from dark to light.
    ...(runs.length > series.length ? { scale: { scheme: 'viridis' } } : {}),
  };
}

/** The common prefix of the names, up to a dash. */
function commonStart(names: readonly string[]): string {
  const [first] = names;
  let length = 0;
  while (length < first.length && names.every((name) => name[length] === first[length]))
    length += 1;
  return first.slice(0, first.lastIndexOf('-', length - 1) + 1);
}
