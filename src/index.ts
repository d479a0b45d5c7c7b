/**
 * cifar10-fast: training a small network on CIFAR-10 as fast as the hardware allows.
 *
 * The main entry point: data, networks, training, the experiments of the study and their runs. Three more hold the rest:
 * `cifar10-fast/engine` (sessions, captured steps and other building blocks), `cifar10-fast/studies` (many runs: the studies
 * of the posts, sweeps, statistics, curvature) and `cifar10-fast/notebook` (what a cell shows).
 */

// Randomness, errors.
/** Errors that a user can act on, each with a section in `docs/errors.md`. */
export * as errors from './base/errors';
export { createRng } from './base/rng';
export type { Rng } from './base/rng';
export type { HostTensor } from './base/host-tensor';
export { interruptSignal } from './base/interrupt';

// Data.
export { classes, loadCifar10, subset, verifyCifar10 } from './data/cifar10';
export type { Cifar10, Split } from './data/cifar10';
export { fetchCifar10 } from './data/download';
export { mean, normalise, normaliseSplit, reflectPad, std, unnormalise } from './data/normalise';
export { readSafetensors, writeSafetensors } from './data/safetensors';

// Augmentation.
export { crop } from './augment/crop';
export type { Crop } from './augment/crop';
export { cutout } from './augment/cutout';
export type { Cutout } from './augment/cutout';
export { flipLR } from './augment/flip';
export type { FlipLR } from './augment/flip';
export { apply, options } from './augment/transform';
export type { Transform } from './augment/transform';

// Networks as graphs.
export { build, paths } from './graph/build';
export { counts, dot } from './graph/dot';
export { draw } from './graph/draw';
export { mapTypes, override, removeByType, reorder, union } from './graph/edit';
export type { Graph, Net } from './graph/spec';
export { svg } from './graph/svg';

// Sessions and hardware.
export { hardwareLine, readHardware } from './engine/hardware';
export type { Hardware, Precision } from './engine/hardware';
export type { SessionOptions } from './engine/session';
export { loadTensorflow } from './engine/tensorflow';

// Layers.
export { celu, gelu, relu, shiftScaleRelu, silu, softplus } from './nn/activation';
export { batchNorm, ghostBatchNorm } from './nn/batch-norm';
export type { BatchNormOptions } from './nn/batch-norm';
export { add, addWeighted, concat, flatten, identity, mul } from './nn/combine';
export { conv, linear } from './nn/conv';
export { crossEntropyLoss, labelSmoothingLoss, smoothedLoss } from './nn/loss';
export { countTrainable, initNetwork, runNetwork } from './nn/network';
export type { AnyLayer, HostVariables } from './nn/network';
export { avgPool, maxPool } from './nn/pool';
export { whitening, whitenInput } from './nn/whiten';

// Optimisation.
export { constant, piecewiseLinear, valueAt } from './optim/schedule';
export type { Schedule } from './optim/schedule';
export type { Ema } from './optim/ema';
export type { Group, Optimiser } from './optim/optimiser';

// Networks of the study.
export { convBn, residual, resnet9 } from './models/resnet9';
export { withLoss } from './models/with-loss';

// Training.
export { createTrainer } from './train/trainer';
export type { EpochRow, Examples, Progress, Trainer, Training, Watch } from './train/training';
export type { FoldStep } from './train/steps';

// Models of TF.js (tf.layers).
export { accelerate } from './layers/accelerate';
export type {
  AccelerateOptions,
  AcceleratedFitArgs,
  AcceleratedModel,
  PredictArgs,
} from './layers/accelerate';
export type { BatchDataset, BatchIterator } from './layers/batch-dataset';
export type { FitDatasetArgs } from './layers/fit-dataset';
export type { ModelData } from './layers/model-data';
export type { SampleWeights } from './layers/sample-weights';
export type { ClassWeights, GivenClassWeights } from './layers/class-weights';

// Experiments.
export { catalogue, findExperiment } from './catalogue/catalogue';
export { overridden } from './catalogue/override';
export type { Experiment, Published, Scale } from './catalogue/experiment';
export { lossOf, networkOf } from './catalogue/network';
export { scaled } from './catalogue/scale';

// Runs.
export { readCheckpoint } from './runs/checkpoint';
export type { Checkpoint } from './runs/checkpoint';
export { examplesOf, prepareRun, trainerOf } from './runs/prepare';
export { runEpochs } from './runs/epochs';
export { exported } from './runs/exported';
export { readTrained } from './runs/trained-network';
export type { TrainedNetwork } from './runs/trained-network';
export { findRuns } from './runs/find-runs';
export type { FindOptions } from './runs/find-runs';
export type {
  Budget,
  Continuation,
  Failure,
  FinishedRun,
  PlannedRun,
  Result,
  Resumption,
  Run,
  RunEngine,
  Versions,
} from './runs/run';
export type { Load } from './runs/load';
export { extendRun } from './runs/extend';
export type { ExtendOptions } from './runs/extend';
export { resumeRun, trainExperiment } from './runs/train';
export type { ResumeOptions, TrainOptions } from './runs/train';
export type { Expected, RunOptions } from './runs/train-to-end';

// Export and prediction.
export type { Picture } from './export/picture';
export { readPicture, readPictureFile } from './export/read-picture';
export { createPredictor, softmax } from './export/predictor';
export type { Predictor } from './export/predictor';

// Tables and text.
export { Table } from './text/table';
export { durationText, progressLine } from './text/progress';
export { tsv } from './text/tsv';

// Notebook.
export { clearOutput, display } from './notebook/display';
export { resumeLive, trainLive } from './notebook/train-live';
