// A small model for every layer class of TF.js, and every optimiser. The equality test and the table in docs/engine.md train
// them with model.fit and with accelerate.
import * as tf from '@tensorflow/tfjs-core';
import { input as makeInput, layers, model as connect } from '@tensorflow/tfjs-layers';

const image = [6, 6, 3];
const sequence = [5, 4];
const volume = [4, 4, 4, 2];
const film = [3, 5, 5, 2];

/** One layer on one input. */
const unary = (name, shape, make, options = {}) => ({
  name,
  shape,
  apply: (x) => make().apply(x),
  ...options,
});

/** A layer that merges two branches. */
const merge = (name, make, options = {}) => ({
  name,
  shape: [4],
  apply: (x) =>
    make().apply([layers.dense({ units: 3 }).apply(x), layers.dense({ units: 3 }).apply(x)]),
  ...options,
});

/**
 * Cases by class name. `isWhole` inputs are integers that go directly to the layer. `isRandom` layers draw random numbers, so
 * only settings without randomness can be compared. `fails` says why TF.js itself cannot train the layer.
 */
export const layerCases = [
  unary('Activation', [4], () => layers.activation({ activation: 'softplus' })),
  merge('Add', () => layers.add()),
  unary('AlphaDropout', [4], () => layers.alphaDropout({ rate: 0 }), { isRandom: true }),
  merge('Average', () => layers.average()),
  unary('AveragePooling1D', sequence, () => layers.averagePooling1d({ poolSize: 2 })),
  unary('AveragePooling2D', image, () => layers.averagePooling2d({ poolSize: 2 })),
  unary('AveragePooling3D', volume, () => layers.averagePooling3d({ poolSize: 2 })),
  unary('BatchNormalization', image, () => layers.batchNormalization({ momentum: 0.8 })),
  unary('BatchNormalization, axis 1', image, () => layers.batchNormalization({ axis: 1 }), {
    fails: 'the gradient reshapes to the wrong shape',
  }),
  unary('BatchNormalization of vectors', [4], () => layers.batchNormalization()),
  unary('Bidirectional', sequence, () =>
    layers.bidirectional({ layer: layers.lstm({ units: 3 }), mergeMode: 'concat' }),
  ),
  unary('CategoryEncoding', [5], () => layers.categoryEncoding({ numTokens: 5 }), {
    isWhole: true,
    fails: 'no kernel DenseBincount in Node',
  }),
  unary('CenterCrop', image, () => layers.centerCrop({ height: 4, width: 4 }), {
    fails: 'no gradient of CropAndResize',
  }),
  merge('Concatenate', () => layers.concatenate()),
  unary('Conv1D', sequence, () =>
    layers.conv1d({ filters: 3, kernelSize: 3, padding: 'same', activation: 'relu' }),
  ),
  unary('Conv2D', image, () =>
    layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }),
  ),
  unary('Conv2DTranspose', image, () =>
    layers.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' }),
  ),
  unary('Conv3D', volume, () => layers.conv3d({ filters: 2, kernelSize: 2 })),
  unary('Conv3DTranspose', volume, () => layers.conv3dTranspose({ filters: 2, kernelSize: 2 }), {
    fails: 'no gradient of Conv3DBackpropInputV2',
  }),
  unary('ConvLSTM2D', film, () => layers.convLstm2d({ filters: 2, kernelSize: 3 })),
  unary('ConvLSTM2DCell', film, () =>
    layers.convLstm2d({ filters: 2, kernelSize: 2, returnSequences: true }),
  ),
  unary('Cropping2D', image, () => layers.cropping2D({ cropping: 1 })),
  unary('Dense', [4], () =>
    layers.dense({ units: 3, activation: 'tanh', kernelRegularizer: 'l1l2' }),
  ),
  unary('DepthwiseConv2D', image, () => layers.depthwiseConv2d({ kernelSize: 3 })),
  merge('Dot', () => layers.dot({ axes: 1 })),
  unary('Dropout', [4], () => layers.dropout({ rate: 0.5, seed: 7 })),
  unary('ELU', [4], () => layers.elu()),
  unary('Embedding', [5], () => layers.embedding({ inputDim: 7, outputDim: 3 }), { isWhole: true }),
  unary('Flatten', image, () => layers.flatten()),
  unary('GRU', sequence, () => layers.gru({ units: 3 })),
  unary('GRUCell', sequence, () => layers.rnn({ cell: layers.gruCell({ units: 3 }) })),
  unary('GaussianDropout', [4], () => layers.gaussianDropout({ rate: 0 }), { isRandom: true }),
  unary('GaussianNoise', [4], () => layers.gaussianNoise({ stddev: 0 }), { isRandom: true }),
  unary('GlobalAveragePooling1D', sequence, () => layers.globalAveragePooling1d({})),
  unary('GlobalAveragePooling2D', image, () => layers.globalAveragePooling2d({})),
  unary('GlobalMaxPooling1D', sequence, () => layers.globalMaxPooling1d()),
  unary('GlobalMaxPooling2D', image, () => layers.globalMaxPooling2d({})),
  unary('LSTM', sequence, () => layers.lstm({ units: 3, returnSequences: true })),
  unary('LSTMCell', sequence, () => layers.rnn({ cell: layers.lstmCell({ units: 3 }) })),
  unary('LayerNormalization', [4], () => layers.layerNormalization()),
  unary('LeakyReLU', [4], () => layers.leakyReLU({ alpha: 0.2 })),
  {
    name: 'Masking',
    shape: sequence,
    isRaw: true,
    apply: (x) => layers.lstm({ units: 3 }).apply(layers.masking({ maskValue: 0 }).apply(x)),
  },
  unary('MaxPooling1D', sequence, () => layers.maxPooling1d({ poolSize: 2 })),
  unary('MaxPooling2D', image, () => layers.maxPooling2d({ poolSize: 2 })),
  unary('MaxPooling3D', volume, () => layers.maxPooling3d({ poolSize: 2 })),
  merge('Maximum', () => layers.maximum()),
  merge('Minimum', () => layers.minimum()),
  merge('Multiply', () => layers.multiply()),
  unary('PReLU', [4], () => layers.prelu({ alphaInitializer: 'ones' })),
  unary('Permute', sequence, () => layers.permute({ dims: [2, 1] })),
  unary('RNN', sequence, () =>
    layers.rnn({ cell: [layers.simpleRNNCell({ units: 3 }), layers.lstmCell({ units: 2 })] }),
  ),
  unary('RandomWidth', image, () => layers.randomWidth({ factor: 0.2 }), {
    fails: 'the width of its output is unknown to the next layer',
  }),
  unary('ReLU', [4], () => layers.reLU({ maxValue: 1 })),
  unary('RepeatVector', [4], () => layers.repeatVector({ n: 3 })),
  unary('Rescaling', [4], () => layers.rescaling({ scale: 0.5, offset: 1 })),
  unary('Reshape', image, () => layers.reshape({ targetShape: [9, 12] })),
  unary('Resizing', image, () => layers.resizing({ height: 4, width: 4 }), {
    fails: 'it passes its list of inputs to an operation that takes one tensor',
  }),
  unary('SeparableConv2D', image, () => layers.separableConv2d({ filters: 3, kernelSize: 3 })),
  unary('SimpleRNN', sequence, () => layers.simpleRNN({ units: 3 })),
  unary('SimpleRNNCell', sequence, () => layers.rnn({ cell: layers.simpleRNNCell({ units: 3 }) })),
  unary('Softmax', [4], () => layers.softmax()),
  unary('SpatialDropout1D', sequence, () => layers.spatialDropout1d({ rate: 0.5, seed: 7 })),
  unary('StackedRNNCells', sequence, () =>
    layers.rnn({
      cell: layers.stackedRNNCells({
        cells: [layers.gruCell({ units: 3 }), layers.gruCell({ units: 2 })],
      }),
    }),
  ),
  unary('ThresholdedReLU', [4], () => layers.thresholdedReLU({ theta: 0.1 }), {
    fails: 'no gradient of Greater',
  }),
  unary('TimeDistributed', sequence, () =>
    layers.timeDistributed({ layer: layers.dense({ units: 3 }) }),
  ),
  unary('UpSampling2D', image, () => layers.upSampling2d({})),
  unary('ZeroPadding2D', image, () => layers.zeroPadding2d({})),
];

