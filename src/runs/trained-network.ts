import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { RunError } from '../base/errors';
import type { Graph } from '../graph/spec';
import { parametersOfGraph } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';
import { readNamedCheckpoint, sortCheckpoints } from './checkpoint';
import type { Checkpoint } from './checkpoint';
import type { Experiment, Scale } from '../catalogue/experiment';
import { networkOf } from '../catalogue/network';
import type { Run } from './run';
import { readRun } from './run-file';
import { counted } from '../text/counted';

/** The trained network of a run, and how the run evaluates it. */
export interface TrainedNetwork {
  /** The run's folder. */
  readonly path: string;
  /** The checkpoint file in it from which the weights were read. */
  readonly checkpoint: string;
  /** Finished epochs. */
  readonly epoch: number;
  /** Finished steps of the next epoch; 0 between epochs. */
  readonly steps: number;
  /** Why the network was not trained to the end of its run, and what to do; absent if it was. */
  readonly warning?: string;
  /** The experiment's name. */
  readonly name: string;
  readonly scale: Scale;
  readonly seed: number;
  readonly experiment: Experiment;
  readonly graph: Graph<AnyLayer>;
  /** The variables of {@link TrainedNetwork.graph}, by path. */
  readonly variables: HostVariables;
  /** Whether the variables are the averaged network, which is evaluated if the experiment keeps one. */
  readonly isEma: boolean;
  /** Whether the experiment evaluates with test-time augmentation. */
  readonly tta: boolean;
  /** Test accuracy of the finished run; absent if the run is not finished, or the network is from before its end. */
  readonly accPercent?: number;
}

/**
 * Reads the network of a run's folder from the last checkpoint: the average of its weights if the experiment keeps one, else
 * the weights themselves. Changes nothing in the folder, and can be called during training.
 *
 * @throws RunError if there is no run, no checkpoint, or the last checkpoint is damaged or belongs to another network
 */
export async function readTrained(folder: string): Promise<TrainedNetwork> {
  const path = resolve(folder);
  const names = await readdir(path).catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? 'does not exist'
        : code === 'ENOTDIR'
          ? 'is a file'
          : `cannot be read (${message})`;
    throw new RunError(
      `run: ${path} ${reason}. Name the folder of a run; "cifar10-fast runs" lists those in runs/.`,
      { cause },
    );
  });
  const run = await readRun(path);
  if (run?.experiment === undefined) {
    throw new RunError(
      `run: ${path} has no run.json, so it is not the folder of a run. "cifar10-fast runs" lists those in runs/.`,
    );
  }
  const { experiment, name, scale, seed, result } = run;
  const [last] = sortCheckpoints(names);
  if (last === undefined && result === undefined) {
    throw new RunError(
      `run: ${path} is not finished and has no checkpoint yet. Resume it with: npx cifar10-fast train --resume ${path}`,
    );
  }
  if (last === undefined) {
    throw new RunError(
      `run: ${path} has no checkpoint, so its weights are lost. ${trainAgain(run)}`,
    );
  }
  const isEma = experiment.optim.ema !== undefined;
  const graph = networkOf(experiment);
  const read = readVariables(join(path, last), graph, isEma ? 'ema' : 'network');
  const { epoch, steps, variables } = read;
  const warning = warningOf(path, run, read);
  return {
    path,
    checkpoint: last,
    epoch,
    steps,
    ...(warning === undefined ? {} : { warning }),
    name,
    scale,
    seed,
    experiment,
    graph,
    variables,
    isEma,
    tta: experiment.run.tta !== false,
    ...(result === undefined || warning !== undefined ? {} : { accPercent: result.accPercent }),
  };
}

function trainAgain({ name, scale, seed }: Run): string {
  return `Train the experiment again: npx cifar10-fast train ${name} --scale ${scale} --seed ${seed}`;
}

/** A warning if a run was not trained to its end. */
function warningOf(
  path: string,
  run: Run,
  { epoch, steps }: Pick<TrainedNetwork, 'epoch' | 'steps'>,
): string | undefined {
  const { result, failure, experiment } = run;
  const after = [
    ...(epoch > 0 || steps === 0 ? [counted(epoch, 'epoch')] : []),
    ...(steps > 0 ? [counted(steps, 'step')] : []),
  ].join(' and ');
  if (failure !== undefined) {
    return `${path} diverged in epoch ${failure.epoch}; its weights are from before that, after ${after}.`;
  }
  if (result !== undefined) {
    const { epochs = epoch } = result;
    if (epoch === epochs && steps === 0) return undefined;
    return (
      `${path} was trained for ${counted(epochs, 'epoch')}, but its last checkpoint is from after ${after}, so this is not ` +
      `the network of its result. ${trainAgain(run)}`
    );
  }
  if (experiment === undefined) return undefined;
  const planned = experiment.run.epochs;
  return (
    `${path} is not finished: its network was trained for ${after} (planned: ${counted(planned, 'epoch')}). ` +
    `Resume it with: npx cifar10-fast train --resume ${path}`
  );
}

/** The network's variables from one part of a checkpoint, and the epochs that they were trained for. */
function readVariables(
  file: string,
  graph: Graph<AnyLayer>,
  part: 'network' | 'ema',
): Pick<TrainedNetwork, 'epoch' | 'steps' | 'variables'> {
  const bad = (reason: string, options?: ErrorOptions): RunError =>
    new RunError(
      `run: ${file} is damaged or belongs to another network: ${reason}. Remove it to use the checkpoint before it, ` +
        'or train the experiment again.',
      options,
    );
  let read: Checkpoint;
  try {
    read = readNamedCheckpoint(basename(file), file);
  } catch (cause) {
    throw bad((cause as Error).message.replace(/\. [^.]*\.$/, ''), { cause });
  }
  const { epoch, learnt, unfinished } = read.snapshot;
  const variables = parametersOfGraph(graph).map(({ path, parameter }) => {
    const tensor = learnt[part][path];
    if (tensor === undefined) throw bad(`it has no tensor "${part}/${path}"`);
    if (tensor.shape.join() !== parameter.shape.join()) {
      throw bad(
        `"${part}/${path}" has shape [${tensor.shape.join()}], expected [${parameter.shape.join()}]`,
      );
    }
    return [path, tensor] as const;
  });
  return { epoch, steps: unfinished?.batches ?? 0, variables: Object.fromEntries(variables) };
}
