import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { InterruptedError, NotebookError } from '../base/errors';
import { provideKernelHost } from '../base/kernel-host';
import type { DisplayMessage, KernelHost } from '../base/kernel-host';
import {
  hyperparameterMap,
  hyperparameterSearch,
  hyperparameterTrial,
} from '../studies/hyperparameter-study';
import type { HyperparameterResult, HyperparameterTrial } from '../studies/hyperparameter-study';
import { overridden } from '../catalogue/override';
import type { Scale } from '../catalogue/experiment';
import { weightDecayStudy } from '../studies/weight-decay-study';
import * as scale from './notebook-scale';
import { followLive, trialsLive } from './series-live';
import { noiseData } from '../../test/noise-data';
import { backbone } from '../../test/small-run';

const data = noiseData(128, 64);

let seen: DisplayMessage[] = [];
let controller = new AbortController();

/** A kernel whose stop button is pressed when the shown text matches. */
function openKernel(stopAt = /never/): void {
  seen = [];
  controller = new AbortController();
  provideKernelHost({
    display: (message: DisplayMessage) => {
      seen.push(message);
      if (stopAt.test(textOf(message))) controller.abort(new InterruptedError('Interrupted.'));
    },
    interruptSignal: () => controller.signal,
  } as unknown as KernelHost);
}

beforeEach(() => openKernel());

afterEach(() => {
  provideKernelHost(undefined as unknown as KernelHost);
  vi.restoreAllMocks();
});

const textOf = (message: Pick<DisplayMessage, 'data'> | undefined): string =>
  message?.data['text/plain'] as string;
const namesOf = (results: readonly HyperparameterResult[]): string[] =>
  results.map(({ name }) => name);
/** A trial with a network that is quick to capture. */
const small = (trial: HyperparameterTrial): HyperparameterTrial => ({
  ...trial,
  experiment: backbone(trial.experiment),
});
const map = (size: Scale): HyperparameterTrial[] => hyperparameterMap(size, 'momentum').map(small);
/** `hyperparameterSearch` of such trials. */
function* search(size: Scale): Generator<HyperparameterTrial, unknown, number> {
  const trials = hyperparameterSearch(size);
  let at = trials.next();
  while (at.done !== true) at = trials.next(yield small(at.value));
  return at.value;
}

