import { describe, expect, test } from 'vitest';
import { ExperimentError } from '../base/errors';
import { valueAt } from '../optim/schedule';
import { catalogue, findExperiment } from './catalogue';
import { overridden, parseOverride } from './override';
import { trainedSchema } from './schema';
import { scaled } from './scale';

const demo = findExperiment('demo');
const change = (name: string, text: string): ReturnType<typeof overridden> => {
  const { path, value } = parseOverride(text);
  return overridden(findExperiment(name), path, value);
};

describe('trainedSchema', () => {
  test('accepts every experiment of the catalogue at every scale', () => {
    for (const experiment of catalogue.values()) {
      for (const scale of ['smoke', 'pocket', 'full'] as const) {
        const { net, loss, data, optim, run } = scaled(experiment, scale);
        const part = { net, loss, data, optim, run };
        expect(trainedSchema.parse(part)).toEqual(part);
      }
    }
  });
});

describe('overridden', () => {
  test('changes one value and nothing else, and lists the override', () => {
    const changed = overridden(demo, 'data.batchSize', 256);
    const { published: _published, ...before } = demo;
    expect(changed).toEqual({
      ...before,
      data: { ...demo.data, batchSize: 256 },
      overrides: ['data.batchSize=256'],
    });
    expect(demo.data.batchSize).toBe(512);
  });

  test('applies in order, at the scale of the experiment', () => {
    const pocket = scaled(demo, 'pocket');
    const changed = overridden(overridden(pocket, 'net.channels.prep', 32), 'optim.momentum', 0.85);
    expect(changed.scale).toBe('pocket');
    expect(changed.net.channels).toEqual({ prep: 32, layer1: 32, layer2: 64, layer3: 128 });
    expect(changed.optim.momentum).toBe(0.85);
    expect(changed.overrides).toEqual(['net.channels.prep=32', 'optim.momentum=0.85']);
  });

  test('a changed experiment cannot be scaled, because scaling would change the value again', () => {
    const changed = overridden(demo, 'net.channels.prep', 32);
    expect(scaled(changed, 'full')).toBe(changed);
    expect(() => scaled(changed, 'pocket')).toThrow(
      /experiment "demo" was changed \(net.channels.prep=32\), so it cannot be scaled to pocket/,
    );
  });

  test('a number for optim.lr sets the peak and keeps the shape of the schedule', () => {
    const { lr } = change('post8-final', 'optim.lr=0.5').optim;
    expect(lr).toEqual({ knots: [0, 2, 8], vals: [0, 0.5, 0.05] });
    expect(() => overridden(overridden(demo, 'optim.lr', 0), 'optim.lr', 1)).toThrow(
      /"optim.lr" is 0 at all times/,
    );
  });

  test('a schedule for optim.lr replaces it', () => {
    const { lr } = change('demo', 'optim.lr={"knots":[0,4,24],"vals":[0,0.6,0]}').optim;
    expect(lr).toEqual({ knots: [0, 4, 24], vals: [0, 0.6, 0] });
    expect(change('demo', 'optim.lr.vals=[0,1,0.1]').optim.lr.vals).toEqual([0, 1, 0.1]);
  });

  test('epochs stretch the schedule', () => {
    const { run, optim } = change('demo', 'run.epochs=48');
    expect(run.epochs).toBe(48);
    for (const share of [0.1, 5 / 24, 0.5, 1]) {
      expect(valueAt(optim.lr, share * 48)).toBeCloseTo(valueAt(demo.optim.lr, share * 24), 12);
    }
    const averaged = change('post8-final', 'run.epochs=5').optim;
    expect(averaged.ema?.momentum).toBeCloseTo(0.99 ** 2, 12);
  });

  test.each([
    ['demo', 'net.resLayers=["layer2"]', 'net', { resLayers: ['layer2'] }],
    ['demo', 'optim.rule=nesterov-b', 'optim', { rule: 'nesterov-b' }],
    ['demo', 'run.tta=true', 'run', { tta: true }],
    ['demo', 'data.subset={"train":25000,"valid":10000}', 'data', { subset: { train: 25000 } }],
    ['demo', 'data.transforms=[]', 'data', { transforms: [] }],
    [
      'demo',
      'data.transforms.2.height=5',
      'data',
      { transforms: [{}, {}, { height: 5, width: 8 }] },
    ],
    ['demo', 'optim.ema={"momentum":0.99,"updateFreq":5}', 'optim', { ema: { updateFreq: 5 } }],
    ['demo', 'loss.smoothing=0.2', 'loss', { smoothing: 0.2 }],
    ['post7-norm', 'loss={"smoothing":0.1}', 'loss', { smoothing: 0.1 }],
    ['post7-norm', 'net.act={"kind":"relu"}', 'net', { act: { kind: 'relu' } }],
    ['post7-norm', 'net.act.beta=5', 'net', { act: { kind: 'softplus', beta: 5, threshold: 2.5 } }],
    ['post8-baseline', 'net.celuAlpha=0.3', 'net', { celuAlpha: 0.3 }],
    ['post8-final', 'optim.groups.0.lrFactor=16', 'optim', { groups: [{ lrFactor: 16 }] }],
    ['post1-baseline', 'net.channels.3=512', 'net', { channels: [64, 128, 256, 512] }],
    ['post1-baseline', 'net.block=strided', 'net', { block: 'strided' }],
  ] as const)('%s with %s', (name, text, part, expected) => {
    expect(change(name, text)[part]).toMatchObject(expected);
  });

  test('null removes optional values only', () => {
    expect(change('post8-final', 'optim.ema=null').optim).not.toHaveProperty('ema');
    expect(change('post8-final', 'net.celuAlpha=null').net).not.toHaveProperty('celuAlpha');
    expect(() => change('demo', 'optim.momentum=null')).toThrow(
      'override: "optim.momentum" is missing; expected a number of at least 0.',
    );
  });

  test.each([
    [
      'optim.lrr=1',
      'experiment "demo" has no "optim.lrr" to change. Nearest: "optim.lr". "cifar10-fast show demo" prints every path, its value and its meaning.',
    ],
    ['batchSize=1', 'has no "batchSize" to change. Nearest: "data.batchSize".'],
    ['data.batchSize.x=1', 'has no "data.batchSize.x" to change. Nearest: "data.batchSize".'],
    [
      'net.model=dawn',
      '"net.model" of experiment "demo" is resnet9 and cannot be changed, because other networks have other fields. Train an experiment',
    ],
    ['name=mine', 'has no "name" to change.'],
    ['published.accPercent=99', 'has no "published.accPercent" to change.'],
    ['data.transforms.3.height=4', 'has no "data.transforms.3.height" to change.'],
    ['__proto__.x=1', 'has no "__proto__.x" to change.'],
    ['data.batchSize=0', '"data.batchSize" is 0; expected a whole number of at least 1.'],
    ['data.batchSize=1.5', '"data.batchSize" is 1.5; expected a whole number of at least 1.'],
    ['data.batchSize=ten', '"data.batchSize" is "ten"; expected a whole number of at least 1.'],
    ['optim.momentum=1', '"optim.momentum" is 1; expected a number below 1.'],
    ['optim.lr=-1', '"optim.lr.vals.1" is -1; expected a number of at least 0.'],
    ['optim.lr=high', '"optim.lr" is "high"; expected a number, or a schedule as in'],
    [
      'optim.lr={"knots":[0,1],"vals":[0]}',
      '"optim.lr": schedule: 2 knots and 1 values; give one value for each knot',
    ],
    [
      'optim.rule=adam',
      '"optim.rule" is "adam"; expected one of nesterov-a, nesterov-b, lars, muon.',
    ],
    ['optim.ema={"momentum":0.9}', '"optim.ema.updateFreq" is missing; expected a whole number'],
    [
      'optim.ema={"momentum":0.9,"updateFreq":5,"momentun":1}',
      '"optim.ema" cannot have "momentun". Nearest: "momentum". It can have: momentum, updateFreq.',
    ],
    ['optim.ema.momentum=0.9', '"optim.ema.updateFreq" is missing'],
    ['net.channels=[1,2,3,4]', '"net.channels" is [1,2,3,4]; expected an object of widths'],
    [
      'data.transforms=[{"kind":"blur"}]',
      '"data.transforms.0.kind" is "blur"; expected an augmentation, as in',
    ],
    [
      'data.transforms=[{"kind":"crop","height":32,"widht":32}]',
      '"data.transforms.0.width" is missing',
    ],
    ['net.resLayers=["layer4"]', '"net.resLayers.0" is "layer4"; expected one of layer1, layer2'],
    ['loss.smoothing=2', '"loss.smoothing" is 2; expected a number of at most 1.'],
  ])('refuses %s', (text, message) => {
    expect(() => change('demo', text)).toThrow(ExperimentError);
    expect(() => change('demo', text)).toThrow(message);
  });

  test.each([
    [
      'optim.groups.2.muon.iterations=5',
      'override: "optim.groups.2.muon": muon: 5 iterations of Newton-Schulz with the coefficients 3.4576',
    ],
    ['optim.groups.2.lr.knots=[1,0]', 'override: "optim.groups.2.lr": schedule: '],
    ['optim.groups.0.lr.vals=[1]', 'override: "optim.groups.0.lr": schedule: 2 knots and 1 values'],
  ])('refuses %s of a group', (text, message) => {
    expect(() => change('fastest', text)).toThrow(ExperimentError);
    expect(() => change('fastest', text)).toThrow(message);
  });

  test('refuses numbers that JSON cannot write', () => {
    expect(() => overridden(demo, 'optim.lr', NaN)).toThrow('"optim.lr.vals.0" is NaN');
    expect(() => overridden(demo, 'optim.weightDecay', Infinity)).toThrow(
      '"optim.weightDecay" is Infinity; expected a number of at least 0.',
    );
  });

  test('suggests the nearest path among those of the same network', () => {
    expect(() => change('post1-baseline', 'net.chanels=1')).toThrow(/Nearest: "net.channels"/);
    expect(() => change('post7-norm', 'loss.smoothing=0.1')).toThrow(
      /experiment "post7-norm" has no "loss.smoothing"/,
    );
  });
});

describe('parseOverride', () => {
  test.each([
    ['a.b=1e-3', 'a.b', 0.001],
    ['a.b=true', 'a.b', true],
    ['a.b=word', 'a.b', 'word'],
    ['a.b={"c":"d=e"}', 'a.b', { c: 'd=e' }],
    ['a.b=x=y', 'a.b', 'x=y'],
    ['a.b=01', 'a.b', '01'],
  ])('%s', (text, path, value) => {
    expect(parseOverride(text)).toEqual({ path, value });
  });

  test.each(['optim.lr', '=1', 'optim.lr=', ''])('refuses "%s"', (text) => {
    expect(() => parseOverride(text)).toThrow(/is not PATH=VALUE. Write it as in optim.lr=0.6/);
  });
});
