import * as tf from '@tensorflow/tfjs-core';

/** The inputs of {@link operations}: small, of every rank, away from kinks and ties. */
export type Inputs = {
  readonly [K in keyof typeof shapes]: tf.Tensor;
};

/** Shapes of the float inputs. `i` is int32 in 0..2, `b` is bool. */
export const shapes = {
  s: [],
  v: [6],
  w: [6],
  m: [3, 4],
  n: [4, 5],
  t: [2, 3, 4],
  x: [2, 5, 5, 3],
  k: [3, 3, 3, 2],
  y: [1, 4, 4, 4, 2],
  i: [4],
  b: [6],
} as const;

/** The result of an operation. */
export type Result =
  tf.Tensor | readonly (tf.Tensor | readonly tf.Tensor[])[] | Readonly<Record<string, tf.Tensor>>;

/** A TF.js operation called on {@link Inputs}; the name is that in `tf`, with its namespace. */
export type Operation = readonly [name: string, call: (inputs: Inputs) => Result];

/** An operation that cannot be captured, and its error message. */
export type RefusedOperation = readonly [
  name: string,
  call: (inputs: Inputs) => unknown,
  message: RegExp,
];

const four = (t: tf.Tensor): tf.Tensor4D => t as tf.Tensor4D;
const one = (t: tf.Tensor): tf.Tensor1D => t as tf.Tensor1D;
const two = (t: tf.Tensor): tf.Tensor2D => t as tf.Tensor2D;
const three = (t: tf.Tensor): tf.Tensor3D => t as tf.Tensor3D;
const five = (t: tf.Tensor): tf.Tensor5D => t as tf.Tensor5D;

