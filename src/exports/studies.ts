/**
 * `cifar10-fast/studies`: experiments with more than one run. The posts' networks and studies, sweeps over seeds on this machine
 * or a Ray cluster, statistics and reports of runs, curvature and gradients of a trained network.
 */

// Layers.
export type { WhiteningOptions } from '../nn/whiten';
export type { Whitening } from '../nn/whiten';

// Networks of the study.
export type { AirbenchOptions } from '../models/airbench';
export { bagOfTricks, newDawn } from '../models/bag-of-tricks';
export type { BagOfTricksOptions, Member, NewDawnOptions } from '../models/bag-of-tricks';
export {
  dawnNet,
  maxPoolBlock,
  pointwiseBlock,
  preActivationBlock,
  resBlock,
  stridedBlock,
} from '../models/dawn';
export type { Block, DawnOptions } from '../models/dawn';
export type { Resnet9Options, Stage, Widths } from '../models/resnet9';
export { fullyConnected, unbranched } from '../models/unbranched';
export type { FullyConnectedOptions, UnbranchedOptions } from '../models/unbranched';

// Experiments.
export { changesBetween } from '../catalogue/differences';
export type { Change } from '../catalogue/differences';
export { coordinateSearch } from '../catalogue/coordinate-search';
export type { Hyperparameters, Trial } from '../catalogue/coordinate-search';
export { byNotebook } from '../catalogue/catalogue';
export { parseOverride } from '../catalogue/override';
export { speedrunAblations } from '../catalogue/speedrun-ablations';
export { speedrunSteps } from '../catalogue/speedrun-steps';
export type {
  BlockName,
  DataConfig,
  LossConfig,
  NetConfig,
  Notebook,
  OptimConfig,
  RunConfig,
} from '../catalogue/experiment';

// Runs.
export { trainDawnbench } from '../runs/dawnbench';
export type { DawnbenchOptions, DawnbenchRow, DawnbenchRun } from '../runs/dawnbench';
export { predictSplit, readPredictions, writePredictions } from '../runs/predictions';
export type { Predictions } from '../runs/predictions';
export { resultOf } from '../runs/prepare';
export type { PreparedRun, PrepareOptions } from '../runs/prepare';
export type { EpochsOptions, Pace, RunProgress, TrainedEpochs } from '../runs/epochs';

// Curvature, gradients, weights.
export { activationsAlong, activationsAt } from '../analysis/activations';
export type { ActivationsOptions } from '../analysis/activations';
export { fixedBatches } from '../analysis/fixed-batches';
export type { HostBatch } from '../analysis/fixed-batches';
export { channelDensities } from '../analysis/densities';
export type { ChannelDensity, DensityOptions } from '../analysis/densities';
export { momentGradients } from '../analysis/gradients';
export type { Moment } from '../analysis/gradients';
export { createHessian } from '../analysis/hessian';
export type { Hessian, Sample } from '../analysis/hessian';
export { lossSurface } from '../analysis/loss-surface';
export type { LossPlace, SurfaceGrid } from '../analysis/loss-surface';
export { lanczos } from '../analysis/lanczos';
export type { Eigenpairs, LanczosOptions, Product } from '../analysis/lanczos';
export { orthonormalBasis, overlap, projectOut, shares } from '../analysis/overlap';
export { refreshNorms } from '../analysis/refresh-norms';
export { singularValues } from '../analysis/singular-values';
export { stepTimes } from '../analysis/step-times';
export type { StepPart, StepTimes, StepTimesOptions } from '../analysis/step-times';
export { followWeights } from '../analysis/weight-dynamics';
export type { WeightDynamics, WeightPoint } from '../analysis/weight-dynamics';
export {
  norm,
  perturbed,
  randomDirection,
  squaredNorms,
  toRecord,
  toVector,
  vectorLayout,
} from '../analysis/vector';
export type { VectorLayout } from '../analysis/vector';

// Studies of the posts.
export { forgetfulness } from '../studies/forgetfulness';
export type { ForgetfulnessData, ForgetfulnessTrial } from '../studies/forgetfulness';
export {
  hyperparameterMap,
  hyperparameterSearch,
  hyperparameterTrial,
  mapSteps,
  ridgeOf,
  runHyperparameterTrial,
} from '../studies/hyperparameter-study';
export type {
  HyperparameterResult,
  HyperparameterRunOptions,
  HyperparameterTrial,
  MapAxis,
  MapSteps,
} from '../studies/hyperparameter-study';
export { profileExperiment, publishedProfile } from '../studies/step-profile';
export type { ProfileRow } from '../studies/step-profile';
export { stressTest } from '../studies/stress-test';
export { countRun } from '../studies/count-run';
export { orthogonalSpectra } from '../studies/orthogonal-spectra';
export type { OrthogonalSpectrum } from '../studies/orthogonal-spectra';
export { testTimeStudy } from '../studies/test-time-study';
export type { TestTimeRow } from '../studies/test-time-study';
export { viewsSeen } from '../studies/views-seen';
export type { ViewsSeen } from '../studies/views-seen';
export { frozenSample, sampleOf } from '../studies/sample';
export {
  averagedPoints,
  balancedStep,
  followExperiment,
  weightDecayStudy,
} from '../studies/weight-decay-study';
export type {
  FollowOptions,
  FollowedPoint,
  FollowedRun,
  WeightDecayChanges,
} from '../studies/weight-decay-study';

// Sweeps.
export { connectRay } from '../sweeps/ray';
export type { RayCluster, RayOptions } from '../sweeps/ray';
export { TrainerCache } from '../runs/trainer-cache';
export type { ReadyRun, TrainerPlan } from '../runs/trainer-cache';
export { localExecutor, sweep } from '../sweeps/sweep';
export type {
  Executor,
  ExecutorEvent,
  LocalOptions,
  SweepOutcome,
  SweepPlan,
  SweepWatch,
} from '../sweeps/sweep';
export type { JobEngine, JobEvent, PrepareJob, RunJob } from '../sweeps/job';

// Statistics and reports.
export { ablationRows } from '../report/ablation';
export type { AblationOptions, AblationRow } from '../report/ablation';
export { accuracyPoints } from '../report/frontier-points';
export type { AccuracyPoint } from '../report/frontier-points';
export { publishedPoints } from '../catalogue/published-points';
export type { PublishedPoint } from '../catalogue/published-points';
export { meanText, stepRows, stepsText } from '../report/step-table';
export type { StepRow } from '../report/step-table';
export type { ChartSpec } from '../report/charts';
export { claim } from '../report/claim';
export { compare } from '../report/compare';
export type { CompareOptions, Comparison, Observation } from '../report/compare';
export type { PagePart, PageSection } from '../report/page';
export type { Plot } from '../report/time-plot';
export { summarise, summary, summaryText } from '../report/stats';
export type { Summary, SummaryOptions } from '../report/stats';
export { compareGroups, reportRuns } from '../report/groups';
export type { ReportOptions, RunGroup, RunReport } from '../report/groups';
export { reportPage } from '../report/report-page';
export { comparisonText, reportJson, reportText } from '../report/report-text';
export { mistakesOf, mistakesSections, sumMistakes } from '../report/mistakes';
export type { Mistakes, WorstImage } from '../report/mistakes';

// Tables and text.
export { every } from '../text/table';
export type { Cell, FlatRow, Report, Row, TableOptions } from '../text/table';
export type { TsvRow } from '../text/tsv';
export { localtime } from '../text/localtime';
