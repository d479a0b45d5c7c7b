import { escapeXml } from '../graph/colours';
import { fixed } from '../text/fixed';
import { durationText, epochCount } from '../text/progress';
import type { Progress } from '../text/progress';
import type { EpochRow } from '../train/training';
import { fontFamily, ink, series } from './theme';

/** Means over the training batches of about a second. */
export interface TracePoint {
  /** In epochs, with fractions. */
  readonly at: number;
  readonly loss: number;
  /** Between 0 and 1. */
  readonly acc: number;
}

/** A run as it is shown live. */
export interface LiveRun {
  /** Its name in the legend: the seed, or the experiment. */
  readonly name: string;
  readonly epochs: number;
  readonly trace: readonly TracePoint[];
  readonly rows: readonly EpochRow[];
}

/** The state of one or more runs, in words and numbers. */
export interface LiveState {
  /** What is trained, on what, and how long it will take. */
  readonly headline: string;
  readonly runs: readonly LiveRun[];
  /** When each run began, and its outcome. */
  readonly log?: readonly string[];
  /** The completed share of all runs together, between 0 and 1. */
  readonly share: number;
  /** Progress of the current run; absent before the first second. */
  readonly progress?: Progress & { readonly leftSec: number };
  /** The outcome: finished, or where it stopped and how to resume. */
  readonly note?: string;
}

/** Rows in a table before only the last epoch is kept of runs that are not the current one. */
const mostRows = 30;

/** Lines of the log that are shown. */
const mostLines = 6;

/** The state of training as one piece of HTML that can be replaced once a second: it keeps its size and loads nothing. */
export function liveHtml(state: LiveState): string {
  const { headline, log = [], share, progress, note } = state;
  const line = note ?? (progress === undefined ? 'warming up' : progressText(progress));
  const percent = (100 * Math.min(1, share)).toFixed(1);
  return (
    `<div style="font-family:${fontFamily};font-size:13px;line-height:1.5" data-live="${note === undefined ? 'on' : 'off'}">` +
    `<div>${headline.split('\n').map(escapeXml).join('<br>')}</div>` +
    `<div style="opacity:0.75">${lastLines(log).map(escapeXml).join('<br>')}</div>` +
    `<div style="height:6px;width:640px;max-width:100%;margin:6px 0;border-radius:3px;background:#8c959f55">` +
    `<div style="height:6px;width:${percent}%;border-radius:3px;background:${series[0]}"></div></div>` +
    `<div style="font-variant-numeric:tabular-nums">${escapeXml(line)}</div>` +
    `${tableHtml(tableRows(state.runs))}</div>`
  );
}

/** The state of training as text for a terminal. */
export function liveText({ headline, log = [], runs, progress, note }: LiveState): string {
  const line = note ?? (progress === undefined ? 'warming up' : progressText(progress));
  const table = tableRows(runs).map((cells) => cells.map((text) => text.padStart(12)).join(' '));
  return [headline, ...lastLines(log), line, ...(table.length > 1 ? ['', ...table] : [])].join(
    '\n',
  );
}

function lastLines(log: readonly string[]): readonly string[] {
  return log.length <= mostLines ? log : ['…', ...log.slice(1 - mostLines)];
}

function progressText(progress: Progress & { readonly leftSec: number }): string {
  const { phase, epoch, epochs, done, total, timeSec, loss, acc, leftSec } = progress;
  const rate =
    timeSec > 0 ? (done / timeSec).toLocaleString('en', { maximumFractionDigits: 0 }) : '–';
  const where = phase === 'train' ? `${Math.floor((100 * done) / total)} %` : 'test';
  return [
    `epoch ${epoch} of ${epochCount(epochs)}, ${where}`,
    `${rate} images/s`,
    `loss ${fixed(loss, 4)}`,
    `accuracy ${fixed(100 * acc, 2)} %`,
    `${durationText(leftSec)} left`,
  ].join('  ·  ');
}

const titles = [
  'run',
  'epoch',
  'lr',
  'train time',
  'train loss',
  'train acc',
  'valid loss',
  'valid acc',
  'total time',
];

/** Titles and cells; empty before the first epoch is over. */
function tableRows(runs: readonly LiveRun[]): string[][] {
  const all = runs.flatMap(({ name, rows }) =>
    rows.map((row, index) => ({ name, row, isLast: index === rows.length - 1 })),
  );
  if (all.length === 0) return [];
  const current = runs.findLast(({ rows }) => rows.length > 0)?.name;
  const shown =
    all.length <= mostRows ? all : all.filter(({ name, isLast }) => isLast || name === current);
  const isSingle = runs.length === 1;
  const cells = shown.map(({ name, row }) => [
    name,
    String(row.epoch),
    ...[
      row.lr,
      row.train.time,
      row.train.loss,
      row.train.acc,
      row.valid.loss,
      row.valid.acc,
      row['total time'],
    ].map((value) => fixed(value, 4)),
  ]);
  return [titles, ...cells].map((line) => (isSingle ? line.slice(1) : line));
}

