import type { Group } from '../optim/optimiser';
import { piecewiseLinear } from '../optim/schedule';
import { basedOn, demo } from './bases';
import { coordinateSearch } from './coordinate-search';
import type { Hyperparameters, Trial } from './coordinate-search';
import type { Experiment } from './experiment';

const base = basedOn(demo, 'posts');

/**
 * The outcomes of the 22 runs of post 5 by line search: `+` where a run was better than all before it.
 *
 * The post's table gives the settings at the start and after runs 10, 13, 17, 20 and 22. The runs between follow from the
 * rule of {@link coordinateSearch}, an interpretation of "double or halve until it gets worse" that reproduces all of these
 * settings and numbers of runs.
 */
const outcomes: readonly string[] = ['-++++++++-', '-+-', '+++-', '-+-', '+-'];

/** Test accuracies of the table, in percent, by the number of their run. */
const accuracies: ReadonlyMap<number, number> = new Map([
  [0, 30.6],
  [9, 93],
  [12, 93.2],
  [16, 93.9],
  [19, 94.1],
  [21, 94.2],
]);

/** The settings that the search tries with these outcomes. */
function trials(): readonly Trial[] {
  const search = coordinateSearch({ lr: 0.001, momentum: 0.5, weightDecay: 0.01 });
  const runs = outcomes.flatMap((line) => line.split(''));
  const scores = [0, ...runs.map((outcome, index) => (outcome === '+' ? index + 1 : -1))];
  return scores.map((_, run) => (run === 0 ? search.next() : search.next(scores[run - 1])).value);
}

const names = { lr: 'rate', momentum: 'momentum', weightDecay: 'weight decay' } as const;

function searchExperiment({ lr, momentum, weightDecay, tuned }: Trial, run: number): Experiment {
  const accPercent = accuracies.get(run);
  const what = tuned === undefined ? 'the start' : `${names[tuned]} is tuned`;
  const isInferred = accPercent === undefined ? '; inferred, not in the post' : '';
  return {
    ...base,
    name: `post5-search-${String(run).padStart(2, '0')}`,
    title: `rate ${lr}, momentum ${momentum}, weight decay ${weightDecay} (${what}${isInferred})`,
    post: 5,
    optim: {
      ...demo.optim,
      momentum,
      weightDecay,
      lr: piecewiseLinear([0, 5, 24], [0, lr, 0]),
    },
    ...(accPercent === undefined
      ? {}
      : {
          published: {
            hardware: 'V100',
            accPercent,
            runs: 1,
            note: 'one run, from the table of the post',
          },
        }),
  };
}

/** The search of post 5 over learning rate, momentum and weight decay: its start, and the 22 runs after it. */
export const hyperparameterExperiments: readonly Experiment[] = trials().map(searchExperiment);

/**
 * LARS for the convolutions, at the relative learning rate at which SGD with weight decay is in equilibrium according to post 6:
 * sqrt(2 rate decay (1 - momentum)).
 *
 * The norm of the gradient of the summed loss cancels, but the learning rate is still divided by the batch size, like all rates:
 * `lrFactor` undoes that. Use it with `rule` `nesterov-b`, and with a schedule whose peak is `lr`.
 */
export function larsGroup(
  { lr, momentum, weightDecay }: Hyperparameters,
  batchSize: number,
): Group {
  const relativeRate = Math.sqrt(2 * lr * weightDecay * (1 - momentum));
  return {
    includes: 'conv/',
    rule: 'lars',
    lrFactor: (relativeRate * batchSize) / lr,
    weightDecayFactor: 1,
  };
}

const { momentum, weightDecay, lr } = demo.optim;
const inherited = { lr: Math.max(...lr.vals), momentum, weightDecay };

/**
 * `demo` with LARS for its convolutions, at the relative rate where SGD with weight decay is in equilibrium at its peak.
 *
 * Post 6 discusses LARS without a run; this one follows its argument.
 */
export const larsExperiment: Experiment = {
  ...base,
  name: 'post6-lars',
  title: 'LARS for the convolutions, at the relative rate of SGD in balance with weight decay',
  post: 6,
  optim: {
    ...demo.optim,
    rule: 'nesterov-b',
    groups: [larsGroup(inherited, demo.data.batchSize)],
  },
};
