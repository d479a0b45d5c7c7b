import { z } from 'zod';
import { plainName, plainNameExpected } from '../base/plain-name';
import type { Schedule } from '../optim/schedule';
import type { DataConfig, Experiment, LossConfig, OptimConfig, RunConfig } from './experiment';
import { netSchema as net } from './net-schema';
import {
  about,
  belowOne,
  fromZero,
  list,
  number,
  oneOf,
  positive,
  truth,
  whole,
} from './schema-parts';

/** The parts of an experiment that determine what is computed. */
export type Trained = Pick<Experiment, 'net' | 'loss' | 'data' | 'optim' | 'run'>;

const loss: z.ZodType<LossConfig> = z.union([
  z.strictObject({
    smoothing: about(
      fromZero.max(1, 'a number of at most 1'),
      'label smoothing: weight of the uniform target',
    ),
  }),
  z.strictObject({
    xentWeight: about(fromZero, 'weight of the cross entropy'),
    klWeight: about(fromZero, 'weight of the cross entropy of the uniform target'),
  }),
]);

const pixels = (of: string): z.ZodType<number> => about(whole(1), of, 'pixels');
const transform = <const T extends string>(name: T): z.ZodLiteral<T> =>
  about(z.literal(name), 'the kind of augmentation');

const data: z.ZodType<DataConfig> = z.strictObject({
  subset: about(
    z.exactOptional(
      z.strictObject(
        {
          train: about(whole(1), 'first training images', 'images'),
          valid: about(whole(1), 'first test images', 'images'),
        },
        'an object of train and valid',
      ),
    ),
    'how many images are used; default: all',
    'images',
  ),
  transforms: about(
    list(
      about(
        z.discriminatedUnion(
          'kind',
          [
            z.strictObject({
              kind: transform('crop'),
              height: pixels('height of the window'),
              width: pixels('width of the window'),
            }),
            z.strictObject({
              kind: transform('flip-lr'),
              isAlternating: about(
                z.exactOptional(truth),
                'mirror each image in every second epoch; default: at random',
              ),
            }),
            z.strictObject({
              kind: transform('cutout'),
              height: pixels('height of the blanked box'),
              width: pixels('width of the blanked box'),
            }),
          ],
          'an augmentation, as in {"kind":"cutout","height":8,"width":8}',
        ),
        'an augmentation',
      ),
    ),
    'augmentations, in their order',
  ),
  pad: about(whole(0), 'reflect padding on each side, for crops', 'pixels'),
  scheme: about(
    oneOf(['per-example', 'groups']),
    'how augmentations are drawn: for each image, or for groups of equal size',
  ),
  maxOptions: about(whole(1), 'most options of one augmentation in an epoch, in scheme groups'),
  batchSize: about(whole(1), 'training images in a batch', 'images'),
  dropLast: about(truth, 'drop the last, smaller batch of an epoch'),
  jitter: about(
    z.exactOptional(
      z.strictObject(
        {
          brightness: about(fromZero, 'largest change of brightness', 'standard deviations'),
          contrast: about(belowOne, 'largest change of contrast, as a share'),
        },
        'an object of brightness and contrast',
      ),
    ),
    'random brightness and contrast; default: none',
  ),
  sizes: about(
    z.exactOptional(
      list(
        about(
          z.strictObject(
            {
              from: about(fromZero, 'when the stage starts', 'epochs'),
              size: about(whole(16), 'side of the images', 'pixels'),
            },
            'a stage, as in {"from":0,"size":24}',
          ),
          'a stage of image sizes',
        ),
      ),
    ),
    'sizes of training images over the run; default: no resampling',
  ),
  validBatchSize: about(
    z.exactOptional(whole(1)),
    'test images in a batch; default: data.batchSize',
    'images',
  ),
});

const rules = oneOf(['nesterov-a', 'nesterov-b', 'lars', 'muon']);
const rates = (what: string, message: string): z.ZodType<Schedule> =>
  about(
    z.strictObject(
      {
        knots: about(list(number), 'times of the values; straight lines between them', 'epochs'),
        vals: about(list(fromZero), 'rates at these times'),
      },
      message,
    ),
    what,
  );
