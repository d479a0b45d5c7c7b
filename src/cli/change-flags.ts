import { UsageError } from '../base/errors';
import type { Experiment } from '../catalogue/experiment';
import { overridden, parseOverride } from '../catalogue/override';
import type { Flag, Given } from './flags';

/** Flags that change an experiment, read by {@link changesOf}. */
export const changeFlags: Readonly<Record<'epochs' | 'lr' | 'batch-size' | 'set', Flag>> = {
  epochs: { value: 'N', help: 'length of the run: short for --set run.epochs=N' },
  lr: { value: 'RATE', help: 'highest learning rate: short for --set optim.lr=RATE' },
  'batch-size': {
    value: 'N',
    help: 'training images in a batch: short for --set data.batchSize=N',
  },
  set: {
    value: 'PATH=VALUE',
    help: 'change any value after scaling; may be repeated; "show EXPERIMENT" prints every PATH',
    isRepeatable: true,
  },
};

/** One change of an experiment: a path and its new value. */
export interface Change {
  readonly path: string;
  readonly value: unknown;
}

const short = [
  ['epochs', 'run.epochs', '24'],
  ['batch-size', 'data.batchSize', '512'],
  ['lr', 'optim.lr', '0.4'],
] as const;

/**
 * The changes that the flags request: the short flags first, then each `--set` in order.
 *
 * @throws UsageError if the value of a short flag is not a positive number, or `--set` changes the same value
 * @throws ExperimentError if `--set` is not PATH=VALUE
 */
export function changesOf({ values, lists }: Given): Change[] {
  const set = (lists.get('set') ?? []).map(parseOverride);
  const changes = short.flatMap(([flag, path, example]): Change[] => {
    const text = values.get(flag);
    if (text === undefined) return [];
    if (set.some((change) => change.path === path)) {
      throw new UsageError(`--${flag} and --set ${path} are the same value. Give one of them.`);
    }
    if (text.startsWith('+')) {
      throw new UsageError(
        `--${flag} ${text} adds to a finished run. Name it, as in --resume runs/demo-pocket-0 --epochs +4, or leave out the "+".`,
      );
    }
    const value = Number(text);
    if (text.trim() === '' || !(value > 0) || !Number.isFinite(value)) {
      throw new UsageError(
        `--${flag} "${text}" is not a number above 0. Give one, as in --${flag} ${example}.`,
      );
    }
    return [{ path, value }];
  });
  return [...changes, ...set];
}

/** @throws ExperimentError if a path does not exist, or its value is invalid */
export function withChanges(experiment: Experiment, changes: readonly Change[]): Experiment {
  return changes.reduce((now, { path, value }) => overridden(now, path, value), experiment);
}
