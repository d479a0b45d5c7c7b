import { RunError } from '../base/errors';
import { fullRuns, pflopOf } from './full-runs';
import type { FullRuns } from './full-runs';
import type { Run } from './run';
import { fixed } from '../text/fixed';

/** The accuracy of an experiment at one length, over finished full-scale runs with different seeds. */
export interface FrontierPoint {
  /** Epochs of the run. */
  readonly epochs: number;
  /** Floating-point operations of a run, in units of 10^15. */
  readonly pflop: number;
  /** Mean test accuracy. */
  readonly accPercent: number;
  /** Number of runs. */
  readonly runs: number;
  /** The machines that they ran on, as in {@link Run.machine}; apart from chance, accuracy does not depend on them. */
  readonly machines: readonly string[];
}

/**
 * The accuracies that an experiment reaches at each length that was run, from few operations to many.
 *
 * Uses the {@link fullRuns} of the experiment whose operations were counted.
 *
 * @param epochs of the unchanged experiment
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
 * The accuracy to expect at a number of operations: between the points of a frontier, linear in the logarithm of the
 * operations; beyond the last point, its accuracy. Undefined without points, and below 0.9 of the first point's operations.
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
 * The length, in epochs, of a run that reaches an accuracy.
 *
 * @throws RunError if no point of the frontier reaches it; names the best accuracy
 */
export function epochsTo(points: readonly FrontierPoint[], accPercent: number): number {
  if (points.length === 0) {
    throw new RunError(
      '--to needs finished runs of the experiment in results/ to estimate its length, but there are none. Give --epochs or ' +
        '--budget, or train "fastest", which has some.',
    );
  }
  const best = points.reduce((a, b) => (b.accPercent > a.accPercent ? b : a));
  const next = points.findIndex((point) => point.accPercent >= accPercent);
  if (next === -1) {
    throw new RunError(
      `--to ${accPercent} is above what the runs in results/ reach: ${fixed(best.accPercent, 2)} % in ` +
        `${Number(best.epochs.toFixed(2))} epochs (mean of ${best.runs}). Give at most that, or a length by --epochs.`,
    );
  }
  if (next === 0) return points[0].epochs;
  const [below, above] = [points[next - 1], points[next]];
  const part = (accPercent - below.accPercent) / (above.accPercent - below.accPercent);
  return between(below, above, 'epochs', part);
}
