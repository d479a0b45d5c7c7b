/**
 * `cifar10-fast/engine`: the building blocks of training. Sessions that capture a step as a TensorFlow graph, augmentation as
 * index tables, the steps of a batch, frozen graphs; and the types behind the main entry point. Loads no notebook code.
 */

// Randomness, errors.
export type { Tree } from '../base/tree';
export { rngFromState } from '../base/rng';
export type { RngState } from '../base/rng';
export type { HostArray } from '../base/host-tensor';

// Data.
export type { DataOptions, DataProgress, Fetched } from '../data/download';
export { cifar10Edition } from '../data/edition';
export type { BatchFile, Edition } from '../data/edition';
export type { FileCheck } from '../data/local';
export type { Rgb } from '../data/normalise';
export type { Safetensors, StoredTensor } from '../data/safetensors';

// Augmentation.
export type { Jitter } from '../augment/jitter';
export { linearResampling, resampled } from '../augment/resample';
export type { Corner, Image, ImageShape } from '../augment/window';
export { batchIndices, epochBatches } from '../augment/epoch-order';
export type { BatchIndices, EpochOptions } from '../augment/epoch-order';
export { gatherOracle, gatherTables } from '../augment/gather';
export type { GatherTables, Images, LookupTable } from '../augment/gather';
export type { Mirror } from '../augment/flip';
export type { OptionOf } from '../augment/transform';
export { plan } from '../augment/plan';
export type { Plan, PlanOptions, Scheme } from '../augment/plan';

// Networks as graphs.
export type { ClosedBlocks } from '../graph/blocks';
export type { Counts, DotOptions } from '../graph/dot';
export type { DrawOptions } from '../graph/draw';
export type { OutlineOptions } from '../graph/outline';
export type { Engine } from '../graph/row-layout';
export type { KindChanges, LayerOfKind, Overrides } from '../graph/edit';
export type { GraphNode, InputRef, Layer, Leaf } from '../graph/spec';

// Sessions and hardware.
export type { Algorithm, AlgorithmRow, Candidate, ConvPass } from '../engine/conv-algorithm';
export { hardwareLine, readHardware, fastestPrecision } from '../engine/hardware';
export type { Hardware, Precision, Gpu } from '../engine/hardware';
export type { GraphEntry, Value } from '../engine/graph';
export { countFlops, flopsOf } from '../engine/flops';
export { printGraph, summariseGraph } from '../engine/print';
export { summariseProfile } from '../engine/profile';
export type { NodeTime, OperationTime } from '../engine/profile';
export type { GraphSummary } from '../engine/print';
export type { OutputRef } from '../engine/native';
export { createSession } from '../engine/session';
export type {
  SessionOptions,
  Feed,
  NamedValue,
  OnDevice,
  OnHost,
  Part,
  Recording,
  Run as StepRun,
  Session,
  SessionMode,
  Step,
  StepResult,
} from '../engine/session';
export type { OpAttribute } from '../engine/backend';
export { loadTensorflow } from '../engine/tensorflow';
export type { Tensorflow, ThreadOptions } from '../engine/tensorflow';

// Layers.
export type { GlobalPoolLayer } from '../nn/pool';
export type { ActivationLayer } from '../nn/activation';
export type { BatchNormLayer } from '../nn/batch-norm';
export type { CombineLayer } from '../nn/combine';
export type { ConvLayer, LinearLayer } from '../nn/conv';
export type { LossLayer } from '../nn/loss';
export type { Activations, Variables } from '../nn/network';
export type { PoolLayer } from '../nn/pool';

// Models of tf.layers.
export { accelerate } from '../layers/accelerate';
export type {
  AccelerateOptions,
  AcceleratedFitArgs,
  AcceleratedModel,
  PredictArgs,
} from '../layers/accelerate';
export type { ClassWeights, GivenClassWeights } from '../layers/class-weights';
export type { BatchDataset, BatchIterator } from '../layers/batch-dataset';
export type { FitDatasetArgs } from '../layers/fit-dataset';
export type { ModelData } from '../layers/model-data';
export type { SampleWeights } from '../layers/sample-weights';

// Optimisation.
export type { Lookahead } from '../optim/lookahead';
export { muon, newtonSchulz } from '../optim/muon';
export type { MuonOptions } from '../optim/muon';
export type { GroupedHyper } from '../optim/optimiser';
export type { RuleName } from '../optim/optimiser';
export type { Hyper, Moved } from '../optim/rule';

// Training.
export type { PaceChange } from '../train/pace';
export type { RunFlops, SizeStage } from '../train/training';
export type { Batch, ResidentSplit, ResidentTables } from '../train/batches';
export { openBatches } from '../train/open-batches';
export type { Batches, BatchesOptions } from '../train/open-batches';
export { backward, fold, log, optimise } from '../train/steps';
export { evaluate } from '../train/test-time';
export type { Tta } from '../train/test-time';
export type { FoldStep, Model, Outcome, Totals, Work } from '../train/steps';
export type {
  Evaluation,
  Figures,
  Learnt,
  Snapshot,
  TrainingState,
  Unfinished,
  UsualSteps,
  WarmUp,
} from '../train/training';
export { startTimer } from '../train/timer';
export type { Clock, Timer } from '../train/timer';

// Runs.
export type { KeptCheckpoints } from '../runs/checkpoint';
export type { ExportFormat, ExportOptions } from '../runs/exported';

// Export and prediction.
export { freeze } from '../export/frozen-graph';
export type { FreezeOptions, FrozenGraph, FrozenValue } from '../export/frozen-graph';
export type { ElementType, FrozenAttribute, FrozenNode } from '../export/frozen-node';
export { graphModel } from '../export/graph-model';
export { onnxModel } from '../export/onnx';
export { resizeByArea } from '../export/picture';
export type { DecoderOptions } from '../export/read-picture';
export type { PredictorOptions } from '../export/predictor';
export { savedModel } from '../export/saved-model';

// Curvature, gradients, weights.
export { recordingGraph } from '../analysis/recording-graph';
export type { RecordedOperation } from '../analysis/recording-graph';
