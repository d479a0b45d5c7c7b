/**
 * cifar10-fast: training a small network on CIFAR-10 as fast as the hardware allows.
 *
 * The one public door: what notebooks and other programs import.
 */
/** Errors that a user can act on: one class per room, each with its page in `docs/errors.md`. */
export * as errors from './base/errors';
export { createRng, rngFromState } from './base/rng';
export type { Rng, RngState } from './base/rng';
export type { HostArray, HostTensor } from './base/host-tensor';
export { interruptSignal } from './base/interrupt';
export type { MimeBundle } from './base/kernel-host';
export type { Tree } from './base/tree';
export { classes, loadCifar10, subset, verifyCifar10 } from './data/cifar10';
export type { Cifar10, Split } from './data/cifar10';
export { fetchCifar10 } from './data/download';
export type { DataOptions, DataProgress, Fetched } from './data/download';
export { cifar10Edition } from './data/edition';
export type { BatchFile, Edition } from './data/edition';
export type { FileCheck } from './data/local';
export { mean, normalise, normaliseSplit, reflectPad, std, unnormalise } from './data/normalise';
export type { Rgb } from './data/normalise';
export { readSafetensors, writeSafetensors } from './data/safetensors';
export type { Safetensors, StoredTensor } from './data/safetensors';
export { crop } from './augment/crop';
export type { Crop } from './augment/crop';
export { cutout } from './augment/cutout';
export type { Cutout } from './augment/cutout';
export { flipLR } from './augment/flip';
export type { FlipLR, Mirror } from './augment/flip';
export { apply, options } from './augment/transform';
export type { OptionOf, Transform } from './augment/transform';
export type { Corner, Image, ImageShape } from './augment/window';
export { plan } from './augment/plan';
export type { Plan, PlanOptions, Scheme } from './augment/plan';
export { batchIndices, epochBatches } from './augment/epoch-order';
export type { BatchIndices, EpochOptions } from './augment/epoch-order';
export { gatherOracle, gatherTables } from './augment/gather';
export type { GatherTables, Images, LookupTable } from './augment/gather';
export { build, paths } from './graph/build';
export { colourMap, legend } from './graph/colours';
export { counts, dot } from './graph/dot';
export type { Counts, DotOptions } from './graph/dot';
export { mapTypes, override, removeByType, reorder, union } from './graph/edit';
export type { KindChanges, LayerOfKind, Overrides } from './graph/edit';
export type { Graph, GraphNode, InputRef, Layer, Leaf, Net } from './graph/spec';
export { svg } from './graph/svg';
export type { ChartSpec } from './report/charts';
export { claim } from './report/claim';
export { compare } from './report/compare';
export type { CompareOptions, Comparison, Observation } from './report/compare';
export type { PagePart, PageSection } from './report/page';
export { Table, every } from './text/table';
export type { Cell, FlatRow, Report, Row, TableOptions } from './text/table';
export { summarise, summary, summaryText } from './report/stats';
export type { Summary, SummaryOptions } from './report/stats';
export { durationText, progressLine } from './text/progress';
export { tsv } from './text/tsv';
export type { TsvRow } from './text/tsv';
export { localtime } from './text/localtime';
export type { Algorithm, AlgorithmRow, Candidate, ConvPass } from './engine/conv-algorithm';
export { fastestPrecision, hardwareLine, readHardware } from './engine/hardware';
export type { Gpu, Hardware, Precision } from './engine/hardware';
export type { GraphEntry, Value } from './engine/graph';
export { countFlops, flopsOf } from './engine/flops';
export { printGraph, summariseGraph } from './engine/print';
export { summariseProfile } from './engine/profile';
export type { NodeTime, OperationTime } from './engine/profile';
export type { GraphSummary } from './engine/print';
export { recordingGraph } from './analysis/recording-graph';
export type { RecordedOperation } from './analysis/recording-graph';
export type { OutputRef } from './engine/native';
export { createSession } from './engine/session';
export type {
  Feed,
  NamedValue,
  OnDevice,
  OnHost,
  Part,
  Recording,
  Run as StepRun,
  Session,
  SessionMode,
  SessionOptions,
  Step,
  StepResult,
} from './engine/session';
export type { OpAttribute } from './engine/backend';
export { loadTensorflow } from './engine/tensorflow';
export type { Tensorflow, ThreadOptions } from './engine/tensorflow';
export { accelerate } from './layers/accelerate';
export type {
  AccelerateOptions,
  AcceleratedFitArgs,
  AcceleratedModel,
  PredictArgs,
} from './layers/accelerate';
export type { BatchDataset, FitDatasetArgs } from './layers/fit-dataset';
export type { ModelData } from './layers/model-data';
export type { ClassWeights } from './layers/class-weights';
export { celu, gelu, relu, shiftScaleRelu, silu, softplus } from './nn/activation';
export type { ActivationLayer } from './nn/activation';
export { batchNorm, ghostBatchNorm } from './nn/batch-norm';
export type { BatchNormLayer, BatchNormOptions } from './nn/batch-norm';
export { add, addWeighted, concat, flatten, identity, mul } from './nn/combine';
export type { CombineLayer } from './nn/combine';
export { conv, linear } from './nn/conv';
export type { ConvLayer, LinearLayer } from './nn/conv';
export { crossEntropyLoss, labelSmoothingLoss, smoothedLoss } from './nn/loss';
export type { LossLayer } from './nn/loss';
export { countTrainable, initNetwork, runNetwork } from './nn/network';
export type { Activations, AnyLayer, HostVariables, Variables } from './nn/network';
export { avgPool, maxPool } from './nn/pool';
export type { PoolLayer } from './nn/pool';
export { whitening, whitenInput } from './nn/whiten';
export type { Whitening } from './nn/whiten';
export { constant, piecewiseLinear, valueAt } from './optim/schedule';
export type { Schedule } from './optim/schedule';
export type { Ema } from './optim/ema';
export type { Group, Optimiser, RuleName } from './optim/optimiser';
export type { Hyper } from './optim/rule';
export { bagOfTricks, newDawn } from './models/bag-of-tricks';
export type { BagOfTricksOptions, Member, NewDawnOptions } from './models/bag-of-tricks';
export {
  dawnNet,
  maxPoolBlock,
  pointwiseBlock,
  preActivationBlock,
  resBlock,
  stridedBlock,
} from './models/dawn';
export type { Block, DawnOptions } from './models/dawn';
export { convBn, residual, resnet9 } from './models/resnet9';
export type { Resnet9Options, Stage, Widths } from './models/resnet9';
export { fullyConnected, unbranched } from './models/unbranched';
export type { FullyConnectedOptions, UnbranchedOptions } from './models/unbranched';
export { withLoss } from './models/with-loss';
export type { Batch, ResidentSplit, ResidentTables } from './train/batches';
export { createTrainer } from './train/trainer';
export type {
  EpochRow,
  Evaluation,
  Examples,
  Figures,
  Learnt,
  Progress,
  Snapshot,
  Trainer,
  Training,
  TrainingState,
  Unfinished,
  UsualSteps,
  WarmUp,
  Watch,
} from './train/training';
export { openBatches } from './train/open-batches';
export type { Batches, BatchesOptions } from './train/open-batches';
export { backward, fold, log, optimise } from './train/steps';
export { evaluate } from './train/test-time';
export type { Tta } from './train/test-time';
export type { FoldStep, Model, Outcome, Totals, Work } from './train/steps';
export { startTimer } from './train/timer';
export type { Clock, Timer } from './train/timer';
export { readCheckpoint } from './runs/checkpoint';
export type { Checkpoint, KeptCheckpoints } from './runs/checkpoint';
export { freeze } from './export/frozen-graph';
export type {
  ElementType,
  FreezeOptions,
  FrozenAttribute,
  FrozenGraph,
  FrozenNode,
  FrozenValue,
} from './export/frozen-graph';
export { graphModel } from './export/graph-model';
export { resizeByArea } from './export/picture';
export type { Picture } from './export/picture';
export { readPicture, readPictureFile } from './export/read-picture';
export type { DecoderOptions } from './export/read-picture';
export { createPredictor, softmax } from './export/predictor';
export type { Predictor, PredictorOptions } from './export/predictor';
export { savedModel } from './export/saved-model';
export { activationsAlong, activationsAt } from './analysis/activations';
export type { ActivationsOptions } from './analysis/activations';
export { fixedBatches } from './analysis/fixed-batches';
export type { HostBatch } from './analysis/fixed-batches';
export { channelDensities } from './analysis/densities';
export type { ChannelDensity, DensityOptions } from './analysis/densities';
export { momentGradients } from './analysis/gradients';
export type { Moment } from './analysis/gradients';
export { createHessian } from './analysis/hessian';
export type { Hessian, Sample } from './analysis/hessian';
export { lanczos } from './analysis/lanczos';
export type { Eigenpairs, LanczosOptions, Product } from './analysis/lanczos';
export { orthonormalBasis, overlap, projectOut, shares } from './analysis/overlap';
export { refreshNorms } from './analysis/refresh-norms';
export { singularValues } from './analysis/singular-values';
export { stepTimes } from './analysis/step-times';
export type { StepPart, StepTimes, StepTimesOptions } from './analysis/step-times';
export { followWeights } from './analysis/weight-dynamics';
export type { WeightDynamics, WeightPoint } from './analysis/weight-dynamics';
export {
  norm,
  perturbed,
  randomDirection,
  squaredNorms,
  toRecord,
  toVector,
  vectorLayout,
} from './analysis/vector';
export type { VectorLayout } from './analysis/vector';
export { byNotebook, catalogue, findExperiment } from './catalogue/catalogue';
export { changesBetween } from './catalogue/differences';
export type { Change } from './catalogue/differences';
export { coordinateSearch } from './catalogue/coordinate-search';
export type { Hyperparameters, Trial } from './catalogue/coordinate-search';
export { forgetfulness } from './studies/forgetfulness';
export type { ForgetfulnessData, ForgetfulnessTrial } from './studies/forgetfulness';
export {
  hyperparameterMap,
  hyperparameterSearch,
  hyperparameterTrial,
  mapSteps,
  ridgeOf,
  runHyperparameterTrial,
} from './studies/hyperparameter-study';
export type {
  HyperparameterResult,
  HyperparameterRunOptions,
  HyperparameterTrial,
  MapAxis,
  MapSteps,
} from './studies/hyperparameter-study';
export { overridden, parseOverride } from './catalogue/override';
export { profileRecord, publishedProfile } from './studies/step-profile';
export type { ProfileRow } from './studies/step-profile';
export type {
  BlockName,
  DataRecord,
  Experiment,
  LossRecord,
  NetRecord,
  Notebook,
  OptimRecord,
  Published,
  RunRecord,
  Scale,
} from './catalogue/experiment';
export { trainDawnbench } from './runs/dawnbench';
export type { DawnbenchOptions, DawnbenchRow, DawnbenchRun } from './runs/dawnbench';
export { lossOf, networkOf } from './catalogue/network';
export { examplesOf, prepareRun, resultOf, trainerOf } from './runs/prepare';
export type { PreparedRun, PrepareOptions } from './runs/prepare';
export { runEpochs } from './runs/epochs';
export type { EpochsOptions, Pace, RunProgress, TrainedEpochs } from './runs/epochs';
export { compareGroups, reportRuns } from './report/groups';
export type { ReportOptions, RunGroup, RunReport } from './report/groups';
export { reportPage } from './report/report-page';
export { comparisonText, reportJson, reportText } from './report/report-text';
export { exported } from './runs/exported';
export type { ExportFormat, ExportOptions } from './runs/exported';
export { mistakesOf, mistakesSections, sumMistakes } from './report/mistakes';
export type { Mistakes, WorstImage } from './report/mistakes';
export { predictSplit, readPredictions, writePredictions } from './runs/predictions';
export type { Predictions } from './runs/predictions';
export { readTrained } from './runs/trained-network';
export type { TrainedNetwork } from './runs/trained-network';
export { connectRay } from './sweeps/ray';
export type { RayCluster, RayOptions } from './sweeps/ray';
export { localExecutor, sweep } from './sweeps/sweep';
export type {
  Executor,
  ExecutorEvent,
  LocalOptions,
  SweepOutcome,
  SweepPlan,
  SweepWatch,
} from './sweeps/sweep';
export type { JobEngine, JobEvent, PrepareJob, RunJob } from './sweeps/job';
export { findRuns } from './runs/find-runs';
export type {
  Failure,
  FinishedRun,
  PlannedRun,
  Result,
  Resumption,
  Run,
  Versions,
} from './runs/run';
export { stressTest } from './studies/stress-test';
export { frozenSample, sampleOf } from './studies/sample';
export { scaled } from './catalogue/scale';
export { resumeRun, trainExperiment } from './runs/train';
export type { ResumeOptions, RunOptions, TrainOptions } from './runs/train';
export {
  averagedPoints,
  balancedStep,
  followRecord,
  weightDecayStudy,
} from './studies/weight-decay-study';
export type {
  FollowOptions,
  FollowedPoint,
  FollowedRun,
  WeightDecayChanges,
} from './studies/weight-decay-study';
export { clearOutput, display } from './notebook/display';
export type { DisplayHandle, DisplayOptions } from './notebook/display';
export { animateDrawings } from './notebook/animate';
export { changes } from './notebook/changes';
export { channelPlot } from './notebook/channel-plot';
export type { ChannelPlotOptions } from './notebook/channel-plot';
export { chart, vegaLite } from './notebook/chart';
export type { VegaLiteSpec } from './notebook/chart';
export type { Channel, ChartOptions, Guide, Mark } from './notebook/chart-options';
export { comparison, epochRows, recordedRuns } from './notebook/compare-runs';
export { curves } from './notebook/curves';
export type { CurveRun } from './notebook/curves';
export { eigenpairsLive, gradientsLive } from './notebook/curvature-live';
export type { EigenpairsLiveOptions, Samples } from './notebook/curvature-live';
export { descentPicture } from './notebook/descent-picture';
export { drawing } from './notebook/drawing';
export type { DrawingOptions } from './notebook/drawing';
export { show } from './notebook/figure';
export type { Figure } from './notebook/figure';
export { histograms } from './notebook/histograms';
export type { HistogramOptions } from './notebook/histograms';
export type { LiveRun, TracePoint } from './notebook/live-view';
export { notebookScale } from './notebook/notebook-scale';
export { pictures } from './notebook/picture';
export type { PictureOptions } from './notebook/picture';
export { plotly } from './notebook/plotly';
export type { PlotlyLayout, PlotlyTrace } from './notebook/plotly';
export { followLive, trialsLive } from './notebook/series-live';
export type { FollowedStart, TrialsOf, TrialsOptions } from './notebook/series-live';
export { tabulate } from './notebook/tabulate';
export type { TabulateOptions } from './notebook/tabulate';
export { resumeLive, trainLive } from './notebook/train-live';
export type { LiveOptions, RecordOrName } from './notebook/train-live';
