/**
 * cifar10-fast: training a small network on CIFAR-10 as fast as the hardware allows.
 *
 * The one public door: what notebooks and other programs import.
 */
export * as errors from './base/errors';
export { loadCifar10, classes } from './data/cifar10';
export type { Cifar10, Split } from './data/cifar10';
export { readHardware, fastestPrecision, hardwareLine } from './engine/hardware';
export { loadTensorflow } from './engine/tensorflow';
export { catalogue, findExperiment } from './experiments/catalogue';
export { scaled } from './experiments/scale';
export { networkOf, prepareRun, resultOf } from './experiments/run';
export { build } from './graph/build';
export { dot } from './graph/dot';
export { svg } from './graph/svg';
export { resnet9 } from './models/resnet9';
export { createTrainer } from './train/loop';
export type { EpochRow, Progress, Trainer, Training, Watch } from './train/loop';
export { createRng } from './base/rng';
export type { Rng } from './base/rng';
export type { Experiment, Scale } from './experiments/record';
export type { AnyLayer } from './nn/network';
export type { Graph, Layer, Net } from './graph/spec';
