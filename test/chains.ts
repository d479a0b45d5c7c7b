import * as tf from '@tensorflow/tfjs-core';

/** A chain of operations on a tensor of this shape; a link that does not fit its input's shape is skipped. */
export interface Chain {
  readonly shape: readonly number[];
  readonly links: readonly {
    /** A key of {@link steps}. */
    readonly op: string;
    /** Four random numbers that decide axes, sizes and the like. */
    readonly choice: readonly number[];
  }[];
  readonly seed: number;
}

interface Context {
  readonly x: tf.Tensor;
  /** The random numbers of the link. */
  readonly choice: readonly number[];
  /** A tensor of this shape, with at most 256 numbers, taken from the second input. */
  readonly other: (shape: readonly number[]) => tf.Tensor;
}

interface ChainStep {
  /** Whether the step can be applied to this shape. */
  readonly fits?: (shape: readonly number[]) => boolean;
  /** TF.js cannot differentiate it. */
  readonly isFlat?: true;
  readonly apply: (context: Context) => tf.Tensor;
}

const rank = (wanted: number) => (shape: readonly number[]) => shape.length === wanted;
const small = (limit: number) => (shape: readonly number[]) =>
  shape.reduce((product, extent) => product * extent, 1) <= limit;
const atLeast = (wanted: number) => (shape: readonly number[]) => shape.length >= wanted;

const four = (t: tf.Tensor): tf.Tensor4D => t as tf.Tensor4D;

const three = (t: tf.Tensor): tf.Tensor3D => t as tf.Tensor3D;

function pick<T>(from: readonly T[], by: number): T {
  return from[by % from.length];
}

/** Some axes of a shape, at least one. */
function axesOf({ x, choice }: Context): number[] {
  const axes = x.shape.map((_, axis) => axis).filter((axis) => (choice[1] >> axis) % 2 === 0);
  return axes.length > 0 ? axes : [0];
}

/** A shape that broadcasts against that of x: some axes are 1, some leading ones are missing. */
function broadcastShape({ x, choice }: Context): number[] {
  const kept = x.shape.map((extent, axis) => ((choice[1] >> axis) % 2 === 0 ? extent : 1));
  return kept.slice(choice[2] % (x.rank + 1));
}

/** A boolean for each element, with a gradient of zero: TF.js has none for comparisons. */
function mask(x: tf.Tensor, threshold: number): tf.Tensor {
  const compare = tf.customGrad((t) => ({
    value: (t as tf.Tensor).greater(threshold).cast('float32'),
    gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
  }));
  return compare(x).cast('bool');
}

const elementwise: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  neg: (x) => x.neg(),
  abs: (x) => x.add(0.013).abs(),
  relu: (x) => x.relu(),
  relu6: (x) => x.mul(3).relu6(),
  leakyRelu: (x) => x.leakyRelu(0.2),
  elu: (x) => x.elu(),
  selu: (x) => x.selu(),
  sigmoid: (x) => x.sigmoid(),
  tanh: (x) => x.tanh(),
  softplus: (x) => x.softplus(),
  exp: (x) => x.clipByValue(-3, 3).exp(),
  log: (x) => x.square().add(1).log(),
  sqrt: (x) => x.square().add(0.5).sqrt(),
  rsqrt: (x) => x.square().add(0.5).rsqrt(),
  square: (x) => x.tanh().square(),
  sin: (x) => x.sin(),
  erf: (x) => x.erf(),
  reciprocal: (x) => x.abs().add(1).reciprocal(),
  castBack: (x) => x.cast('float32'),
  clone: (x) => x.clone(),
};

const reductions: Readonly<
  Record<string, (x: tf.Tensor, axes: number[], keep: boolean) => tf.Tensor>
> = {
  sum: (x, axes, keep) => x.sum(axes, keep),
  mean: (x, axes, keep) => x.mean(axes, keep),
  max: (x, axes, keep) => x.max(axes, keep),
  min: (x, axes, keep) => x.min(axes, keep),
  prod: (x, axes, keep) => x.tanh().add(0.05).prod(axes, keep),
  logSumExp: (x, axes, keep) => x.logSumExp(axes, keep),
  variance: (x, axes, keep) => tf.moments(x, axes, keep).variance,
};