describe('trialsLive', () => {
  test('trains every trial, and shows the estimated time and the outcomes in one display', async () => {
    const results = await trialsLive(map, { scale: 'smoke', data });
    expect(namesOf(results)).toEqual(map('smoke').map(({ experiment }) => experiment.name));
    expect(seen.filter(({ isUpdate }) => !isUpdate)).toHaveLength(1);
    expect(textOf(seen[0])).toMatch(/4 trials at smoke scale: 1 epoch of 128 images/);
    expect(textOf(seen[0])).toMatch(/^about \d+:\d\d on /m);
    expect(textOf(seen.at(-1))).toMatch(/^4 trials in \d+:\d\d$/m);
    const [{ accPercent }] = results;
    expect(textOf(seen.at(-1))).toContain(
      `1: rate 0.1, momentum 0.9, weight decay 0.0005, batch 32: test accuracy ${accPercent.toFixed(2)} %`,
    );
  });

  test('a search gets the accuracy of each trial, the mean over its seeds', async () => {
    const accuracies: number[] = [];
    const results = await trialsLive(
      function* (size): Generator<HyperparameterTrial, void, number> {
        for (const lr of [0.1, 0.4])
          accuracies.push(yield small(hyperparameterTrial(size, { lr })));
      },
      { scale: 'smoke', data, seeds: [0, 1], expected: 2 },
    );
    expect(results.map(({ lr, seed }) => [lr, seed])).toEqual([
      [0.1, 0],
      [0.1, 1],
      [0.4, 0],
      [0.4, 1],
    ]);
    const [a, b, c, d] = results.map(({ accPercent }) => accPercent);
    expect(accuracies).toEqual([(a + b) / 2, (c + d) / 2]);
    expect(textOf(seen.at(-1))).toMatch(/2: .*, seed 1: test accuracy/);
  });

  test('earlier results are not trained again', async () => {
    const done: HyperparameterResult[] = [];
    const first = await trialsLive(search, { scale: 'smoke', data, done });
    expect(done).toEqual(first);
    const trained = [...first];
    openKernel();
    expect(await trialsLive(search, { scale: 'smoke', data, done })).toEqual(trained);
    expect(textOf(seen.at(-1))).toMatch(/nothing to train/);
    // Another seed is another result.
    const [{ lr, momentum, weightDecay }] = first;
    await trialsLive((size) => [small(hyperparameterTrial(size, { lr, momentum, weightDecay }))], {
      scale: 'smoke',
      data,
      done,
      seeds: [7],
    });
    expect(done).toHaveLength(trained.length + 1);
  });

  test('stops on an interrupt, keeps the finished trials, and resumes', async () => {
    const done: HyperparameterResult[] = [];
    const options = { scale: 'smoke', data, done } as const;
    openKernel(/^2: .*test accuracy/m);
    await expect(trialsLive(map, options)).rejects.toThrow(InterruptedError);
    expect(textOf(seen.at(-1))).toMatch(/Finished before: 2 trials/);
    expect(done).toHaveLength(2);
    openKernel();
    expect(await trialsLive(map, options)).toHaveLength(4);
    expect(textOf(seen.at(-1))).toMatch(/^2 trials in /m);
    expect(done).toHaveLength(4);
  });

  test('uses a smaller scale if that of the machine would take too long', async () => {
    vi.spyOn(scale, 'notebookScale').mockReturnValue('pocket');
    vi.spyOn(scale, 'wantedScale').mockReturnValue(undefined);
    const trialsOf = (size: Scale): ReturnType<typeof map> => {
      const [first] = map(size);
      const { experiment } = first;
      const subset = overridden(experiment, 'data.subset', { train: 128, valid: 64 });
      return [{ ...first, experiment: subset }];
    };
    const [result] = await trialsLive(trialsOf, { data, limitSec: 1e-9 });
    expect(result.scale).toBe('smoke');
    expect(textOf(seen.at(-1))).toMatch(/pocket scale would take .* Using smoke scale/);
  });

  test('rejects an empty list of trials or seeds', async () => {
    await expect(trialsLive(() => [], { scale: 'smoke', data })).rejects.toThrow(NotebookError);
    const none = { scale: 'smoke', data, seeds: [] } as const;
    await expect(trialsLive(map, none)).rejects.toThrow(NotebookError);
  });
});

describe('followLive', () => {
  const experiment = overridden(
    overridden(weightDecayStudy('smoke'), 'data.subset', { train: 128, valid: 64 }),
    'run.epochs',
    1,
  );

  test('follows one run after the other, in one display', async () => {
    const runs = await followLive(
      [
        { name: 'usual', experiment },
        { name: 'twice as long', experiment, startScale: 2 },
      ],
      { data },
    );
    expect(runs.map(({ name }) => name)).toEqual(['usual', 'twice as long']);
    const [usual, longer] = runs.map(({ points }) => points[0]);
    expect(longer.norm / usual.norm).toBeCloseTo(2, 5);
    expect(seen.filter(({ isUpdate }) => !isUpdate)).toHaveLength(1);
    expect(textOf(seen[0])).toMatch(/2 runs at smoke scale: .*\nabout \d+:\d\d on /);
    expect(textOf(seen.at(-1))).toMatch(/^2: twice as long: test accuracy .* %, .* s$/m);
    expect(textOf(seen.at(-1))).toMatch(/^2 runs in /m);
  });

  test('rejects an empty list of runs', async () => {
    await expect(followLive([], { data })).rejects.toThrow(NotebookError);
  });
});
