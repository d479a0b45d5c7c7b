import { scales } from '../catalogue/experiment';
import type { Experiment, Scale } from '../catalogue/experiment';
import { defaultScale, scaled } from '../catalogue/scale';
import { findAnyRuns, resultsFolder } from '../runs/find-runs';
import { timeHere } from '../runs/time-here';
import type { TimeOf } from '../runs/time-here';
import { loadData } from './data';
import { oneOf } from './flags';
import type { Given } from './flags';
import { interruptSignal } from './stop-signals';
import { displayProgress } from './terminal';

/** Estimates training times on this machine. */
export interface Timing {
  readonly of: (experiment: Experiment) => Promise<Timed>;
  readonly release: () => void;
}

/** Training time of an experiment at a scale, and the number of finished runs it comes from, 0 if it was measured. */
export interface Timed {
  readonly scale: Scale;
  readonly sec: number;
  readonly runs: number;
}

/** Prepares `list --time`, which loads the training code. The caller releases it. */
export async function timing(given: Given): Promise<Timing> {
  const scale = given.values.has('scale') ? oneOf(given, 'scale', scales, 'pocket') : undefined;
  const display = displayProgress();
  const { signal, release } = interruptSignal((text) => display.note(text));
  const data = await loadData(given, display, { signal });
  const options = { onNotice: (text: string) => display.note(text) };
  const stored = [
    ...(await findAnyRuns('runs', options)),
    ...(await findAnyRuns(resultsFolder, options)),
  ];
  const timeOf: TimeOf = timeHere(data, stored);
  return {
    release,
    of: async (experiment) => {
      signal.throwIfAborted();
      display.show(`measuring ${experiment.name}`);
      const at = scale ?? defaultScale(experiment);
      const found = await timeOf(scaled(experiment, at));
      display.clear();
      return { scale: at, ...found };
    },
  };
}
