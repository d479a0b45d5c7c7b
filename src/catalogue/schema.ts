import { z } from 'zod';
import { plainName, plainNameExpected } from '../base/plain-name';
import type {
  DataConfig,
  Experiment,
  LossConfig,
  NetConfig,
  OptimConfig,
  RunConfig,
} from './experiment';

/** The parts of a record that decide what is computed. */
export type Trained = Pick<Experiment, 'net' | 'loss' | 'data' | 'optim' | 'run'>;

// The message of each check is what was expected, to be put after "expected".
const whole = (least: number): z.ZodType<number> => {
  const expected = `a whole number of at least ${least}`;
  return z.int(expected).min(least, expected);
};
const number = z.number('a number');
const positive = z.number('a positive number').positive('a positive number');
const fromZero = z.number('a number of at least 0').min(0, 'a number of at least 0');
const belowOne = fromZero.lt(1, 'a number below 1');
const truth = z.boolean('true or false');
const oneOf = <const T extends string>(words: readonly T[]): z.ZodType<T> =>
  z.enum(words, `one of ${words.join(', ')}`);
const list = <T>(item: z.ZodType<T>): z.ZodType<T[]> => z.array(item, 'a list');

const widths = z.strictObject(
  { prep: whole(1), layer1: whole(1), layer2: whole(1), layer3: whole(1) },
  'an object of widths: prep, layer1, layer2, layer3',
);
const stages = list(oneOf(['layer1', 'layer2', 'layer3']));
const members = ['conv', 'norm', 'act', 'pool'] as const;
const activation = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('relu') }),
    z.strictObject({ kind: z.literal('celu'), alpha: positive }),
    z.strictObject({ kind: z.literal('softplus'), beta: positive, threshold: number }),
    z.strictObject({ kind: z.literal('shift-scale-relu') }),
    z.strictObject({ kind: z.literal('gelu') }),
    z.strictObject({ kind: z.literal('silu') }),
  ],
  'an activation, as in {"kind":"celu","alpha":0.3}',
);

const net: z.ZodType<NetConfig> = z.discriminatedUnion('model', [
  z.strictObject({
    model: z.literal('resnet9'),
    channels: widths,
    weight: number,
    extraLayers: stages,
    resLayers: stages,
  }),
  z.strictObject({
    model: z.literal('dawn'),
    block: oneOf(['res', 'pre-activation', 'pointwise', 'strided', 'max-pool']),
    channels: z.tuple([whole(1), whole(1), whole(1), whole(1)], 'a list of four widths'),
    prepBnRelu: truth,
    concatPool: truth,
  }),
  z.strictObject({
    model: z.literal('bag-of-tricks'),
    channels: widths,
    order: list(oneOf(members)).refine(
      (order) => order.toSorted().join() === members.toSorted().join(),
      `each of ${members.join(', ')} once`,
    ),
    celuAlpha: z.exactOptional(positive),
    splits: whole(1),
    isScaleFrozen: truth,
    isWhitened: truth,
    weight: number,
  }),
  z.strictObject({
    model: z.literal('new-dawn'),
    channels: widths,
    weight: number,
    splits: whole(1),
    alpha: positive,
  }),
  z.strictObject({
    model: z.literal('unbranched'),
    channels: widths,
    norm: oneOf(['before', 'after', 'none']),
    act: activation,
    extraLayers: stages,
    resLayers: stages,
  }),
  z.strictObject({
    model: z.literal('airbench'),
    channels: z.strictObject(
      { block1: whole(1), block2: whole(1), block3: whole(1) },
      'an object of widths: block1, block2, block3',
    ),
    act: oneOf(['gelu', 'silu']),
    normMomentum: fromZero.max(1, 'a number of at most 1'),
    weight: number,
    whiteningImages: whole(0),
    init: z.exactOptional(oneOf(['dirac', 'uniform'])),
    isHeadStandardised: z.exactOptional(truth),
  }),
]);

const loss: z.ZodType<LossConfig> = z.union([
  z.strictObject({ smoothing: fromZero.max(1, 'a number of at most 1') }),
  z.strictObject({ xentWeight: fromZero, klWeight: fromZero }),
]);