/** Operations that can be captured; the result equals that of eager TF.js. */
export const operations: readonly Operation[] = [
  // One tensor, element by element.
  ...Object.entries({
    abs: tf.abs,
    acos: tf.acos,
    asin: tf.asin,
    asinh: tf.asinh,
    atan: tf.atan,
    atanh: tf.atanh,
    ceil: tf.ceil,
    cos: tf.cos,
    cosh: tf.cosh,
    elu: tf.elu,
    erf: tf.erf,
    exp: tf.exp,
    expm1: tf.expm1,
    floor: tf.floor,
    isFinite: tf.isFinite,
    isInf: tf.isInf,
    isNaN: tf.isNaN,
    logSigmoid: tf.logSigmoid,
    neg: tf.neg,
    onesLike: tf.onesLike,
    reciprocal: tf.reciprocal,
    relu: tf.relu,
    relu6: tf.relu6,
    round: tf.round,
    selu: tf.selu,
    sigmoid: tf.sigmoid,
    sign: tf.sign,
    sin: tf.sin,
    sinh: tf.sinh,
    softplus: tf.softplus,
    square: tf.square,
    step: tf.step,
    tan: tf.tan,
    tanh: tf.tanh,
    zerosLike: tf.zerosLike,
    clone: tf.clone,
  }).map(([name, call]): Operation => [name, ({ m }) => call(m)]),
  ['leakyRelu', ({ m }) => tf.leakyRelu(m, 0.1)],
  ...Object.entries({ log: tf.log, log1p: tf.log1p, sqrt: tf.sqrt, rsqrt: tf.rsqrt }).map(
    ([name, call]): Operation => {
      return [name, ({ m }) => call(m.abs())];
    },
  ),
  ['acosh', ({ m }) => tf.acosh(m.abs().add(1))],
  ['clipByValue', ({ m }) => tf.clipByValue(m, -0.3, 0.4)],
  ['prelu', ({ m }) => tf.prelu(m, tf.scalar(0.2))],
  ['cast', ({ m }) => [m.mul(10).cast('int32'), m.cast('bool'), m.greater(0).cast('float32')]],
  // Two tensors.
  ...Object.entries({
    add: tf.add,
    atan2: tf.atan2,
    div: tf.div,
    divNoNan: tf.divNoNan,
    equal: tf.equal,
    floorDiv: tf.floorDiv,
    greater: tf.greater,
    greaterEqual: tf.greaterEqual,
    less: tf.less,
    lessEqual: tf.lessEqual,
    maximum: tf.maximum,
    minimum: tf.minimum,
    mod: tf.mod,
    mul: tf.mul,
    notEqual: tf.notEqual,
    squaredDifference: tf.squaredDifference,
    sub: tf.sub,
  }).map(([name, call]): Operation => [name, ({ t, m }) => call(t, m)]),
  ['pow', ({ t, m }) => tf.pow(t.abs(), m)],
  ['addN', ({ m }) => tf.addN([m, m.neg(), m])],
  ['logicalAnd', ({ b }) => tf.logicalAnd(b, b)],
  ['logicalOr', ({ b }) => tf.logicalOr(b, b)],
  ['logicalXor', ({ b, v }) => tf.logicalXor(b, v.greater(0))],
  ['logicalNot', ({ b }) => tf.logicalNot(b)],
  ['where', ({ b, v, w }) => tf.where(b, v, w)],
  [
    'broadcastArgs',
    () => tf.broadcastArgs(tf.tensor1d([1, 3], 'int32'), tf.tensor1d([2, 1], 'int32')),
  ],
  // Matrices.
  ['matMul', ({ m, n, t }) => [tf.matMul(m, n), tf.matMul(t, t, false, true)]],
  ['dot', ({ v, w }) => tf.dot(v, w)],
  ['outerProduct', ({ v, w }) => tf.outerProduct(one(v), one(w))],
  ['einsum', ({ m, n }) => tf.einsum('ij,jk->ki', m, n)],
  ['diag', ({ v }) => tf.diag(v)],
  ['eye', () => tf.eye(3)],
  ['linalg.bandPart', ({ m }) => tf.linalg.bandPart(m, 1, 1)],
  ['linalg.gramSchmidt', ({ m }) => tf.linalg.gramSchmidt(two(m))],
  ['linalg.qr', ({ m }) => tf.linalg.qr(m)],
  [
    'fused.matMul',
    ({ m, n }) => tf.fused.matMul({ a: two(m), b: two(n), bias: tf.ones([5]), activation: 'relu' }),
  ],
  // Reductions.
  ...Object.entries({
    max: tf.max,
    mean: tf.mean,
    min: tf.min,
    prod: tf.prod,
    sum: tf.sum,
    logSumExp: tf.logSumExp,
    euclideanNorm: tf.euclideanNorm,
  }).map(([name, call]): Operation => {
    return [name, ({ t }) => [call(t), call(t, 1), call(t, [0, 2], true)]];
  }),
  [
    'norm',
    ({ t, m }) => [
      tf.norm(t),
      tf.norm(t, 1, 1),
      tf.norm(m, 'fro', [0, 1]),
      tf.norm(t, Infinity, 2),
    ],
  ],
  ['moments', ({ t }) => ({ ...tf.moments(t, [0, 2]) })],
  ['all', ({ b }) => tf.all(b)],
  ['any', ({ b }) => tf.any(b)],
  ['argMax', ({ m }) => tf.argMax(m, 1)],
  ['argMin', ({ m }) => tf.argMin(m, 0)],
  ['cumsum', ({ m }) => [tf.cumsum(m, 1), tf.cumsum(m, 0, true, true)]],
  ['cumprod', ({ m }) => tf.cumprod(m, 1)],
  ['topk', ({ m }) => ({ ...tf.topk(m, 2) })],
  ['bincount', ({ i }) => tf.bincount(one(i), tf.tensor1d([]), 3)],
  ['unsortedSegmentSum', ({ i, n }) => tf.unsortedSegmentSum(n, one(i), 3)],
  ['softmax', ({ m }) => tf.softmax(m)],
  ['logSoftmax', ({ m }) => tf.logSoftmax(m)],
  // Shapes.
  ['reshape', ({ t }) => tf.reshape(t, [4, -1])],
  ['expandDims', ({ m }) => tf.expandDims(m, 1)],
  ['squeeze', ({ m }) => tf.squeeze(m.reshape([1, 3, 1, 4]), [0])],
  ['transpose', ({ t }) => [tf.transpose(t), tf.transpose(t, [1, 0, 2])]],
  ['ensureShape', ({ m }) => tf.ensureShape(m, [3, 4])],
  ['broadcastTo', ({ n }) => tf.broadcastTo(n, [2, 4, 5])],
  ['tile', ({ m }) => tf.tile(m, [2, 3])],
  ['reverse', ({ t }) => [tf.reverse(t, 0), tf.reverse(t, [1, 2])]],
  ['reverse1d', ({ v }) => tf.reverse1d(one(v))],
  ['reverse2d', ({ m }) => tf.reverse2d(two(m), 1)],
  ['reverse3d', ({ t }) => tf.reverse3d(three(t), 1)],
  ['reverse4d', ({ x }) => tf.reverse4d(four(x), 2)],
  [
    'pad',
    ({ m }) =>
      tf.pad(
        m,
        [
          [1, 0],
          [0, 2],
        ],
        0.5,
      ),
  ],
  ['pad1d', ({ v }) => tf.pad1d(one(v), [1, 2])],
  [
    'pad2d',
    ({ m }) =>
      tf.pad2d(two(m), [
        [1, 0],
        [0, 2],
      ]),
  ],
  [
    'pad3d',
    ({ t }) =>
      tf.pad3d(three(t), [
        [1, 0],
        [0, 2],
        [0, 0],
      ]),
  ],
  [
    'pad4d',
    ({ x }) =>
      tf.pad4d(four(x), [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ]),
  ],
  [
    'mirrorPad',
    ({ m }) => [
      tf.mirrorPad(
        m,
        [
          [1, 1],
          [2, 0],
        ],
        'reflect',
      ),
      tf.mirrorPad(
        m,
        [
          [1, 1],
          [2, 0],
        ],
        'symmetric',
      ),
    ],
  ],
  ['concat', ({ m, t }) => [tf.concat([m, m.neg()], 1), tf.concat([t, t], 0)]],
  ['concat1d', ({ v, w }) => tf.concat1d([one(v), one(w)])],
  ['concat2d', ({ m }) => tf.concat2d([two(m), two(m)], 1)],
  ['concat3d', ({ t }) => tf.concat3d([three(t), three(t)], 2)],
  ['concat4d', ({ x }) => tf.concat4d([four(x), four(x)], 3)],
  ['stack', ({ v, w }) => [tf.stack([v, w]), tf.stack([v, w], 1)]],
  ['unstack', ({ t }) => tf.unstack(t, 1)],
  ['split', ({ v, m }) => [...tf.split(v, 3), ...tf.split(m, [1, 3], 1)]],
  ['slice', ({ t }) => tf.slice(t, [0, 1, 2], [2, -1, 1])],
  ['slice1d', ({ v }) => tf.slice1d(one(v), 1, 3)],
  ['slice2d', ({ m }) => tf.slice2d(two(m), [1, 0], [2, 2])],
  ['slice3d', ({ t }) => tf.slice3d(three(t), [1, 0, 0], [1, 2, 2])],
  ['slice4d', ({ x }) => tf.slice4d(four(x), [1, 0, 0, 0], [1, 2, 2, 1])],
  ['stridedSlice', ({ m }) => tf.stridedSlice(m, [0, 3], [3, 0], [2, -1])],
  ['gather', ({ n, i }) => [tf.gather(n, one(i)), tf.gather(n, one(i), 1)]],
  [
    'gatherND',
    ({ m }) =>
      tf.gatherND(
        m,
        tf.tensor2d(
          [
            [0, 1],
            [2, 3],
          ],
          [2, 2],
          'int32',
        ),
      ),
  ],
  [
    'scatterND',
    () => tf.scatterND(tf.tensor2d([[1], [3]], [2, 1], 'int32'), tf.tensor1d([5, 6]), [4]),
  ],
  [
    'tensorScatterUpdate',
    ({ v }) =>
      tf.tensorScatterUpdate(v, tf.tensor2d([[1], [3]], [2, 1], 'int32'), tf.tensor1d([5, 6])),
  ],
  [
    'sparseToDense',
    ({ v }) => tf.sparseToDense(tf.tensor1d([1, 3], 'int32'), v.slice(0, 2), [5], tf.scalar(0)),
  ],
  ['oneHot', ({ i }) => [tf.oneHot(i, 3), tf.oneHot(i, 3, 2, -1, 'float32')]],
  ['meshgrid', ({ v, i }) => tf.meshgrid(v, i)],
  ['depthToSpace', ({ y }) => tf.depthToSpace(four(y.reshape([2, 4, 4, 4])), 2)],
  [
    'spaceToBatchND',
    ({ y }) =>
      tf.spaceToBatchND(
        y.reshape([1, 4, 4, 8]),
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
  ],
  [
    'batchToSpaceND',
    ({ y }) =>
      tf.batchToSpaceND(
        y.reshape([4, 2, 2, 8]),
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
  ],
  // Made from numbers.
  ['scalar', () => tf.scalar(3)],
  ['tensor', () => tf.tensor([1, 2, 3, 4], [2, 2])],
  ['tensor1d', () => tf.tensor1d([1, 2])],
  ['tensor2d', () => tf.tensor2d([[1, 2]])],
  ['tensor3d', () => tf.tensor3d([[[1, 2]]])],
  ['tensor4d', () => tf.tensor4d([[[[1, 2]]]])],
  ['tensor5d', () => tf.tensor5d([[[[[1, 2]]]]])],
  ['tensor6d', () => tf.tensor6d([[[[[[1, 2]]]]]])],
  ['buffer', () => tf.buffer([2], 'float32', Float32Array.of(1, 2)).toTensor()],
  // oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- the first argument is a shape
  ['fill', () => tf.fill([2, 3], 7)],
  ['ones', () => tf.ones([2, 3])],
  ['zeros', () => tf.zeros([2, 3])],
  ['linspace', () => tf.linspace(0, 1, 5)],
  ['range', () => tf.range(0, 5)],
  ['signal.hammingWindow', () => tf.signal.hammingWindow(5)],
  ['signal.hannWindow', () => tf.signal.hannWindow(5)],
  // Convolutions and pools.
  ['conv1d', ({ t, m }) => tf.conv1d(three(t), three(m.reshape([1, 4, 3])), 1, 'same')],
  [
    'conv2d',
    ({ x, k }) => [
      tf.conv2d(four(x), four(k), 1, 'same'),
      tf.conv2d(four(x), four(k), 2, 'valid'),
      tf.conv2d(four(x), four(k), 1, [
        [0, 0],
        [1, 0],
        [0, 1],
        [0, 0],
      ]),
    ],
  ],
  [
    'conv2dTranspose',
    ({ x, k }) =>
      tf.conv2dTranspose(
        four(x.slice([0, 0, 0, 0], [2, 5, 5, 2])),
        four(k),
        [2, 10, 10, 3],
        2,
        'same',
      ),
  ],
  ['conv3d', ({ y }) => tf.conv3d(five(y), five(tf.ones([2, 2, 2, 2, 3])), 1, 'same')],
  [
    'conv3dTranspose',
    ({ y }) =>
      tf.conv3dTranspose(five(y), five(tf.ones([2, 2, 2, 3, 2])), [1, 8, 8, 8, 3], 2, 'same'),
  ],
  ['depthwiseConv2d', ({ x, k }) => tf.depthwiseConv2d(four(x), four(k), 1, 'same')],
  [
    'separableConv2d',
    ({ x, k }) => tf.separableConv2d(four(x), four(k), four(tf.ones([1, 1, 6, 4])), 1, 'same'),
  ],
  [
    'dilation2d',
    ({ x, k }) =>
      tf.dilation2d(four(x), three(k.slice([0, 0, 0, 0], [3, 3, 3, 1]).squeeze([3])), 1, 'same'),
  ],
  [
    'fused.conv2d',
    ({ x, k }) =>
      tf.fused.conv2d({
        x: four(x),
        filter: four(k),
        strides: 1,
        pad: 'same',
        bias: tf.ones([2]),
        activation: 'relu',
      }),
  ],
  [
    'fused.depthwiseConv2d',
    ({ x, k }) =>
      tf.fused.depthwiseConv2d({
        x: four(x),
        filter: four(k),
        strides: 1,
        pad: 'same',
        bias: tf.ones([6]),
        activation: 'relu',
      }),
  ],
  ['avgPool', ({ x }) => tf.avgPool(four(x), 2, 2, 'same')],
  ['maxPool', ({ x }) => tf.maxPool(four(x), 2, 2, 'valid')],
  ['avgPool3d', ({ y }) => tf.avgPool3d(five(y), 2, 2, 'same')],
  ['maxPool3d', ({ y }) => tf.maxPool3d(five(y), 2, 2, 'same')],
  ['pool', ({ x }) => tf.pool(four(x), 2, 'avg', 'same', 1, 2)],
  [
    'batchNorm',
    ({ x }) => tf.batchNorm(x, tf.zeros([3]), tf.ones([3]), tf.ones([3]), tf.ones([3])),
  ],
  ['batchNorm2d', ({ m }) => tf.batchNorm2d(two(m), one(tf.zeros([4])), one(tf.ones([4])))],
  ['batchNorm3d', ({ t }) => tf.batchNorm3d(three(t), one(tf.zeros([4])), one(tf.ones([4])))],
  ['batchNorm4d', ({ x }) => tf.batchNorm4d(four(x), one(tf.zeros([3])), one(tf.ones([3])))],
  ['localResponseNormalization', ({ x }) => tf.localResponseNormalization(four(x))],
  ['image.flipLeftRight', ({ x }) => tf.image.flipLeftRight(four(x))],
  ['image.grayscaleToRGB', ({ m }) => tf.image.grayscaleToRGB(three(m.reshape([3, 4, 1])))],
  ['image.rgbToGrayscale', ({ x }) => tf.image.rgbToGrayscale(four(x))],
  ['image.resizeNearestNeighbor', ({ x }) => tf.image.resizeNearestNeighbor(four(x), [7, 3])],
  ['image.resizeBilinear', ({ x }) => tf.image.resizeBilinear(four(x), [7, 3], true)],
  [
    'image.cropAndResize',
    ({ x }) =>
      tf.image.cropAndResize(
        four(x),
        tf.tensor2d([[0, 0, 0.5, 1]]),
        tf.tensor1d([1], 'int32'),
        [3, 3],
      ),
  ],
  [
    'image.threshold',
    ({ t }) =>
      tf.image.threshold(three(t.slice([0, 0, 0], [2, 3, 1]).mul(255)), 'binary', false, 0.5),
  ],
  // Losses and the like.
  ['losses.absoluteDifference', ({ v, w }) => tf.losses.absoluteDifference(v, w)],
  ['losses.computeWeightedLoss', ({ v, w }) => tf.losses.computeWeightedLoss(v, w.abs())],
  ['losses.cosineDistance', ({ m }) => tf.losses.cosineDistance(m, m.neg(), 1)],
  ['losses.hingeLoss', ({ v, b }) => tf.losses.hingeLoss(b.cast('float32'), v)],
  ['losses.huberLoss', ({ v, w }) => tf.losses.huberLoss(v, w)],
  ['losses.logLoss', ({ v, b }) => tf.losses.logLoss(b.cast('float32'), v.sigmoid())],
  ['losses.meanSquaredError', ({ v, w }) => tf.losses.meanSquaredError(v, w)],
  ['losses.sigmoidCrossEntropy', ({ v, b }) => tf.losses.sigmoidCrossEntropy(b.cast('float32'), v)],
  ['losses.softmaxCrossEntropy', ({ m }) => tf.losses.softmaxCrossEntropy(m.softmax(), m)],
  ['math.confusionMatrix', ({ i }) => tf.math.confusionMatrix(one(i), one(i), 3)],
  ['movingAverage', ({ v, w }) => tf.movingAverage(v, w, 0.9, 3)],
  [
    'basicLSTMCell',
    ({ m }) =>
      tf.basicLSTMCell(
        tf.scalar(1),
        two(tf.ones([6, 8])),
        one(tf.ones([8])),
        two(m),
        two(tf.ones([3, 2])),
        two(tf.ones([3, 2])),
      ),
  ],
  [
    'multiRNNCell',
    ({ m }) => {
      const cell = (
        data: tf.Tensor2D,
        c: tf.Tensor2D,
        h: tf.Tensor2D,
      ): [tf.Tensor2D, tf.Tensor2D] =>
        tf.basicLSTMCell(tf.scalar(1), two(tf.ones([6, 8])), one(tf.ones([8])), data, c, h);
      const [c, h] = tf.multiRNNCell(
        [cell],
        two(m),
        [two(tf.ones([3, 2]))],
        [two(tf.ones([3, 2]))],
      );
      return [...c, ...h];
    },
  ],
  // Complex numbers.
  ['complex', ({ v, w }) => tf.real(tf.complex(v, w))],
  ['real', ({ v, w }) => tf.real(tf.complex(v, w))],
  ['imag', ({ v, w }) => tf.imag(tf.complex(v, w))],
  ['fft', ({ v, w }) => tf.real(tf.fft(tf.complex(v, w)))],
  ['ifft', ({ v, w }) => tf.real(tf.ifft(tf.complex(v, w)))],
  ['rfft', ({ v }) => tf.imag(tf.rfft(v))],
  ['irfft', ({ v, w }) => tf.irfft(tf.complex(v, w))],
  ['signal.frame', ({ v }) => tf.signal.frame(one(v), 4, 2)],
  ['signal.stft', ({ v }) => tf.real(tf.signal.stft(one(v), 4, 2))],
];

const depends =
  /^capture: ".*" cannot record ".*": the shape of output \d depends on values \(\[-1\]\)/;
const reads =
  /^capture: data\(\) was called while recording ".*"; the value exists only when the graph runs/;
const random = /^capture: ".*" draws random numbers/;
const text =
  /^capture: ".*" uses a string tensor .*; a recording supports only numbers and booleans/;

const boxes = (): [tf.Tensor2D, tf.Tensor1D] => [
  tf.tensor2d([
    [0, 0, 1, 1],
    [0, 0, 0.9, 1],
  ]),
  tf.tensor1d([0.5, 0.9]),
];
/** Operations that cannot be captured. docs/engine.md lists them. */
export const refused: readonly RefusedOperation[] = [
  ['unique', ({ v }) => tf.unique(v), depends],
  ['image.nonMaxSuppression', () => tf.image.nonMaxSuppression(...boxes(), 2), depends],
  [
    'image.nonMaxSuppressionWithScore',
    () => tf.image.nonMaxSuppressionWithScore(...boxes(), 2),
    depends,
  ],
  ['image.nonMaxSuppressionPadded', () => tf.image.nonMaxSuppressionPadded(...boxes(), 2), depends],
  [
    'image.nonMaxSuppressionAsync',
    async () => tf.image.nonMaxSuppressionAsync(...boxes(), 2),
    reads,
  ],
  [
    'image.nonMaxSuppressionWithScoreAsync',
    async () => tf.image.nonMaxSuppressionWithScoreAsync(...boxes(), 2),
    reads,
  ],
  [
    'image.nonMaxSuppressionPaddedAsync',
    async () => tf.image.nonMaxSuppressionPaddedAsync(...boxes(), 2),
    reads,
  ],
  ['whereAsync', async ({ b }) => tf.whereAsync(b), reads],
  ['booleanMaskAsync', async ({ b, v }) => tf.booleanMaskAsync(v, b), reads],
  ['inTopKAsync', async ({ m, i }) => tf.inTopKAsync(m, i.slice(0, 3), 1), reads],
  ['setdiff1dAsync', async ({ v, w }) => tf.setdiff1dAsync(v, w), reads],
  ['print', ({ v }) => v.print(), /^capture: dataSync\(\) was called/],
  ['dropout', ({ v }) => tf.dropout(v, 0.5), random],
  ['rand', () => tf.rand([2], Math.random), random],
  ['randomGamma', () => tf.randomGamma([2], 1), random],
  ['randomNormal', () => tf.randomNormal([2]), random],
  ['randomStandardNormal', () => tf.randomStandardNormal([2]), random],
  ['randomUniform', () => tf.randomUniform([2]), random],
  ['randomUniformInt', () => tf.randomUniformInt([2], 0, 9), random],
  ['truncatedNormal', () => tf.truncatedNormal([2]), random],
  ['multinomial', ({ v }) => tf.multinomial(one(v), 3), random],
  ['string.staticRegexReplace', () => tf.string.staticRegexReplace('ab', 'a', 'b'), text],
];

/** Operations for which TF.js has no kernel in Node, captured or not. */
export const withoutKernel: ReadonlySet<string> = new Set([
  'bitwiseAnd',
  'denseBincount',
  'searchSorted',
  'lowerBound',
  'upperBound',
  'maxPoolWithArgmax',
  'image.rotateWithOffset',
  'image.transform',
  'raggedRange',
  'raggedGather',
  'raggedTensorToTensor',
  'sparse.sparseFillEmptyRows',
  'sparse.sparseReshape',
  'sparse.sparseSegmentMean',
  'sparse.sparseSegmentSum',
  'string.stringNGrams',
  'string.stringSplit',
  'string.stringToHashBucketFast',
]);

/** Optimisers of TF.js: they keep their state in their own variables, which cannot be captured. */
export const optimisers = {
  sgd: () => tf.train.sgd(0.1),
  momentum: () => tf.train.momentum(0.1, 0.9),
  rmsprop: () => tf.train.rmsprop(0.1),
  adam: () => tf.train.adam(),
  adadelta: () => tf.train.adadelta(),
  adamax: () => tf.train.adamax(),
  adagrad: () => tf.train.adagrad(0.1),
} as const;

/** Functions of TF.js that are not operations on tensors. */
export const noOperations: ReadonlySet<string> = new Set(
  (
    'backend copyRegisteredKernels cosineWindow customGrad deprecationWarn disableDeprecationWarnings dispose ' +
    'disposeVariables enableDebugMode enableProdMode enclosingPowerOfTwo engine env findBackend findBackendFactory ' +
    'getBackend getGradient getKernel getKernelsForBackend grad grads keep memory nextFrame op profile ready ' +
    'registerBackend registerGradient registerKernel removeBackend setBackend setPlatform sumOutType tidy time train ' +
    'unregisterGradient unregisterKernel upcastType valueAndGrad valueAndGrads variable variableGrads'
  ).split(' '),
);
