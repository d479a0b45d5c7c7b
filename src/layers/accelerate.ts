import { randomInt } from 'node:crypto';
import * as tf from '@tensorflow/tfjs-core';
import { LayersModel } from '@tensorflow/tfjs-layers';
import type {
  History,
  ModelCompileArgs,
  ModelEvaluateArgs,
  ModelFitArgs,
} from '@tensorflow/tfjs-layers';
import { LayerError, OptimError, TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { fastestPrecision, precisions, readHardware } from '../engine/hardware';
import type { Precision } from '../engine/hardware';
import type { NodeTime } from '../engine/profile';
import type { Recording, SessionOptions } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { peekDataset } from './batch-dataset';
import type { BatchDataset, PeekedDataset } from './batch-dataset';
import { evaluateRows, evaluationRows, predict, scalars } from './evaluate';
import { checkEager, createRun } from './fallback';
import type { RunEither } from './fallback';
import {
  checkCount,
  checkFitDataset,
  evaluateDataset,
  fitDataset,
  prepareDatasets,
  prepareTest,
  readAhead,
} from './fit-dataset';
import type { DatasetsAhead, FitDatasetArgs } from './fit-dataset';
import { createFitLoop } from './fit-loop';
import { checkCompiled, innerModel, viewOf } from './internals';
import type { ModelInternals } from './internals';
import { inputsInOrder, tensorsIn } from './model-data';
import type { ModelData } from './model-data';
import { openModelSession } from './model-session';
import type { ModelSession, TrainingOptions } from './model-session';
import { rowsOf } from './rows';
import { sampleWeightsOf } from './sample-weights';
import type { SampleWeights } from './sample-weights';

/** Arguments of `predict`. */
export interface PredictArgs {
  /** Default: 32, as in TF.js. */
  readonly batchSize?: number;
}

/** How {@link accelerate} trains a model. Everything has a default. */
export interface AccelerateOptions
  extends Partial<ModelCompileArgs>, Omit<SessionOptions, 'mode' | 'precision' | 'stepsPerCall'> {
  /**
   * Number format of convolutions, matrix products and the operations between them; weights stay in float32. `best` is
   * the format that runs fastest on this machine. Default: `fp32`.
   */
  readonly precision?: Precision | 'best';
  /** If the model cannot be recorded, runs it eagerly, as TF.js does, instead of throwing. Default: false. */
  readonly fallback?: boolean;
  /** Seed of dropout and noise. Default: a random one for each call of {@link accelerate}. */
  readonly seed?: number;
  /** Decoupled weight decay: a step shrinks each weight by learning rate times this. With Adam this is AdamW. Default: 0. */
  readonly weightDecay?: number;
  /**
   * Applies the constraints of the layers to the weights after each step, as Keras does. TF.js does not apply them to
   * weights that an optimiser updates. Default: false, as in TF.js.
   */
  readonly enforceConstraints?: boolean;
  /**
   * Most examples that a step computes at a time: it adds the gradients of the parts of a batch, which gives the step on the
   * whole batch up to rounding, with the memory of a part. Default: so that the outputs of all layers take 64 MB, but 64 or
   * more; the whole batch for models with batch norm, recurrent or custom layers, losses or metrics.
   */
  readonly microBatch?: number;
}

/** Arguments of `fit`: those of `tf.LayersModel.fit`, and `sampleWeight`, which TF.js rejects. */
export interface AcceleratedFitArgs extends Omit<ModelFitArgs, 'sampleWeight' | 'verbose'> {
  /** 0 hides the progress bar. Default: 1. */
  readonly verbose?: number | undefined;
  /** A factor for each example's loss, `[examples]`; a list with one or null for each output if there are several. */
  readonly sampleWeight?: SampleWeights | undefined;
}

/** A model that trains and evaluates by replaying recordings. Arguments and results are those of `tf.LayersModel`. */
export interface AcceleratedModel {
  /** The model passed to {@link accelerate}. It holds the current weights after each call and after each epoch. */
  readonly model: LayersModel;
  /** Like `model.fit`: trains on tensors. */
  fit(x: ModelData, y: ModelData, args?: AcceleratedFitArgs): Promise<History>;
  /** Like `model.fitDataset`: trains on the batches of a data set. */
  fitDataset(dataset: BatchDataset, args: FitDatasetArgs): Promise<History>;
  /** Loss and metrics; the caller disposes them. */
  evaluate(x: ModelData, y: ModelData, args?: ModelEvaluateArgs): Promise<tf.Scalar | tf.Scalar[]>;
  /** Loss and metrics over batches; the caller disposes them. */
  evaluateDataset(
    dataset: BatchDataset,
    args?: { readonly batches?: number },
  ): Promise<tf.Scalar | tf.Scalar[]>;
  /** The outputs; the caller disposes them. */
  predict(x: ModelData, args?: PredictArgs): Promise<tf.Tensor | tf.Tensor[]>;
  /** Loss and metrics of one step on one batch. */
  trainOnBatch(x: ModelData, y: ModelData): Promise<number | number[]>;
  /** Copies the optimiser state back to the model's optimiser. `fit` does this itself; `trainOnBatch` does not. */
  syncOptimizer(): Promise<void>;
  /**
   * Times every operation of the steps that run until `action` has ended, which slows them slightly. `summariseProfile`
   * adds up the times.
   */
  profile<T>(action: () => Promise<T>): Promise<{ readonly result: T; readonly nodes: NodeTime[] }>;
  /** The graphs recorded so far, for `printGraph` and `summariseGraph`. */
  readonly recordings: readonly Recording[];
  /** Frees the device copy of the model and the recordings. The model stays usable; later calls record again. */
  dispose(): void;
}

/**
 * Trains a TF.js model several times faster: each step is recorded once as a TensorFlow graph and then runs as one call.
 *
 * The layers, the losses and the metrics are TF.js's own, run once while recording; the update rules are those of its
 * optimisers. A recording is valid for one batch shape; a smaller last batch needs a second recording.
 *
 * @example
 * const fast = accelerate(model);
 * await fast.fit(xs, ys, { epochs: 10, batchSize: 128 });
 * await model.save('file://trained');
 *
 * @param model sequential or functional, compiled or not; passing `optimizer`, `loss` and `metrics` compiles it
 * @throws LayerError if the model comes from another copy of TF.js, or is not compiled when it is trained
 * @throws CaptureError from its methods, for a layer that cannot be recorded, unless `fallback` is set
 * @throws OptimError for an optimiser that is not one of TF.js's, unless `fallback` is set
 * @throws TrainError from its methods, for arguments or data that do not match the model
 */
export function accelerate(model: LayersModel, options: AccelerateOptions = {}): AcceleratedModel {
  const { optimizer, loss, metrics, precision = 'fp32', fallback = false, ...rest } = options;
  const { seed, weightDecay = 0, enforceConstraints = false, microBatch, ...sessionOptions } = rest;
  checkOptions(options);
  const { gpu } = loadTensorflow(sessionOptions);
  if (optimizer !== undefined) {
    model.compile({
      optimizer,
      loss: loss as never,
      ...(metrics === undefined ? {} : { metrics }),
    });
  }
  innerModel(model);
  const training = {
    weightDecay,
    enforceConstraints,
    microBatch,
    seed: seed ?? randomInt(2 ** 31),
    steps: { count: 0 },
  };
  const chosen = precision === 'best' ? fastestPrecision(readHardware(), gpu) : precision;
  let opened: ModelSession | undefined;
  const open = (): Opened => {
    // A sequential model wraps a new model each time it is compiled.
    const inner = innerModel(model);
    if (opened !== undefined && !opened.isCurrent(inner)) {
      opened.dispose();
      opened = undefined;
    }
    if (opened === undefined) {
      opened = openModelSession(inner, { ...sessionOptions, precision: chosen }, training);
    } else {
      opened.push();
    }
    return { inner, session: opened };
  };
  return {
    model,
    get recordings() {
      return opened?.recordings ?? [];
    },
    ...methodsOf(model, open, createRun(model, fallback), training),
    async syncOptimizer() {
      await opened?.pullOptimiser();
    },
    profile: async (action) => open().session.profile(action),
    dispose() {
      opened?.dispose();
      opened = undefined;
    },
  };
}

type Methods = Pick<
  AcceleratedModel,
  'fit' | 'fitDataset' | 'evaluate' | 'evaluateDataset' | 'predict' | 'trainOnBatch'
>;

function methodsOf(
  model: LayersModel,
  open: () => Opened,
  run: RunEither,
  training: TrainingOptions,
): Methods {
  const openCompiled = (): Opened => {
    checkCompiled(model);
    return open();
  };
  return {
    fit: (x, y, given = {}) => {
      const { sampleWeight, ...args } = withoutNulls(given);
      return run(
        'train',
        (started) => {
          const { inner, session } = openCompiled();
          const weights = sampleWeightsOf(inner, x, sampleWeight);
          const fitLoop = createFitLoop(inner, session, weights, started);
          const view = viewOf(inner, { fitLoop });
          return LayersModel.prototype.fit.call(view, x as never, y as never, args as never);
        },
        () => {
          checkEager(model, training, sampleWeight);
          return model.fit(x, y, args as never);
        },
      );
    },
    async fitDataset(dataset, given) {
      const args = withoutNulls(given);
      let ahead: DatasetsAhead | undefined;
      try {
        return await run(
          'train',
          async (started) => {
            const { inner, session } = openCompiled();
            checkFitDataset(args);
            startTraining(inner);
            try {
              ahead = await readAhead(dataset, args);
              const validate = await prepareDatasets(inner, session, ahead, args);
              started();
              return await fitDataset(inner, session, ahead.training.dataset, args, validate);
            } finally {
              inner.isTraining = false;
            }
          },
          () => {
            checkEager(model, training, undefined);
            const { training: batches = { dataset }, validation } = ahead ?? {};
            const validationData = validation?.dataset ?? args.validationData;
            return model.fitDataset(batches.dataset as never, { ...args, validationData } as never);
          },
        );
      } finally {
        ahead?.training.dispose();
        ahead?.validation?.dispose();
      }
    },
    evaluate: (x, y, args = {}) =>
      run(
        'test',
        async () => {
          const { inner, session } = openCompiled();
          const [rows, batchSize] = evaluationRows(inner, x, y, args);
          return scalars(await evaluateRows(session, rows, batchSize));
        },
        () => model.evaluate(x as never, y as never, args),
      ),
    async evaluateDataset(dataset, given = {}) {
      const { batches } = withoutNulls(given);
      if (batches !== undefined) checkCount('evaluateDataset', 'batches', batches);
      let ahead: PeekedDataset | undefined;
      try {
        return await run(
          'test',
          async () => {
            const { inner, session } = openCompiled();
            ahead = await peekDataset(dataset);
            await prepareTest(inner, session, ahead);
            return scalars(await evaluateDataset(inner, session, ahead.dataset, batches));
          },
          () => model.evaluateDataset((ahead?.dataset ?? dataset) as never, { batches } as never),
        );
      } finally {
        ahead?.dispose();
      }
    },
    predict: async (given, args = {}) => {
      const x = inputsInOrder(innerModel(model), given);
      return run(
        'predict',
        async () => {
          const { inner, session } = open();
          return predict(inner, session, x, args);
        },
        () => model.predict(x, args),
      );
    },
    trainOnBatch: (x, y) =>
      run(
        'train',
        () => trainOnBatch(openCompiled(), x, y),
        () => {
          checkEager(model, training, undefined);
          return model.trainOnBatch(x, y);
        },
      ),
  };
}

/** Arguments in which null stands for the default, as in TF.js, without those that are null. */
function withoutNulls<T extends object>(args: T): T {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null)) as T;
}

