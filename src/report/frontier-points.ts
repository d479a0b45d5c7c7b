import type { Experiment } from '../catalogue/experiment';
import { publishedPoints } from '../catalogue/published-points';
import type { Run } from '../runs/run';
import { fullRuns, pflopOf, secondsText } from '../runs/full-runs';
import { summarise } from './stats';

/** Accuracy and operations of an experiment run here at one length, or of a published recipe. */
export interface AccuracyPoint {
  /** Where the figures come from. */
  readonly from: 'here' | 'published';
  /** The experiment's name, or the published recipe. */
  readonly recipe: string;
  /** Epochs; absent if the source does not give them. */
  readonly epochs?: number;
  readonly pflop: number;
  /** Mean test accuracy in percent, and the ends of its 95 % interval, if known. */
  readonly accPercent: number;
  readonly low?: number;
  readonly high?: number;
  /** Number of runs; absent if the source does not give it. */
  readonly runs?: number;
  readonly hardware: string;
  /** Seconds of training, with the machine if there are several; absent if the source gives none. */
  readonly seconds?: string;
  /** Where the figures were published, and what is counted. */
  readonly source?: string;
}

/**
 * Every experiment with finished full-scale runs whose operations were counted, at each length, followed by every published
 * point; both sorted by operations, ascending.
 */
export function accuracyPoints(
  experiments: ReadonlyMap<string, Experiment>,
  runs: readonly Run[],
): AccuracyPoint[] {
  const here = fullRuns(runs).flatMap(({ name, epochs, runs: own }): AccuracyPoint[] => {
    const counted = own.filter(({ result }) => result.pflop !== undefined);
    const length = epochs ?? experiments.get(name)?.run.epochs;
    if (counted.length === 0 || length === undefined) return [];
    const { mean, interval } = summarise(
      counted.map(({ result }) => result.accPercent),
      { target: null },
    );
    const seconds = secondsText(counted);
    return [
      {
        from: 'here',
        recipe: name,
        epochs: length,
        pflop: pflopOf(counted) ?? 0,
        accPercent: mean,
        ...interval,
        runs: counted.length,
        hardware: [...new Set(counted.map(({ machine }) => machine))].join('; '),
        ...(seconds === undefined ? {} : { seconds }),
      },
    ];
  });
  const published = publishedPoints.map(
    ({ recipe, pflop, accPercent, runs: count, hardware, timeSec, source }): AccuracyPoint => ({
      from: 'published',
      recipe,
      pflop,
      accPercent,
      ...(count === undefined ? {} : { runs: count }),
      hardware,
      ...(timeSec === undefined ? {} : { seconds: `${timeSec} s` }),
      source,
    }),
  );
  const byWork = (a: AccuracyPoint, b: AccuracyPoint): number => a.pflop - b.pflop;
  return [...here.toSorted(byWork), ...published.toSorted(byWork)];
}
