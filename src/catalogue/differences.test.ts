import { describe, expect, test } from 'vitest';
import { catalogue, findExperiment } from './catalogue';
import { changesBetween } from './differences';
import { overridden } from './override';

const between = (before: string, after: string): ReturnType<typeof changesBetween> =>
  changesBetween(findExperiment(before), findExperiment(after));

describe('changesBetween', () => {
  test('lists differing values as text', () => {
    expect(between('post3-fast-batch-norm', 'post3-cutout')).toEqual([
      {
        path: 'data.transforms',
        before: 'crop 32x32, flip-lr',
        after: 'crop 32x32, flip-lr, cutout 8x8',
      },
      {
        path: 'optim.lr',
        before: '0 → 0.44 at 15 → 0.005 at 30 → 0 at 35',
        after: '0 → 0.4 at 8 → 0 at 30',
      },
      { path: 'run.epochs', before: '35', after: '30' },
    ]);
  });

  test('counts the weights of another network, and lists values that only one of the two has', () => {
    const changes = between('post4-global-max-pool', 'post4-scales');
    expect(changes).toContainEqual({ path: 'net.block', before: 'max-pool', after: 'none' });
    expect(changes).toContainEqual({ path: 'weights', before: '1,557,066', after: '1,557,056' });
  });

  test('finds no difference between an experiment and itself', () => {
    expect(between('post1-baseline', 'post1-main-thread')).toEqual([]);
    expect(between('post2-batch-512', 'post3-fast-batch-norm')).toEqual([]);
  });

  test('finds the change of an override, at its path', () => {
    const experiment = findExperiment('demo');
    const changed = overridden(experiment, 'optim.momentum', 0.8);
    expect(changesBetween(experiment, changed)).toEqual([
      { path: 'optim.momentum', before: '0.9', after: '0.8' },
    ]);
  });

  test('describes groups of an optimiser and flags of an augmentation as text', () => {
    expect(between('speedrun-dirac', 'speedrun-biases')).toEqual([
      {
        path: 'optim.groups',
        before: 'whiten/conv/bias: for 3 epochs',
        after: 'whiten/conv/bias: for 3 epochs; bias: rate x 64, decay x 0.01563',
      },
    ]);
    expect(between('speedrun-views', 'speedrun-alternating')).toEqual([
      {
        path: 'data.transforms',
        before: 'crop 32x32, flip-lr',
        after: 'crop 32x32, flip-lr alternating',
      },
    ]);
    const [muon] = between('speedrun-batch-1024', 'speedrun-two-iterations');
    expect(muon.after.replace(/^.*block/, 'block')).toBe(
      'block: muon, rate 0.185 → 0.00925 at 8.2, momentum 0.655, decay 0.0016, ' +
        '2 iterations with 3.4576, -4.7391, 2.0843, kernels rescaled after 2 to 17 steps',
    );
  });

  test('describes image sizes and the epochs in which they start', () => {
    expect(between('fulcrum', 'fastest')).toContainEqual({
      path: 'data.sizes',
      before: '24 pixels → 28 pixels at 3 → 32 pixels at 6',
      after: '20 pixels → 24 pixels at 1 → 28 pixels at 4 → 32 pixels at 6',
    });
    expect(between('hiverge', 'speedrun-sizes').find(({ path }) => path === 'data.sizes')).toEqual({
      path: 'data.sizes',
      before: 'none',
      after: '24 pixels → 28 pixels at 3 → 32 pixels at 6',
    });
  });

  test('describes every value of every experiment as text', () => {
    const demo = findExperiment('demo');
    const words = [...catalogue.values()].flatMap((experiment) =>
      changesBetween(demo, experiment).flatMap(({ before, after }) => [before, after]),
    );
    expect(words.filter((text) => /object Object|undefined|NaN/.test(text))).toEqual([]);
  });
});