/** A model and its session on the device. */
interface Opened {
  readonly inner: ModelInternals;
  readonly session: ModelSession;
}

async function trainOnBatch(
  { inner, session }: Opened,
  x: ModelData,
  y: ModelData,
): Promise<number | number[]> {
  const [inputs, targets] = await inner.standardizeUserData(x, y);
  const tensors = [...inputs, ...targets];
  const data = tensors.map((tensor): HostTensor => rowsOf(tensor).slice(0, tensor.shape[0]));
  // TF.js reshapes tensors of rank 1.
  const given = new Set([...tensorsIn(x), ...tensorsIn(y)]);
  tf.dispose(tensors.filter((tensor) => !given.has(tensor)));
  const figures = await session.train(data);
  await session.pullWeights();
  return figures.length === 1 ? figures[0] : [...figures];
}

function checkOptions({
  loss,
  metrics,
  optimizer,
  precision = 'fp32',
  weightDecay = 0,
  seed = 0,
  microBatch = 1,
}: AccelerateOptions): void {
  if (optimizer === undefined && (loss !== undefined || metrics !== undefined)) {
    throw new LayerError(
      'accelerate: loss and metrics were given without an optimizer. Give all of them, or none and a compiled model.',
    );
  }
  if (precision !== 'best' && !precisions.includes(precision)) {
    throw new TrainError(
      `accelerate: precision must be ${precisions.join(', ')} or best; got "${precision}".`,
    );
  }
  if (!(weightDecay >= 0)) {
    throw new OptimError(`accelerate: weightDecay must be 0 or more; got ${weightDecay}.`);
  }
  if (!Number.isInteger(seed) || Math.abs(seed) >= 2 ** 31) {
    throw new TrainError(`accelerate: the seed must be an integer below 2^31; got ${seed}.`);
  }
  if (!Number.isInteger(microBatch) || microBatch < 1) {
    throw new TrainError(
      `accelerate: microBatch must be a positive number of examples; got ${microBatch}.`,
    );
  }
}

function startTraining(model: ModelInternals): void {
  if (model.isTraining) {
    throw new TrainError('accelerate: another fit of this model is still running. Await it first.');
  }
  model.isTraining = true;
}
