import type { Experiment } from '../catalogue/experiment';
import type { Cifar10 } from '../data/cifar10';
import { hardwareLine, readHardware } from '../engine/hardware';
import type { SessionOptions } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { checkFeasible } from './feasible';
import { isTimed } from './load';
import { prepareRun } from './prepare';
import { inFastestPrecision } from './run';
import { runChanges } from './run-changes';
import type { Run } from './run';

/** The training time of an experiment on this machine, in its fastest precision. */
export interface TimeHere {
  /** Seconds of training; including evaluation if they are estimated from a warm-up. */
  readonly sec: number;
  /** Number of finished runs on this machine that were averaged; 0: estimated from a warm-up. */
  readonly runs: number;
}

/** Returns the training time of an experiment on this machine. */
export type TimeOf = (experiment: Experiment) => Promise<TimeHere>;

/**
 * Returns a function that estimates training times: the mean over undisturbed finished runs on this machine that were
 * executed as a run without options is here, or else the prediction of a warm-up, which takes a few seconds. Experiments with
 * the same network and data are measured once.
 *
 * @throws RunError, EngineError later, as `trainExperiment`
 */
export function timeHere(data: Cifar10, stored: readonly Run[]): TimeOf {
  const epochSec = new Map<string, number>();
  const engine = inFastestPrecision();
  const machine = hardwareLine(readHardware());
  const { intraOpThreads, gpu } = loadTensorflow();
  const device = gpu ? 'gpu' : 'cpu';
  return async (experiment) => {
    checkFeasible(experiment, data);
    const { name, scale = 'full' } = experiment;
    const same = stored.filter(
      (run) =>
        run.machine === machine &&
        run.name === name &&
        run.scale === scale &&
        run.precision === engine.precision &&
        runChanges(run).length === 0 &&
        run.mode === 'captured' &&
        !run.xla &&
        run.threads === intraOpThreads &&
        // A stored result without a device was trained on its machine's fastest.
        (run.device ?? device) === device &&
        // The scripts' time includes preprocessing.
        run.timer === undefined &&
        run.result?.divergedIn === undefined &&
        isTimed(run),
    );
    const times = same.flatMap(({ result }) => (result === undefined ? [] : result.trainSec));
    if (times.length > 0) {
      return { sec: times.reduce((sum, sec) => sum + sec, 0) / times.length, runs: times.length };
    }
    const { net, loss, data: images, optim, run } = experiment;
    const key = JSON.stringify([net, loss, images, optim.rule, optim.groups, run.tta]);
    const known = epochSec.get(key) ?? (await measured(experiment, data, engine));
    epochSec.set(key, known);
    return { sec: run.epochs * known, runs: 0 };
  };
}

/** Seconds of an epoch and its evaluation, measured by a warm-up. */
async function measured(
  experiment: Experiment,
  data: Cifar10,
  engine: SessionOptions,
): Promise<number> {
  const { trainer } = prepareRun(experiment, data, 0, { engine });
  try {
    const { epochSec } = await trainer.warmUp();
    return epochSec;
  } finally {
    trainer.dispose();
  }
}
