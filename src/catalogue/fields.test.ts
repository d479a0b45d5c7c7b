import { describe, expect, test } from 'vitest';
import { catalogue, findExperiment } from './catalogue';
import { fieldsOf } from './fields';
import { overridden } from './override';
import { scaled } from './scale';

describe('fieldsOf', () => {
  test('returns path, value, unit and meaning, containers before their parts', () => {
    const fields = fieldsOf(findExperiment('demo'));
    const of = (path: string): unknown => fields.find((field) => field.path === path);
    expect(of('run.epochs')).toEqual({
      path: 'run.epochs',
      value: 24,
      meaning: 'length of the run; schedules are stretched with it',
      unit: 'epochs',
    });
    expect(of('data.transforms.2.height')).toMatchObject({ value: 8, unit: 'pixels' });
    expect(of('optim.ema')).toMatchObject({
      value: undefined,
      meaning: expect.stringMatching(/default: none$/) as string,
    });
    const paths = fields.map(({ path }) => path);
    expect(paths.indexOf('optim.lr')).toBeLessThan(paths.indexOf('optim.lr.knots'));
    expect(paths).not.toContain('net.model');
  });

  test('every value of every experiment has a meaning', () => {
    for (const experiment of catalogue.values()) {
      const silent = fieldsOf(experiment).filter(({ meaning }) => meaning === '');
      // Elements of a list are described by the list.
      const named = silent.filter(({ path }) => !/\.\d+$/.test(path));
      expect({ experiment: experiment.name, named }).toEqual({
        experiment: experiment.name,
        named: [],
      });
    }
  });

  test('every path with a value can be overridden', () => {
    for (const name of ['demo', 'post1-baseline', 'post8-final', 'post7-norm', 'fastest']) {
      const experiment = scaled(findExperiment(name), 'smoke');
      for (const { path, value } of fieldsOf(experiment)) {
        if (value === undefined) continue;
        expect(overridden(experiment, path, value).overrides).toHaveLength(1);
      }
    }
  });
});
