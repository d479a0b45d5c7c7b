import type * as tf from '@tensorflow/tfjs-core';
import type { HostTensor } from '../base/host-tensor';
import { createSession } from '../engine/session';
import type { Recording, Session, SessionOptions } from '../engine/session';
import { notCompiled, weightsOf } from './internals';
import type { ModelInternals, Weight } from './internals';
import { createExchange, hostOf, optimiserState } from './exchange';
import type { TrainedBy } from './exchange';
import { learningRateOf, ruleOf, settingsOf } from './optimiser-state';
import { listed, numbered, predictStep, testStep, trainStep } from './steps';
import type { ModelState, Numbered } from './steps';
import { withWeightDecay } from './update-rules';

/** How a model is trained, in addition to what `compile` sets. */
export interface TrainingOptions {
  readonly weightDecay: number;
  readonly enforceConstraints: boolean;
  readonly seed: number;
  readonly microBatch: number | undefined;
  /** Steps trained so far, also before the model was compiled again: random layers draw other numbers in each. */
  readonly steps: { count: number };
}

/** Inputs, targets and sample weights of a batch; null for an output without sample weights. */
export type BatchData = readonly (HostTensor | null)[];

/** A model on the device: its weights, its optimiser state and its recorded steps. */
export interface ModelSession {
  readonly recordings: readonly Recording[];
  /** Whether `model` is the one this session was opened for, still compiled with the same settings and weights. */
  isCurrent(model: ModelInternals): boolean;
  /** Records the training step for batches of this shape, unless it is already recorded. */
  prepareTraining(data: BatchData): void;
  /** Trains on a batch. Returns the loss and the metrics, in the model's order. */
  train(data: BatchData): Promise<Float32Array>;
  /** Records the evaluation step for batches of this shape, unless it is already recorded. */
  prepareTest(data: BatchData): void;
  test(data: BatchData): Promise<Float32Array>;
  predict(data: BatchData): Promise<HostTensor[]>;
  /** Copies to the device what was assigned to the model's weights or its optimiser since the last call. */
  push(): void;
  /** Copies the current weights to the model. */
  pullWeights(): Promise<void>;
  /** Copies the current optimiser state to the model's optimiser. */
  pullOptimiser(): Promise<void>;
  /** Times every operation of the steps that run until `action` has ended. */
  profile: Session<ModelState>['profile'];
  dispose(): void;
}

/** Runs a recorded step on a batch. */
type RunBatch<T> = (data: BatchData) => Promise<T>;

/**
 * Copies a model's weights and the state of its optimiser to the device.
 *
 * @throws EngineError if TensorFlow does not load
 */