const data: z.ZodType<DataConfig> = z.strictObject({
  subset: z.exactOptional(
    z.strictObject({ train: whole(1), valid: whole(1) }, 'an object of train and valid'),
  ),
  transforms: list(
    z.discriminatedUnion(
      'kind',
      [
        z.strictObject({ kind: z.literal('crop'), height: whole(1), width: whole(1) }),
        z.strictObject({ kind: z.literal('flip-lr'), isAlternating: z.exactOptional(truth) }),
        z.strictObject({ kind: z.literal('cutout'), height: whole(1), width: whole(1) }),
      ],
      'an augmentation, as in {"kind":"cutout","height":8,"width":8}',
    ),
  ),
  pad: whole(0),
  scheme: oneOf(['per-example', 'groups']),
  maxOptions: whole(1),
  batchSize: whole(1),
  dropLast: truth,
  jitter: z.exactOptional(
    z.strictObject(
      { brightness: fromZero, contrast: belowOne },
      'an object of brightness and contrast',
    ),
  ),
  sizes: z.exactOptional(
    list(
      z.strictObject({ from: fromZero, size: whole(16) }, 'a stage, as in {"from":0,"size":24}'),
    ),
  ),
  validBatchSize: z.exactOptional(whole(1)),
});

const rule = oneOf(['nesterov-a', 'nesterov-b', 'lars', 'muon']);
const schedule = z.strictObject(
  { knots: list(number), vals: list(fromZero) },
  'a schedule, as in {"knots":[0,5,24],"vals":[0,0.4,0]}',
);
const muon = z.strictObject(
  {
    iterations: whole(1),
    coefficients: z.tuple([number, number, number], 'a list of three numbers'),
    rescale: z.union([
      z.literal('every-step'),
      z.strictObject({ first: z.number().min(1), growth: fromZero }),
    ]),
  },
  'an object of iterations, coefficients, rescale',
);
const optim: z.ZodType<OptimConfig> = z.strictObject({
  rule,
  groups: list(
    z.strictObject(
      {
        includes: z.string('a part of a path, as in "bias"'),
        rule: z.exactOptional(rule),
        lrFactor: fromZero,
        weightDecayFactor: fromZero,
        lr: z.exactOptional(schedule),
        weightDecay: z.exactOptional(fromZero),
        momentum: z.exactOptional(belowOne),
        epochs: z.exactOptional(fromZero),
        muon: z.exactOptional(muon),
      },
      'a group, as in {"includes":"bias","lrFactor":64,"weightDecayFactor":0.015625}',
    ),
  ),
  momentum: belowOne,
  weightDecay: fromZero,
  lr: z.strictObject(
    { knots: list(number), vals: list(fromZero) },
    'a number, or a schedule as in {"knots":[0,5,24],"vals":[0,0.4,0]}',
  ),
  ema: z.exactOptional(
    z.strictObject(
      { momentum: belowOne, updateFreq: whole(1) },
      'an object of momentum, updateFreq',
    ),
  ),
  firstStep: z.exactOptional(z.literal([0, 1], '0 or 1')),
  lookahead: z.exactOptional(
    z.strictObject(
      { decay: belowOne, every: whole(1), from: z.exactOptional(fromZero) },
      'an object of decay, every, from',
    ),
  ),
});

const run: z.ZodType<RunConfig> = z.strictObject({
  epochs: positive,
  tta: z.union(
    [truth, z.literal('six-views'), z.literal('six-views-if-unsure')],
    'true, false, "six-views" or "six-views-if-unsure"',
  ),
  midwayImages: z.exactOptional(whole(1)),
  finalTta: z.exactOptional(truth),
  mayDiverge: z.exactOptional(truth),
});

/** What those parts of a record may hold. */
export const trainedSchema: z.ZodType<Trained> = z.strictObject({ net, loss, data, optim, run });

const text = z.string('a text');

/** A whole experiment, as `run.json` holds it; fields that decide nothing may be missing. */
export const experimentSchema: z.ZodType<Trained & Pick<Experiment, 'name'>> = z.looseObject(
  {
    name: text.regex(plainName, plainNameExpected),
    scale: z.exactOptional(oneOf(['smoke', 'pocket', 'full'])),
    overrides: z.exactOptional(list(text)),
    published: z.exactOptional(
      z.looseObject(
        { accPercent: z.exactOptional(number), timeSec: z.exactOptional(number) },
        'an object of published figures',
      ),
    ),
    net,
    loss,
    data,
    optim,
    run,
  },
  'an object: the experiment',
);
