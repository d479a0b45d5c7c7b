import { describe, expect, test } from 'vitest';
import { catalogue, findExperiment } from '../catalogue/catalogue';
import { networkOf } from '../catalogue/network';
import { build } from '../graph/build';
import { relu } from '../nn/activation';
import type { AnyLayer } from '../nn/network';
import { stagesOf } from './stages';

const of = (name: string): ReturnType<typeof stagesOf> => stagesOf(networkOf(findExperiment(name)));

describe('stagesOf', () => {
  test.each([
    ['demo', ['prep', 'layer1', 'layer2', 'layer3'], 'flatten'],
    ['fastest', ['whiten', 'block1', 'block2', 'block3'], 'classifier/flatten'],
    ['post1-baseline', ['prep', 'layer1', 'layer2', 'layer3', 'layer4'], 'final/flatten'],
    ['post7-norm', ['prep', 'layer1', 'layer2', 'layer3'], 'pool'],
  ])('%s', (name, stages, features) => {
    const found = of(name);
    expect(found.stages.map((stage) => stage.name)).toEqual(stages);
    expect(found.features).toBe(features);
  });

  test('the path of a stage is that of its last node', () => {
    expect(of('demo').stages.map(({ path }) => path)).toEqual([
      'prep/relu',
      'layer1/residual/add',
      'layer2/pool',
      'layer3/residual/add',
    ]);
  });

  test('every network of the catalogue has stages and features', () => {
    const networks = [...catalogue.values()].map((experiment) => networkOf(experiment));
    for (const graph of networks) {
      const { stages, features } = stagesOf(graph);
      expect(stages.length).toBeGreaterThan(0);
      expect(graph.has(features)).toBe(true);
      expect(stages.every(({ path }) => graph.has(path))).toBe(true);
    }
  });

  test('a network without weights is refused', () => {
    expect(() => stagesOf(build<AnyLayer>({ input: [null, []], relu: relu() }))).toThrow(
      'neither a linear layer nor a convolution',
    );
  });
});