export function openModelSession(
  model: ModelInternals,
  sessionOptions: SessionOptions,
  { weightDecay, enforceConstraints, seed, microBatch, steps }: TrainingOptions,
): ModelSession {
  const weights = weightsOf(model);
  const compiled = compiledParts(model);
  const trainedBy = trainedByOf(model, weights);
  const session = createSession<ModelState>(
    { weights: numbered(weights.map(hostOf)), ...optimiserState(trainedBy) },
    sessionOptions,
  );
  const exchange = createExchange(session, weights, trainedBy);
  const prepare = createRecorder();
  let unwritten = 0;

  const training = (data: BatchData): RunBatch<Float32Array> =>
    prepare('train', data, (kept, name) => {
      if (trainedBy === undefined) throw notCompiled();
      const feeds = (batch: BatchData) => ({
        data: present(batch),
        lr: learningRateOf(trainedBy.optimizer),
        seed: Int32Array.of(seed, steps.count),
      });
      const rule = withWeightDecay(trainedBy.rule, weightDecay);
      const isHalf = sessionOptions.precision === 'fp16';
      const step = trainStep({ model, kept }, rule, { enforceConstraints, microBatch, isHalf });
      const run = session.capture(name, step, feeds(data));
      return async (batch) => {
        const fed = feeds(batch);
        steps.count += 1;
        unwritten += 1;
        return figuresOf(await run(fed));
      };
    });
  const testing = (data: BatchData): RunBatch<Float32Array> =>
    prepare('test', data, (kept, name) => {
      if (trainedBy === undefined) throw notCompiled();
      const run = session.capture(name, testStep({ model, kept }), { data: present(data) });
      return async (batch) => figuresOf(await run({ data: present(batch) }));
    });
  const prediction = (data: BatchData): RunBatch<HostTensor[]> =>
    prepare('predict', data, (kept, name) => {
      const run = session.capture(name, predictStep({ model, kept }), { data: present(data) });
      return async (batch) => {
        const outputs: unknown = await run({ data: present(batch) });
        return listed(outputs as Numbered<HostTensor>);
      };
    });

  return {
    recordings: session.recordings,
    isCurrent: (now) => isSameCompiled(compiledParts(now), compiled),
    prepareTraining: (data) => void training(data),
    train: (data) => training(data)(data),
    prepareTest: (data) => void testing(data),
    test: (data) => testing(data)(data),
    predict: (data) => prediction(data)(data),
    push: () => exchange.push(),
    pullWeights: () => exchange.pullWeights(),
    async pullOptimiser() {
      await exchange.pullOptimiser(unwritten);
      unwritten = 0;
    },
    profile: (action) => session.profile(action),
    dispose: () => session.dispose(),
  };
}

/** The optimiser of a compiled model and the weights it trains. */
function trainedByOf(model: ModelInternals, weights: readonly Weight[]): TrainedBy | undefined {
  const { optimizer, collectedTrainableWeights = [] } = model;
  if (optimizer === undefined) return undefined;
  const trained = collectedTrainableWeights.map(
    (weight) => [weights.indexOf(weight), weight] as const,
  );
  return { optimizer, rule: ruleOf(optimizer), trained };
}

/** Caches recorded steps by kind and batch shapes, and records each on first use. */
function createRecorder(): <T>(
  kind: string,
  data: BatchData,
  record: (kept: tf.Tensor[], name: string) => RunBatch<T>,
) => RunBatch<T> {
  const runs = new Map<string, RunBatch<unknown>>();
  return <T>(
    kind: string,
    data: BatchData,
    record: (kept: tf.Tensor[], name: string) => RunBatch<T>,
  ) => {
    const name = `${kind} ${shapesOf(data)}`;
    const known = runs.get(name) as RunBatch<T> | undefined;
    if (known !== undefined) return known;
    const kept: tf.Tensor[] = [];
    try {
      const run = record(kept, name);
      runs.set(name, run);
      return run;
    } finally {
      for (const tensor of kept) if (!tensor.isDisposed) tensor.dispose();
    }
  };
}

function figuresOf(outputs: unknown): Float32Array {
  return (outputs as { readonly figures: HostTensor }).figures.data as Float32Array;
}

/** All parts of a model that a recording depends on: if one changes, a new session is needed. */
export function compiledParts(model: ModelInternals): readonly unknown[] {
  return [
    model,
    model.optimizer,
    model.optimizer === undefined ? '' : JSON.stringify(settingsOf(model.optimizer)),
    model.lossFunctions,
    model.metricsTensors,
    model.collectedTrainableWeights,
    weightsOf(model)
      .map(({ name }) => name)
      .join(),
  ];
}

/** Whether two results of {@link compiledParts} are of the same compiled model. */
export function isSameCompiled(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.every((part, index) => part === other[index]);
}

/** The tensors of a batch that are fed, without the entries that are null. */
function present(data: BatchData): Numbered<HostTensor> {
  return Object.fromEntries(
    data.flatMap((value, index) => (value === null ? [] : [[String(index), value] as const])),
  );
}

function shapesOf(data: BatchData): string {
  return data
    .map((value) =>
      value === null
        ? '-'
        : `${value.data.constructor.name.replace('Array', '')}[${value.shape.join()}]`,
    )
    .join(' ');
}
