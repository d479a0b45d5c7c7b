/**
 * cifar10-fast: training a small network on CIFAR-10 as fast as the hardware allows.
 *
 * The one public door: what notebooks and other programs import.
 */
export * as errors from './base/errors';
export { createRng } from './base/rng';
export type { Rng } from './base/rng';
export type { HostTensor } from './base/host-tensor';
export { classes, loadCifar10, subset, verifyCifar10 } from './data/cifar10';
export type { Cifar10, Split } from './data/cifar10';
export { fetchCifar10 } from './data/download';
export { mean, normalise, reflectPad, std, unnormalise } from './data/normalise';
export { readSafetensors, writeSafetensors } from './data/safetensors';
export { crop } from './augment/crop';
export { cutout } from './augment/cutout';
export { flipLR } from './augment/flip';
export { apply, options } from './augment/transform';
export type { Transform } from './augment/transform';
export { plan } from './augment/plan';
export { batchIndices, epochBatches } from './augment/batches';
export { gatherOracle, gatherTables } from './augment/gather';
export { build, paths } from './graph/build';
export { colourMap, legend } from './graph/colours';
export { counts, dot } from './graph/dot';
export { mapTypes, override, removeByType, reorder, union } from './graph/edit';
export type { Graph, Layer, Net } from './graph/spec';
export { svg } from './graph/svg';
export { Table, every } from './report/table';
export { summarise, summary, summaryText } from './report/stats';
export { tsv } from './report/tsv';
export { localtime } from './report/localtime';
export { fastestPrecision, hardwareLine, readHardware } from './engine/hardware';
export type { Hardware, Precision } from './engine/hardware';
export { createSession } from './engine/session';
export type { Session, SessionOptions, Step } from './engine/session';
export { loadTensorflow } from './engine/tensorflow';
export { celu, relu, shiftScaleRelu, softplus } from './nn/activation';
export { batchNorm, ghostBatchNorm } from './nn/batch-norm';
export { add, addWeighted, concat, flatten, identity, mul } from './nn/combine';
export { conv, linear } from './nn/conv';
export { crossEntropyLoss, labelSmoothingLoss } from './nn/loss';
export { countTrainable, initNetwork, runNetwork } from './nn/network';
export type { AnyLayer } from './nn/network';
export { avgPool, maxPool } from './nn/pool';
export { constant, piecewiseLinear, valueAt } from './optim/schedule';
export type { Schedule } from './optim/schedule';
export type { Ema } from './optim/ema';
export type { Group, Optimiser } from './optim/optimiser';
export { convBn, residual, resnet9 } from './models/resnet9';
export { createTrainer } from './train/loop';
export type { EpochRow, Progress, Trainer, Training, Watch } from './train/loop';
export { backward, evaluate, fold, log, optimise } from './train/steps';
export type { FoldStep, Model, Work } from './train/steps';
export { catalogue, findExperiment } from './experiments/catalogue';
export type { Experiment, Scale } from './experiments/record';
export { networkOf, prepareRun, resultOf } from './experiments/run';
export { scaled } from './experiments/scale';
