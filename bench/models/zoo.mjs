// The models that `npm run bench -- --models` trains, in tf.layers; bench/peers/models_torch.py has the same in PyTorch.
// Importing this module does not load TensorFlow; `make` takes TF.js as an argument.

const convBlock = (tf, filters, options = {}) => [
  tf.layers.conv2d({ filters, kernelSize: 3, padding: 'same', useBias: false, ...options }),
  tf.layers.batchNormalization(),
  tf.layers.reLU(),
];

/** For each model: its data, the size of a batch and of an epoch, and how it is built and compiled. */
export const zoo = {
  convnet: {
    kind: 'convnet',
    what: 'six convolutions with batch norm, 32x32 images',
    unit: 'images',
    shape: [32, 32, 3],
    classes: 10,
    batch: 256,
    batches: 2,
    make: (tf) => {
      const pool = () => tf.layers.maxPooling2d({ poolSize: 2 });
      return tf.sequential({
        layers: [
          ...convBlock(tf, 32, { inputShape: [32, 32, 3] }),
          ...convBlock(tf, 32),
          pool(),
          ...convBlock(tf, 64),
          ...convBlock(tf, 64),
          pool(),
          ...convBlock(tf, 128),
          ...convBlock(tf, 128),
          tf.layers.globalAveragePooling2d({}),
          tf.layers.dense({ units: 10, activation: 'softmax' }),
        ],
      });
    },
    compile: (tf) => ({
      optimizer: tf.train.adam(1e-3),
      loss: 'categoricalCrossentropy',
      metrics: ['accuracy'],
    }),
  },
  mnist: {
    kind: 'convnet',
    what: "TF.js's MNIST example for Node",
    unit: 'images',
    shape: [28, 28, 1],
    classes: 10,
    batch: 512,
    batches: 2,
    make: (tf) => {
      const conv = (filters, options = {}) =>
        tf.layers.conv2d({ filters, kernelSize: 3, activation: 'relu', ...options });
      return tf.sequential({
        layers: [
          conv(32, { inputShape: [28, 28, 1] }),
          conv(32),
          tf.layers.maxPooling2d({ poolSize: [2, 2] }),
          conv(64),
          conv(64),
          tf.layers.maxPooling2d({ poolSize: [2, 2] }),
          tf.layers.flatten(),
          tf.layers.dropout({ rate: 0.25 }),
          tf.layers.dense({ units: 512, activation: 'relu' }),
          tf.layers.dropout({ rate: 0.5 }),
          tf.layers.dense({ units: 10, activation: 'softmax' }),
        ],
      });
    },
    compile: (tf) => ({
      optimizer: tf.train.rmsprop(1e-3),
      loss: 'categoricalCrossentropy',
      metrics: ['accuracy'],
    }),
  },
  tabular: {
    kind: 'mlp',
    what: 'eight dense layers of 256, 64 columns',
    unit: 'rows',
    shape: [64],
    classes: 2,
    batch: 128,
    batches: 40,
    make: (tf) =>
      tf.sequential({
        layers: [
          tf.layers.dense({ units: 256, activation: 'relu', inputShape: [64] }),
          ...Array.from({ length: 7 }, () => tf.layers.dense({ units: 256, activation: 'relu' })),
          tf.layers.dense({ units: 2, activation: 'softmax' }),
        ],
      }),
    compile: (tf) => ({
      optimizer: tf.train.adam(1e-3),
      loss: 'categoricalCrossentropy',
      metrics: ['accuracy'],
    }),
  },
  text: {
    kind: 'recurrent',
    what: 'embedding and LSTM of 64, texts of 40 words of 2,000',
    unit: 'rows',
    shape: [40],
    words: 2000,
    classes: 2,
    batch: 64,
    batches: 8,
    make: (tf) =>
      tf.sequential({
        layers: [
          tf.layers.embedding({ inputDim: 2000, outputDim: 64, inputLength: 40 }),
          tf.layers.lstm({ units: 64, recurrentActivation: 'sigmoid' }),
          tf.layers.dense({ units: 2, activation: 'softmax' }),
        ],
      }),
    compile: (tf) => ({
      optimizer: tf.train.adam(1e-3),
      loss: 'categoricalCrossentropy',
      metrics: ['accuracy'],
    }),
  },
};

/** Random inputs and one-hot targets of an epoch. */
export function makeData(tf, { shape, words, classes }, examples) {
  const x =
    words === undefined
      ? tf.randomUniform([examples, ...shape])
      : tf.randomUniform([examples, ...shape], 0, words, 'int32').toFloat();
  const labels = tf.randomUniform([examples], 0, classes, 'int32');
  const y = tf.oneHot(labels, classes).toFloat();
  labels.dispose();
  return { x, y };
}