/** Every optimiser of TF.js, with settings that differ from the defaults if it has any. */
export const optimiserCases = [
  ['SGD', () => tf.train.sgd(0.02)],
  ['Momentum', () => tf.train.momentum(0.02, 0.8)],
  ['Nesterov', () => tf.train.momentum(0.02, 0.8, true)],
  ['Adagrad', () => tf.train.adagrad(0.05, 0.2)],
  ['Adadelta', () => tf.train.adadelta(0.02, 0.9, 1e-4)],
  ['RMSProp', () => tf.train.rmsprop(0.002, 0.8, 0.5, 1e-3)],
  ['RMSProp centered', () => tf.train.rmsprop(0.002, 0.8, 0.5, 1e-9, true)],
  ['Adam', () => tf.train.adam(0.01, 0.8, 0.95, 1e-3)],
  ['Adamax', () => tf.train.adamax(0.01, 0.8, 0.95, 1e-3, 0.1)],
];

/** Five steps: with 36 examples four batches of eight and one of four, with 40 five of eight. */
export const training = { batchSize: 8, epochs: 1, verbose: 0, shuffle: false };

/** The case's model, compiled: a dense layer, the layer, a dense layer. Its weights are the same in every call. */
export function makeModel({ shape, apply, isWhole = false, isRaw = false }, optimizer) {
  const input = makeInput({ shape });
  const before =
    isWhole || isRaw ? input : layers.dense({ units: shape.at(-1), useBias: false }).apply(input);
  let output = apply(before);
  // Outputs of images or sequences have several axes, and a dense layer cannot take an axis of unknown size.
  if (output.shape.includes(null, 1)) output = layers.globalAveragePooling2d({}).apply(output);
  if (output.shape.length > 2) output = layers.flatten().apply(output);
  output = layers.dense({ units: 2 }).apply(output);
  const model = connect({ inputs: input, outputs: output });
  model.compile({ optimizer, loss: 'meanSquaredError', metrics: ['mae'] });
  const random = pseudoRandom(1);
  const weights = model.getWeights().map((weight) => {
    // Moving variances must not be negative.
    const values = Float32Array.from({ length: weight.size }, () => 0.2 + 0.6 * random());
    const scale = 1 / Math.sqrt(weight.size / (weight.shape.at(-1) ?? 1));
    const signs = Float32Array.from(
      values,
      (value, index) => (index % 3 === 1 ? -1 : 1) * value * scale,
    );
    return tf.tensor(weight.rank > 1 ? signs : values, weight.shape);
  });
  model.setWeights(weights);
  tf.dispose(weights);
  return model;
}