const binary: Readonly<Record<string, (x: tf.Tensor, y: tf.Tensor) => tf.Tensor>> = {
  add: (x, y) => x.add(y),
  sub: (x, y) => y.sub(x),
  mul: (x, y) => x.mul(y),
  div: (x, y) => x.div(y.square().add(0.5)),
  pow: (x, y) => x.abs().add(0.5).pow(y),
};

/** For two tensors of the same shape: TF.js does not reduce these gradients to the shape of a broadcast input. */
const alike: typeof binary = {
  maximum: (x, y) => x.maximum(y),
  minimum: (x, y) => x.minimum(y),
  squaredDifference: (x, y) => x.squaredDifference(y).tanh(),
};

/** The links that a chain is made of, by name. */
export const steps: ReadonlyMap<string, ChainStep> = new Map<string, ChainStep>([
  ...Object.entries(elementwise).map(([name, body]): [string, ChainStep] => [
    name,
    { apply: ({ x }) => body(x) },
  ]),
  ...Object.entries(reductions).map(([name, body]): [string, ChainStep] => [
    name,
    {
      fits: atLeast(1),
      apply: (context) => body(context.x, axesOf(context), context.choice[2] % 2 === 0),
    },
  ]),
  ...Object.entries(binary).map(([name, body]): [string, ChainStep] => [
    name,
    {
      fits: small(256),
      apply: (context) => body(context.x, context.other(broadcastShape(context))),
    },
  ]),
  ...Object.entries(alike).map(([name, body]): [string, ChainStep] => [
    name,
    { fits: small(256), apply: ({ x, other }) => body(x, other(x.shape)) },
  ]),
  [
    'matMul',
    {
      fits: rank(2),
      apply: ({ x, choice: [, a, b, c], other }) => {
        const [rows, columns] = x.shape;
        const [transposeA, transposeB] = [b % 2 === 0, c % 2 === 0];
        const [inner, outer] = [transposeA ? rows : columns, 1 + (a % 5)];
        const y = other(transposeB ? [outer, inner] : [inner, outer]);
        return tf.matMul(x, y, transposeA, transposeB);
      },
    },
  ],
  [
    // With equal batch sizes: TF.js does not reduce the gradient of a matrix that is broadcast over a batch.
    'matMul of batches',
    {
      fits: rank(3),
      apply: ({ x, choice: [, a], other }) => {
        const [batch, , inner] = three(x).shape;
        return tf.matMul(x, other([batch, inner, 1 + (a % 4)]));
      },
    },
  ],
  [
    'conv2d',
    {
      fits: rank(4),
      apply: ({ x, choice: [, a, b, c], other }) => {
        const [, height, width, channels] = four(x).shape;
        const window: [number, number] = [
          1 + (a % Math.min(3, height)),
          1 + (b % Math.min(3, width)),
        ];
        const filter = other([...window, channels, 1 + (c % 3)]);
        const isValid = b % 2 === 0;
        return tf.conv2d(four(x), four(filter), 1 + (a % 2), isValid ? 'valid' : 'same');
      },
    },
  ],
  [
    'conv2d, dilated',
    {
      fits: rank(4),
      isFlat: true,
      apply: ({ x, choice: [, a, b], other }) => {
        const filter = other([1 + (a % 3), 1 + (b % 3), four(x).shape[3], 2]);
        return tf.conv2d(four(x), four(filter), 1, 'same', 'NHWC', 2);
      },
    },
  ],
  [
    'conv2dTranspose',
    {
      fits: (shape) => rank(4)(shape) && small(200)(shape),
      apply: ({ x, choice: [, a, b], other }) => {
        const [batch, height, width, channels] = four(x).shape;
        const [stride, out] = [1 + (a % 2), 1 + (b % 3)];
        return tf.conv2dTranspose(
          four(x),
          four(other([2, 2, out, channels])),
          [batch, height * stride, width * stride, out],
          stride,
          'same',
        );
      },
    },
  ],
  [
    'maxPool',
    {
      fits: rank(4),
      apply: ({ x, choice: [, a, b] }) => tf.maxPool(four(x), 1 + (a % 3), 1 + (b % 2), 'same'),
    },
  ],
  [
    'avgPool',
    {
      fits: rank(4),
      apply: ({ x, choice: [, a, b] }) => tf.avgPool(four(x), 1 + (a % 3), 1 + (b % 2), 'same'),
    },
  ],
  [
    'batchNorm',
    {
      fits: rank(4),
      apply: ({ x, other }) => {
        const channels = [four(x).shape[3]];
        return tf.batchNorm(
          x,
          other(channels),
          other(channels).square().add(0.1),
          other(channels),
          other(channels),
        );
      },
    },
  ],
  [
    'resizeBilinear',
    {
      fits: (shape) => rank(4)(shape) && small(200)(shape),
      apply: ({ x, choice: [, a, b] }) =>
        tf.image.resizeBilinear(four(x), [1 + (a % 6), 1 + (b % 6)]),
    },
  ],
  [
    'reshape',
    {
      apply: ({ x, choice: [, a] }) =>
        x.reshape(pick([[-1], [1, -1], [x.size, 1], x.shape.toReversed()], a)),
    },
  ],
  [
    'to rank 4',
    {
      apply: ({ x }) =>
        x.reshape(
          [1, 1, 1, 1].slice(Math.min(x.rank, 4)).concat(x.rank > 4 ? [1, 1, 1, x.size] : x.shape),
        ),
    },
  ],
  ['to rank 2', { apply: ({ x }) => x.reshape([x.shape[0] ?? 1, -1]) }],
  [
    'expandDims',
    {
      fits: (shape) => shape.length < 4,
      apply: ({ x, choice: [, a] }) => x.expandDims(a % (x.rank + 1)),
    },
  ],
  ['squeeze', { apply: ({ x }) => x.squeeze() }],
  [
    'transpose',
    {
      fits: atLeast(1),
      apply: ({ x, choice: [, a] }) => {
        const turn = a % x.rank;
        const axes = x.shape.map((_, axis) => axis);
        return x.transpose([...axes.slice(turn), ...axes.slice(0, turn)]);
      },
    },
  ],
  [
    'slice',
    {
      fits: atLeast(1),
      apply: ({ x, choice: [, a, b] }) => {
        const begin = x.shape.map((extent, axis) => (a >> axis) % extent);
        return x.slice(
          begin,
          x.shape.map((extent, axis) => 1 + ((b >> axis) % (extent - begin[axis]))),
        );
      },
    },
  ],
  [
    'stridedSlice',
    {
      fits: atLeast(1),
      isFlat: true,
      apply: ({ x, choice: [, a] }) =>
        x.stridedSlice(
          x.shape.map(() => 0),
          [...x.shape],
          x.shape.map((_, axis) => 1 + ((a >> axis) % 2)),
        ),
    },
  ],
  [
    'concat',
    {
      fits: (shape) => atLeast(1)(shape) && small(250)(shape),
      apply: ({ x, choice: [, a], other }) => tf.concat([x, other(x.shape), x], a % x.rank),
    },
  ],
  [
    'pad',
    {
      fits: (shape) => atLeast(1)(shape) && small(250)(shape),
      apply: ({ x, choice: [, a, b] }) =>
        x.pad(
          x.shape.map((_, axis): [number, number] => [(a >> axis) % 3, (b >> axis) % 2]),
          (a % 3) / 4,
        ),
    },
  ],
  [
    'tile',
    {
      fits: (shape) => atLeast(1)(shape) && small(250)(shape),
      apply: ({ x, choice: [, a] }) => x.tile(x.shape.map((_, axis) => 1 + ((a >> axis) % 2))),
    },
  ],
  [
    'broadcastTo',
    {
      fits: (shape) => shape.length < 4 && small(250)(shape),
      apply: ({ x, choice: [, a] }) => x.broadcastTo([1 + (a % 3), ...x.shape]),
    },
  ],
  [
    'reverse',
    {
      fits: (shape) => atLeast(1)(shape) && shape.length <= 4,
      apply: (context) => context.x.reverse(axesOf(context)),
    },
  ],
  [
    'stack',
    {
      fits: (shape) => shape.length < 4 && small(250)(shape),
      apply: ({ x, choice: [, a], other }) => tf.stack([x, other(x.shape)], a % (x.rank + 1)),
    },
  ],
  [
    'unstack',
    {
      fits: atLeast(1),
      // TF.js fails to take the gradient of a single part.
      apply: ({ x, choice: [, a, b] }) =>
        x.shape[a % x.rank] < 2 ? x : pick(tf.unstack(x, a % x.rank), b),
    },
  ],
  [
    'split',
    {
      fits: atLeast(1),
      apply: ({ x, choice: [, a] }) => {
        const axis = a % x.rank;
        const extent = x.shape[axis];
        if (extent < 2) return x;
        const [head, tail] = tf.split(x, [1, extent - 1], axis);
        return tf.concat([tail, head], axis);
      },
    },
  ],
  [
    'gather',
    {
      fits: atLeast(1),
      apply: ({ x, choice: [, a, b, c] }) => {
        const axis = a % x.rank;
        const indices = [a, b, c].map((n) => n % x.shape[axis]);
        return tf.gather(x, tf.tensor1d(indices, 'int32'), axis);
      },
    },
  ],
  [
    'gather of the largest',
    {
      fits: atLeast(1),
      isFlat: true,
      apply: ({ x }) =>
        tf.gather(x, x.flatten().argMax(0).mod(tf.scalar(x.shape[0], 'int32')).reshape([1])),
    },
  ],
  [
    'where',
    {
      fits: small(256),
      apply: ({ x, choice: [, a], other }) =>
        tf.where(mask(x, (a % 10) / 10 - 0.513), x, other(x.shape)),
    },
  ],
  [
    'where of other',
    {
      fits: small(256),
      apply: ({ x, other }) => tf.where(other(x.shape).less(0.1), x.neg(), x.mul(2)),
      isFlat: true,
    },
  ],
  [
    'oneHot',
    {
      fits: (shape) => shape.length < 4 && small(80)(shape),
      isFlat: true,
      apply: ({ x }) => tf.oneHot(x.mul(3).floor().cast('int32'), 3).cast('float32'),
    },
  ],
  ['cast to int32', { isFlat: true, apply: ({ x }) => x.mul(7.7).cast('int32').cast('float32') }],
  [
    'comparisons',
    {
      fits: small(256),
      isFlat: true,
      apply: ({ x, other }) => x.greater(other(x.shape)).logicalAnd(x.less(0.513)).cast('float32'),
    },
  ],
  [
    'topk',
    {
      fits: atLeast(1),
      isFlat: true,
      apply: ({ x, choice: [, a] }) => tf.topk(x, 1 + (a % (x.shape[x.rank - 1] ?? 1))).values,
    },
  ],
  [
    'cumsum',
    {
      fits: atLeast(1),
      // Along the last axis: for others, TF.js returns a gradient of the wrong shape.
      apply: ({ x, choice: [, a, b] }) => x.cumsum(x.rank - 1, a % 2 === 0, b % 2 === 0),
    },
  ],
  ['softmax', { fits: atLeast(1), apply: ({ x }) => x.softmax() }],
  ['logSoftmax', { fits: atLeast(1), apply: ({ x }) => x.logSoftmax() }],
  [
    'einsum',
    { fits: rank(2), isFlat: true, apply: ({ x }) => tf.einsum('ij,kj->ik', x, x).mul(0.3) },
  ],
  ['clipByValue', { apply: ({ x }) => x.clipByValue(-0.613, 0.713) }],
  [
    'norm',
    {
      fits: atLeast(1),
      apply: ({ x, choice: [, a] }) => x.add(0.05).norm('euclidean', a % x.rank, true),
    },
  ],
]);

/** Larger tensors are truncated to this many elements, so that a chain stays small. */
const largest = 600;

/**
 * Runs a chain on x, which has the chain's shape; `w` has 256 numbers that serve as weights and the like.
 *
 * @param isDifferentiated skips the steps for which TF.js has no gradient
 */
export function runChain(
  { links }: Chain,
  x: tf.Tensor,
  w: tf.Tensor,
  isDifferentiated: boolean,
): tf.Tensor {
  let current = x;
  for (const { op, choice } of links) {
    const step = steps.get(op) as ChainStep;
    if (isDifferentiated && step.isFlat === true) continue;
    if (step.fits?.(current.shape) === false) continue;
    const other = (shape: readonly number[]): tf.Tensor => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      return w.slice([choice[3] % (257 - size)], [size]).reshape([...shape]);
    };
    current = step.apply({ x: current, choice, other });
    if (current.size > largest) current = current.flatten().slice([0], [largest]);
  }
  // The result depends on every input.
  return current.mul(0.5).add(w.sum().add(x.sum()).mul(0.01));
}