function tableHtml([head, ...body]: readonly string[][]): string {
  if (head === undefined) return '';
  // Names of runs are words; all other columns are numbers.
  const sides = head.map((title) => (title === 'run' ? 'left' : 'right'));
  const line = (tag: string, cells: readonly string[], more = ''): string => {
    const made = cells.map(
      (text, index) =>
        `<${tag} style="text-align:${sides[index]};padding:1px 10px;font-weight:normal;${more}">${escapeXml(text)}</${tag}>`,
    );
    return `<tr>${made.join('')}</tr>`;
  };
  const heading = line('th', head, `border-bottom:1px solid ${ink.axis};`);
  const rows = body.map((cells) => line('td', cells)).join('');
  return `<table style="border-collapse:collapse;font-variant-numeric:tabular-nums;margin:8px 0 4px -10px"><thead>${heading}</thead><tbody>${rows}</tbody></table>`;
}

/**
 * Live loss and accuracy, as one SVG in HTML: training as a line with a point per second, test as a dot per epoch. Written
 * by hand, because a chart library would take a tenth of a second each time.
 */
export function liveCurves(runs: readonly LiveRun[]): string {
  const epochs = Math.max(1, ...runs.map((run) => run.epochs));
  const losses = runs.flatMap(({ trace, rows }) => [
    ...trace.map(({ loss }) => loss),
    ...rows.map(({ valid }) => valid.loss),
  ]);
  const top = Math.max(
    0.5,
    Math.ceil(2 * Math.min(3, Math.max(0, ...losses.filter(Number.isFinite)))) / 2,
  );
  const panels = [
    panel(
      0,
      'loss',
      { epochs, top, ticks: 2, format: (value) => value.toFixed(value === 0 ? 0 : 2) },
      runs,
      'loss',
    ),
    panel(
      380,
      'accuracy',
      { epochs, top: 1, ticks: 4, format: (value) => `${100 * value} %` },
      runs,
      'acc',
    ),
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 250" width="760" height="250" style="max-width:100%;height:auto;background:${ink.ground};border-radius:6px" ` +
    `font-family="${fontFamily}" font-size="12" fill="${ink.text}">${panels.join('')}${legend(runs)}</svg>`
  );
}

interface Axes {
  readonly epochs: number;
  readonly top: number;
  readonly ticks: number;
  readonly format: (value: number) => string;
}

function panel(
  left: number,
  title: string,
  { epochs, top, ticks, format }: Axes,
  runs: readonly LiveRun[],
  key: 'loss' | 'acc',
): string {
  const [x0, y0, width, height] = [left + 50, 30, 310, 170];
  const x = (epoch: number): string => (x0 + (width * epoch) / epochs).toFixed(1);
  const y = (value: number): string =>
    (y0 + height * (1 - Math.min(top, Math.max(0, value)) / top)).toFixed(1);
  const grid = Array.from({ length: ticks + 1 }, (_, index) => {
    const value = (top * index) / ticks;
    return (
      `<line x1="${x0}" x2="${x0 + width}" y1="${y(value)}" y2="${y(value)}" stroke="${ink.grid}"/>` +
      `<text x="${x0 - 6}" y="${y(value)}" dy="0.35em" text-anchor="end" fill="${ink.faint}">${format(value)}</text>`
    );
  });
  const step = Math.max(1, Math.ceil(epochs / 6));
  const under = Array.from({ length: Math.floor(epochs / step) + 1 }, (_, index) => {
    const epoch = index * step;
    return `<text x="${x(epoch)}" y="${y0 + height + 16}" text-anchor="middle" fill="${ink.faint}">${epoch}</text>`;
  });
  const curves = runs.map(({ trace, rows }, index) => {
    const colour = series[index % series.length];
    const line = trace
      .filter((point) => Number.isFinite(point[key]))
      .map((point) => `${x(point.at)},${y(point[key])}`);
    const points = rows.map(
      ({ epoch, valid }) =>
        `<circle cx="${x(epoch)}" cy="${y(valid[key])}" r="4" fill="${colour}"/>`,
    );
    return `<polyline points="${line.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5" opacity="0.8"/>${points.join('')}`;
  });
  return (
    `<text x="${x0}" y="18" font-weight="600">${title}</text>${grid.join('')}${under.join('')}${curves.join('')}` +
    `<text x="${x0 + width / 2}" y="${y0 + height + 34}" text-anchor="middle">epoch</text>`
  );
}

function legend(runs: readonly LiveRun[]): string {
  const text = `<text x="740" y="18" text-anchor="end" fill="${ink.faint}">line: training, points: test</text>`;
  if (runs.length < 2 || runs.length > series.length) return text;
  const names = runs.map(
    ({ name }, index) =>
      `<tspan fill="${series[index]}" font-weight="600">${index === 0 ? '' : '  '}${escapeXml(name)}</tspan>`,
  );
  return `${text}<text x="110" y="18" xml:space="preserve">${names.join('')}</text>`;
}
