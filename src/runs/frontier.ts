import { RunError } from '../base/errors';
import { fullRuns, pflopOf } from './full-runs';
import type { FullRuns } from './full-runs';
import type { Run } from './run';

/** What an experiment came to at one length: finished full-size runs that differ in their seeds only. */
export interface FrontierPoint {
  /** Epochs of the run. */
  readonly epochs: number;
  /** 10^15 floating-point operations of a run. */
  readonly pflop: number;
  /** Mean test accuracy. */
  readonly accPercent: number;
  /** Number of runs. */
  readonly runs: number;
  /** The machines that they ran on, as {@link Run.machine}; accuracy does not depend on it, but for chance. */
  readonly machines: readonly string[];
}

/**
 * The accuracies that an experiment reaches at each length that was run, from few operations to many.
 *
 * Counted are {@link fullRuns} of the experiment whose operations were counted.
 *
 * @param epochs of the experiment without a change
 */
export function frontierOf(
  runs: readonly Run[],
  { name, epochs }: { readonly name: string; readonly epochs: number },
): FrontierPoint[] {
  const mean = (of: readonly number[]): number =>
    of.reduce((sum, each) => sum + each, 0) / of.length;
  const counted = runs.filter((run) => run.name === name && run.result?.pflop !== undefined);
  const byLength = new Map<number, FullRuns['runs']>();
  for (const group of fullRuns(counted)) {
    const trained = group.epochs ?? epochs;
    byLength.set(trained, [...(byLength.get(trained) ?? []), ...group.runs]);
  }
  return [...byLength]
    .map(([trained, group]) => ({
      epochs: trained,
      pflop: pflopOf(group) ?? 0,
      accPercent: mean(group.map(({ result }) => result.accPercent)),
      runs: group.length,
      machines: [...new Set(group.map(({ machine }) => machine))],
    }))
    .toSorted((a, b) => a.pflop - b.pflop);
}

/**
 * The accuracy to expect of so many operations: linear in their logarithm between the points of a frontier, that of the last
 * point beyond it. Undefined without points, and below 0.9 of the operations of the first.
 */
export function expectedAccPercent(
  points: readonly FrontierPoint[],
  pflop: number,
): number | undefined {
  if (points.length === 0 || pflop < 0.9 * points[0].pflop) return undefined;
  const next = points.findIndex((point) => point.pflop >= pflop);
  if (next === -1) return points[points.length - 1].accPercent;
  if (next === 0) return points[0].accPercent;
  return between(points[next - 1], points[next], 'accPercent', share(points, next, pflop));
}

function share(points: readonly FrontierPoint[], next: number, pflop: number): number {
  const [from, to] = [Math.log(points[next - 1].pflop), Math.log(points[next].pflop)];
  return (Math.log(pflop) - from) / (to - from);
}

function between(
  a: FrontierPoint,
  b: FrontierPoint,
  of: 'accPercent' | 'epochs',
  part: number,
): number {
  return a[of] + part * (b[of] - a[of]);
}

/**
 * The length of a run that reaches an accuracy, in epochs.
 *
 * @throws RunError if no point of the frontier reaches it; says what it reaches
 */
export function epochsTo(points: readonly FrontierPoint[], accPercent: number): number {
  if (points.length === 0) {
    throw new RunError(
      '--to needs finished runs of the experiment in results/ to estimate its length, and there are none. Give --epochs or ' +
        '--budget, or train "fastest", which has some.',
    );
  }
  const best = points.reduce((a, b) => (b.accPercent > a.accPercent ? b : a));
  const next = points.findIndex((point) => point.accPercent >= accPercent);
  if (next === -1) {
    throw new RunError(
      `--to ${accPercent} is above what the runs in results/ reach: ${best.accPercent.toFixed(2)} % in ` +
        `${Number(best.epochs.toFixed(2))} epochs (mean of ${best.runs}). Give at most that, or a length by --epochs.`,
    );
  }
  if (next === 0) return points[0].epochs;
  const [below, above] = [points[next - 1], points[next]];
  const part = (accPercent - below.accPercent) / (above.accPercent - below.accPercent);
  return between(below, above, 'epochs', part);
}