/** Inputs and targets of a case; dispose them. */
export function makeData({ name, shape, isWhole = false }, examples = 36) {
  const random = pseudoRandom(2);
  const size = shape.reduce((product, extent) => product * extent, examples);
  const numbers = Float32Array.from({ length: size }, () => {
    return isWhole ? Math.floor(random() * 5) : 2 * random() - 1;
  });
  // A sequence whose last steps are masked.
  if (name === 'Masking') {
    for (let example = 0; example < examples; example += 2) {
      numbers.fill(0, (example * 5 + 3) * 4, (example * 5 + 5) * 4);
    }
  }
  const targets = Float32Array.from({ length: examples * 2 }, () => random());
  return { x: tf.tensor(numbers, [examples, ...shape]), y: tf.tensor(targets, [examples, 2]) };
}

/** The largest difference of two models' weights, relative to the weight if that is above 1. NaN equals NaN. */
export function worstDeviation(one, other) {
  const others = other.getWeights();
  return one.getWeights().reduce((worst, weight, index) => {
    const [a, b] = [weight.dataSync(), others[index].dataSync()];
    return a.reduce((most, value, place) => {
      if (Object.is(value, b[place])) return most;
      const difference = Math.abs(value - b[place]) / Math.max(1, Math.abs(value));
      return Number.isNaN(difference) ? Infinity : Math.max(most, difference);
    }, worst);
  }, 0);
}

/** Reproducible numbers in [0, 1) (Park and Miller's generator). */
function pseudoRandom(seed) {
  let state = seed * 7919;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
