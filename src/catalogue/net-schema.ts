import { z } from 'zod';
import type { NetConfig } from './experiment';
import { about, fromZero, list, number, oneOf, positive, truth, whole } from './schema-parts';

const width = (of: string): z.ZodType<number> => about(whole(1), `width of ${of}`, 'channels');

const widths = about(
  z.strictObject(
    {
      prep: width('the first convolution'),
      layer1: width('stage 1'),
      layer2: width('stage 2'),
      layer3: width('stage 3'),
    },
    'an object of widths: prep, layer1, layer2, layer3',
  ),
  'output channels of each stage',
  'channels',
);

const stages = list(oneOf(['layer1', 'layer2', 'layer3']));
const extraLayers = about(stages, 'stages with one more convolution');
const resLayers = about(stages, 'stages with a residual block');
const weight = about(number, 'factor of the logits');
const splits = about(whole(1), 'parts of a batch that batch norm normalises separately; 1: plain');
const model = <const T extends string>(name: T): z.ZodLiteral<T> =>
  about(z.literal(name), 'the kind of network; fixed by the experiment');

const members = ['conv', 'norm', 'act', 'pool'] as const;

const kind = <const T extends string>(name: T): z.ZodLiteral<T> =>
  about(z.literal(name), 'the kind of function');

/** An activation, as `net.act`. */
const activation = about(
  z.discriminatedUnion(
    'kind',
    [
      z.strictObject({ kind: kind('relu') }),
      z.strictObject({ kind: kind('celu'), alpha: about(positive, 'x where the curve bends') }),
      z.strictObject({
        kind: kind('softplus'),
        beta: about(positive, 'sharpness of the bend'),
        threshold: about(number, 'linear where beta x is above'),
      }),
      z.strictObject({ kind: kind('shift-scale-relu') }),
      z.strictObject({ kind: kind('gelu') }),
      z.strictObject({ kind: kind('silu') }),
    ],
    'an activation, as in {"kind":"celu","alpha":0.3}',
  ),
  'the activation, as in {"kind":"celu","alpha":0.3}',
);

/** The schema of every network that an experiment can have. */
export const netSchema: z.ZodType<NetConfig> = z.discriminatedUnion('model', [
  z.strictObject({ model: model('resnet9'), channels: widths, weight, extraLayers, resLayers }),
  z.strictObject({
    model: model('dawn'),
    block: about(
      oneOf(['res', 'pre-activation', 'pointwise', 'strided', 'max-pool']),
      'the block that stages are built of',
    ),
    channels: about(
      z.tuple(
        [width('stage 1'), width('stage 2'), width('stage 3'), width('stage 4')],
        'a list of four widths',
      ),
      'output channels of each stage',
      'channels',
    ),
    prepBnRelu: about(truth, 'batch norm and ReLU after the first convolution'),
    concatPool: about(truth, 'end with maximum and mean side by side, not with the maximum alone'),
  }),
  z.strictObject({
    model: model('bag-of-tricks'),
    channels: widths,
    order: about(
      list(oneOf(members)).refine(
        (order) => order.toSorted().join() === members.toSorted().join(),
        `each of ${members.join(', ')} once`,
      ),
      'order within a stage',
    ),
    celuAlpha: about(z.exactOptional(positive), 'alpha of the CELUs; default: ReLU'),
    splits,
    isScaleFrozen: about(truth, 'keep the scales of batch norms at 1'),
    isWhitened: about(truth, 'start with a fixed convolution that whitens patches'),
    weight,
  }),
  z.strictObject({
    model: model('new-dawn'),
    channels: widths,
    weight,
    splits,
    alpha: about(positive, 'alpha of the CELUs'),
  }),
  z.strictObject({
    model: model('unbranched'),
    channels: widths,
    norm: about(
      oneOf(['before', 'after', 'none']),
      'position of batch norm relative to the activation',
    ),
    act: activation,
    extraLayers,
    resLayers,
  }),
  z.strictObject({
    model: model('airbench'),
    channels: about(
      z.strictObject(
        { block1: width('block 1'), block2: width('block 2'), block3: width('block 3') },
        'an object of widths: block1, block2, block3',
      ),
      'output channels of each block',
      'channels',
    ),
    act: about(oneOf(['gelu', 'silu']), 'activation of the blocks'),
    normMomentum: about(
      fromZero.max(1, 'a number of at most 1'),
      'share of a batch in the running statistics of batch norm',
    ),
    weight,
    whiteningImages: about(
      whole(0),
      'first training images that whitening is computed from; 0: none, a random kernel',
    ),
    init: about(
      z.exactOptional(oneOf(['dirac', 'uniform'])),
      'start of the kernels; default: dirac',
    ),
    isHeadStandardised: about(
      z.exactOptional(truth),
      'start the head with standard deviation 1; default: true',
    ),
  }),
]);
