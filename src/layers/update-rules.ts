import * as tf from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';

/** The numbers of an optimiser that are constants of a recording; the learning rate is fed. */
export type Settings = Readonly<Record<string, number | boolean>>;

/** Tensors that an optimiser keeps: for each weight by slot, or for all weights together. */
export type Tensors = Readonly<Record<string, tf.Tensor>>;

/** What an optimiser keeps for each weight. */
export interface Slot {
  /** The member of TF.js's optimiser that holds these tensors, a list in the order of the weights. */
  readonly member: string;
  /** Suffix of the tensor's name, after the name of the weight. */
  readonly suffix: string;
  readonly initial: number;
}

/** A number that an optimiser keeps for all weights and updates in every step. */
export interface Counter {
  /** The member of TF.js's optimiser that holds it, a scalar. */
  readonly member: string;
  readonly initial: number;
}

/** The new value of a weight, and those of its slots by member. */
export interface Update {
  readonly weight: tf.Tensor;
  readonly slots: Tensors;
}

/**
 * How a TF.js 4.22 optimiser updates a weight, as pure functions: the same operations in the same order, so that float32
 * rounds identically.
 */
export interface UpdateRule {
  readonly slots: readonly Slot[];
  readonly counters: readonly Counter[];
  /** The step of one weight. `lr` is a scalar; weight, gradient and slots have the same shape. */
  update(
    weight: tf.Tensor,
    gradient: tf.Tensor,
    slots: Tensors,
    counters: Tensors,
    lr: tf.Tensor,
  ): Update;
  /** The counters after a step. */
  advance(counters: Tensors): Tensors;
}

type MakeRule = (settings: Settings) => UpdateRule;

const unchanged = (): Tensors => ({});

const sgd: MakeRule = () => ({
  slots: [],
  counters: [],
  update: (weight, gradient, _slots, _counters, lr) => ({
    weight: tf.add(tf.mul(tf.neg(lr), gradient), weight),
    slots: {},
  }),
  advance: unchanged,
});

const momentum: MakeRule = ({ momentum: decay, useNesterov }) => ({
  slots: [{ member: 'accumulations', suffix: 'momentum', initial: 0 }],
  counters: [],
  update: (weight, gradient, { accumulations }, _counters, lr) => {
    const next = tf.add(tf.mul(Number(decay), accumulations), gradient);
    const step = useNesterov === true ? tf.add(gradient, tf.mul(next, Number(decay))) : next;
    return { weight: tf.add(tf.mul(tf.neg(lr), step), weight), slots: { accumulations: next } };
  },
  advance: unchanged,
});

const adagrad: MakeRule = ({ initialAccumulatorValue }) => ({
  slots: [
    { member: 'accumulatedGrads', suffix: 'accumulator', initial: Number(initialAccumulatorValue) },
  ],
  counters: [],
  update: (weight, gradient, { accumulatedGrads }, _counters, lr) => {
    const next = tf.add(accumulatedGrads, tf.square(gradient));
    const direction = tf.div(gradient, tf.sqrt(tf.add(next, tf.backend().epsilon())));
    return {
      weight: tf.add(tf.mul(direction, tf.neg(lr)), weight),
      slots: { accumulatedGrads: next },
    };
  },
  advance: unchanged,
});

/** TF.js divides by the average of squared gradients *before* this step, unlike Zeiler's paper and Keras. */
const adadelta: MakeRule = ({ rho: decay, epsilon: given }) => {
  const [rho, epsilon] = [Number(decay), Number(given)];
  return {
    slots: [
      { member: 'accumulatedGrads', suffix: 'accum_grad', initial: 0 },
      { member: 'accumulatedUpdates', suffix: 'accum_var', initial: 0 },
    ],
    counters: [],
    update: (weight, gradient, { accumulatedGrads, accumulatedUpdates }, _counters, lr) => {
      const nextGrads = tf.add(tf.mul(accumulatedGrads, rho), tf.mul(tf.square(gradient), 1 - rho));
      const updates = tf.mul(
        tf.div(
          tf.sqrt(tf.add(accumulatedUpdates, epsilon)),
          tf.sqrt(tf.add(accumulatedGrads, epsilon)),
        ),
        gradient,
      );
      const nextUpdates = tf.add(
        tf.mul(accumulatedUpdates, rho),
        tf.mul(tf.square(updates), 1 - rho),
      );
      return {
        weight: tf.add(tf.mul(updates, tf.neg(lr)), weight),
        slots: { accumulatedGrads: nextGrads, accumulatedUpdates: nextUpdates },
      };
    },
    advance: unchanged,
  };
};

const rmsprop: MakeRule = (settings) => {
  const [decay, momentum, epsilon] = ['decay', 'momentum', 'epsilon'].map((name) =>
    Number(settings[name]),
  );
  const isCentered = settings['centered'] === true;
  return {
    slots: [
      { member: 'accumulatedMeanSquares', suffix: 'rms', initial: 0 },
      { member: 'accumulatedMoments', suffix: 'momentum', initial: 0 },
      ...(isCentered ? [{ member: 'accumulatedMeanGrads', suffix: 'mg', initial: 0 }] : []),
    ],
    counters: [],
    update: (weight, gradient, slots, _counters, lr) => {
      const square = tf.add(
        tf.mul(slots['accumulatedMeanSquares'], decay),
        tf.mul(tf.square(gradient), 1 - decay),
      );
      const mean = isCentered
        ? tf.add(tf.mul(slots['accumulatedMeanGrads'], decay), tf.mul(gradient, 1 - decay))
        : undefined;
      const spread =
        mean === undefined
          ? tf.add(square, epsilon)
          : tf.sub(square, tf.add(tf.square(mean), epsilon));
      const moments = tf.add(
        tf.mul(slots['accumulatedMoments'], momentum),
        tf.div(tf.mul(gradient, lr), tf.sqrt(spread)),
      );
      return {
        weight: tf.sub(weight, moments),
        slots: {
          accumulatedMeanSquares: square,
          accumulatedMoments: moments,
          ...(mean === undefined ? {} : { accumulatedMeanGrads: mean }),
        },
      };
    },
    advance: unchanged,
  };
};