const example = '{"knots":[0,5,24],"vals":[0,0.4,0]}';
const schedule = rates('rate over epochs, of this group', `a schedule, as in ${example}`);
const decay = 'L2 penalty of the mean loss of a batch';
const muon = z.strictObject(
  {
    iterations: about(whole(1), 'Newton-Schulz iterations of an update'),
    coefficients: about(
      z.tuple([number, number, number], 'a list of three numbers'),
      'a, b, c of an iteration',
    ),
    rescale: about(
      z.union([
        z.literal('every-step'),
        z.strictObject({
          first: about(z.number().min(1), 'steps between the first two', 'steps'),
          growth: about(fromZero, 'how much that grows by the end of the run', 'steps'),
        }),
      ]),
      'when kernels are rescaled to norm sqrt(cout): "every-step", or at growing intervals',
    ),
  },
  'an object of iterations, coefficients, rescale',
);
const group = z.strictObject(
  {
    includes: about(
      z.string('a part of a path, as in "bias"'),
      'part of the paths of its tensors; "" is all',
    ),
    rule: about(z.exactOptional(rules), 'update rule; default: optim.rule'),
    lrFactor: about(fromZero, 'factor of the learning rate'),
    weightDecayFactor: about(fromZero, 'factor of weight decay'),
    lr: about(z.exactOptional(schedule), 'its own learning rate over epochs; default: optim.lr'),
    weightDecay: about(
      z.exactOptional(fromZero),
      'its own weight decay; default: optim.weightDecay',
    ),
    momentum: about(z.exactOptional(belowOne), 'its own momentum; default: optim.momentum'),
    epochs: about(z.exactOptional(fromZero), 'when the group is frozen; default: never', 'epochs'),
    muon: about(z.exactOptional(muon), 'constants of rule muon'),
  },
  'a group, as in {"includes":"bias","lrFactor":64,"weightDecayFactor":0.015625}',
);
const optim: z.ZodType<OptimConfig> = z.strictObject({
  rule: about(rules, 'update rule: Nesterov in the form of post 1 or 8, LARS, Muon'),
  groups: about(
    list(about(group, 'a group; the first that matches a tensor applies')),
    'tensors that are updated in their own way',
  ),
  momentum: about(belowOne, 'momentum of the update rule'),
  weightDecay: about(fromZero, decay),
  lr: rates(
    'learning rate for the mean loss of a batch; a number sets its highest value',
    `a number, or a schedule as in ${example}`,
  ),
  ema: about(
    z.exactOptional(
      z.strictObject(
        {
          momentum: about(belowOne, 'share of the average that a step keeps'),
          updateFreq: about(whole(1), 'steps between two updates', 'steps'),
        },
        'an object of momentum, updateFreq',
      ),
    ),
    'moving average of the weights, which is evaluated; default: none',
  ),
  firstStep: about(
    z.exactOptional(z.literal([0, 1], '0 or 1')),
    'where step 1 reads schedules: at its start (0) or end (1); default: 1',
  ),
  lookahead: about(
    z.exactOptional(
      z.strictObject(
        {
          decay: about(belowOne, 'share of the slow weights that an update keeps'),
          every: about(whole(1), 'steps between two updates', 'steps'),
          from: about(z.exactOptional(fromZero), 'when it starts; default: 0', 'epochs'),
        },
        'an object of decay, every, from',
      ),
    ),
    'average that the network itself is set to; default: none',
  ),
});

const run: z.ZodType<RunConfig> = z.strictObject({
  epochs: about(positive, 'length of the run; schedules are stretched with it', 'epochs'),
  tta: about(
    z.union(
      [truth, z.literal('six-views'), z.literal('six-views-if-unsure')],
      'true, false, "six-views" or "six-views-if-unsure"',
    ),
    'test-time augmentation: false, true (mirror image), "six-views" or "six-views-if-unsure"',
  ),
  midwayImages: about(
    z.exactOptional(whole(1)),
    'test images after every epoch but the last, without augmentation; default: all',
    'images',
  ),
  finalTta: about(
    z.exactOptional(truth),
    'evaluate once more with mirror images at the end; default: false',
  ),
  mayDiverge: about(
    z.exactOptional(truth),
    'a loss that is NaN ends the run without an error; default: false',
  ),
});

/** The schema of those parts. */
export const trainedSchema: z.ZodType<Trained> = z.strictObject({
  net: about(net, 'the network'),
  loss: about(loss, 'what is minimised'),
  data: about(data, 'images, augmentation, batches'),
  optim: about(optim, 'how weights are updated'),
  run: about(run, 'length and evaluation'),
});

const text = z.string('a string');

/** The schema of an experiment in `run.json`; fields that do not affect the result are optional. */
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