const adam: MakeRule = (settings) => {
  const [beta1, beta2, epsilon] = ['beta1', 'beta2', 'epsilon'].map((name) =>
    Number(settings[name]),
  );
  return {
    slots: [
      { member: 'accumulatedFirstMoment', suffix: 'm', initial: 0 },
      { member: 'accumulatedSecondMoment', suffix: 'v', initial: 0 },
    ],
    counters: [
      { member: 'accBeta1', initial: beta1 },
      { member: 'accBeta2', initial: beta2 },
    ],
    update: (
      weight,
      gradient,
      { accumulatedFirstMoment, accumulatedSecondMoment },
      { accBeta1, accBeta2 },
      lr,
    ) => {
      const first = tf.add(tf.mul(accumulatedFirstMoment, beta1), tf.mul(gradient, 1 - beta1));
      const second = tf.add(
        tf.mul(accumulatedSecondMoment, beta2),
        tf.mul(tf.square(gradient), 1 - beta2),
      );
      const direction = tf.div(
        tf.div(first, tf.sub(1, accBeta1)),
        tf.add(tf.sqrt(tf.div(second, tf.sub(1, accBeta2))), epsilon),
      );
      return {
        weight: tf.add(tf.mul(direction, tf.neg(lr)), weight),
        slots: { accumulatedFirstMoment: first, accumulatedSecondMoment: second },
      };
    },
    advance: ({ accBeta1, accBeta2 }) => ({
      accBeta1: tf.mul(accBeta1, beta1),
      accBeta2: tf.mul(accBeta2, beta2),
    }),
  };
};

const adamax: MakeRule = (settings) => {
  const [beta1, beta2, epsilon, decay] = ['beta1', 'beta2', 'epsilon', 'decay'].map((name) =>
    Number(settings[name]),
  );
  return {
    slots: [
      { member: 'accumulatedFirstMoment', suffix: 'm', initial: 0 },
      { member: 'accumulatedWeightedInfNorm', suffix: 'v', initial: 0 },
    ],
    counters: [
      { member: 'accBeta1', initial: beta1 },
      { member: 'iteration', initial: 0 },
    ],
    update: (
      weight,
      gradient,
      { accumulatedFirstMoment, accumulatedWeightedInfNorm },
      { accBeta1, iteration },
      lr,
    ) => {
      const rate = tf.div(tf.neg(lr), tf.add(tf.mul(iteration, decay), 1));
      const first = tf.add(tf.mul(accumulatedFirstMoment, beta1), tf.mul(gradient, 1 - beta1));
      const norm = tf.maximum(tf.mul(accumulatedWeightedInfNorm, beta2), tf.abs(gradient));
      return {
        weight: tf.add(
          tf.mul(tf.div(rate, tf.sub(1, accBeta1)), tf.div(first, tf.add(norm, epsilon))),
          weight,
        ),
        slots: { accumulatedFirstMoment: first, accumulatedWeightedInfNorm: norm },
      };
    },
    advance: ({ accBeta1, iteration }) => ({
      accBeta1: tf.mul(accBeta1, beta1),
      iteration: tf.add(iteration, 1),
    }),
  };
};

/** By TF.js class name. */
const rules: Readonly<Record<string, MakeRule>> = {
  SGD: sgd,
  Momentum: momentum,
  Adagrad: adagrad,
  Adadelta: adadelta,
  RMSProp: rmsprop,
  Adam: adam,
  Adamax: adamax,
};

/**
 * The update rule of a TF.js optimiser class.
 *
 * @param className as `getClassName()` gives it
 * @param settings as `getConfig()` gives them
 * @throws OptimError for a class that TF.js does not have
 */
export function updateRule(className: string, settings: Settings): UpdateRule {
  const make = Object.hasOwn(rules, className) ? rules[className] : undefined;
  if (make === undefined) {
    throw new OptimError(
      `accelerate: the optimiser "${className}" is unknown; known: ${Object.keys(rules).join(', ')}. ` +
        'Compile the model with one of tf.train, or pass { fallback: true } to train it eagerly.',
    );
  }
  return make(settings);
}

/**
 * Adds decoupled weight decay to a rule: the weight shrinks by lr * decay, and the gradient is not affected. With Adam
 * this is AdamW.
 *
 * @see Loshchilov and Hutter, Decoupled Weight Decay Regularization, arXiv:1711.05101 (2019)
 */
export function withWeightDecay(rule: UpdateRule, decay: number): UpdateRule {
  if (decay === 0) return rule;
  return {
    ...rule,
    update: (weight, gradient, slots, counters, lr) =>
      rule.update(tf.mul(weight, tf.sub(1, tf.mul(lr, decay))), gradient, slots, counters, lr),
  };
}
