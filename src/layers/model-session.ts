import type * as tf from '@tensorflow/tfjs-core';
import { LayerError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { createSession } from '../engine/session';
import type { Recording, Session, SessionOptions } from '../engine/session';
import { weightsOf } from './internals';
import type { ModelInternals, OptimizerInternals, Weight } from './internals';
import {
  learningRateOf,
  readOptimiser,
  ruleOf,
  settingsOf,
  toTensor,
  writeOptimiser,
} from './optimiser-state';
import { listed, numbered, predictStep, testStep, trainStep } from './steps';
import type { ModelState, Numbered } from './steps';
import { withWeightDecay } from './update-rules';

/** How a model is trained, beyond what it was compiled with. */
export interface TrainingOptions {
  readonly weightDecay: number;
  readonly enforceConstraints: boolean;
  readonly seed: number;
}

/** Inputs, targets and weights of the examples of a batch; an output without weights has no entry. */
export type BatchData = readonly (HostTensor | null)[];

/** A model on the device: its weights and optimiser, and the steps that were recorded for it. */
export interface ModelSession {
  readonly recordings: readonly Recording[];
  /** Whether a model is the one that this was opened for, compiled as it was then, with the same weights and settings. */
  isCurrent(model: ModelInternals): boolean;
  /** Records the training step of a batch of this shape, if it is not recorded. */
  prepareTraining(data: BatchData): void;
  /** Trains on a batch. Returns the loss and the metrics, in the order of the model's. */
  train(data: BatchData): Promise<Float32Array>;
  /** Records the evaluation of a batch of this shape, if it is not recorded. */
  prepareTest(data: BatchData): void;
  test(data: BatchData): Promise<Float32Array>;
  /** Records the prediction of a batch of this shape, if it is not recorded. */
  preparePrediction(data: BatchData): void;
  predict(data: BatchData): Promise<HostTensor[]>;
  /** Takes over what was assigned to the model's weights or its optimiser since the last call. */
  push(): void;
  /** Gives the model the weights as they are now. */
  pullWeights(): Promise<void>;
  /** Gives the model's optimiser its state as it is now. */
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
  { weightDecay, enforceConstraints, seed }: TrainingOptions,
): ModelSession {
  const weights = weightsOf(model);
  const compiled = compiledParts(model);
  const trained = (model.collectedTrainableWeights ?? []).map(
    (weight) => [weights.indexOf(weight), weight] as const,
  );
  const { optimizer } = model;
  const plainRule = optimizer === undefined ? undefined : ruleOf(optimizer);
  const rule = plainRule && withWeightDecay(plainRule, weightDecay);
  const optimiserState = (): Pick<ModelState, 'slots' | 'counters'> =>
    optimizer === undefined || plainRule === undefined
      ? { slots: {}, counters: {} }
      : readOptimiser(optimizer, plainRule, trained);
  const session = createSession<ModelState>(
    { weights: numbered(weights.map(hostOf)), ...optimiserState() },
    sessionOptions,
  );
  const runs = new Map<string, RunBatch<never>>();
  let seenWeights = weights.map(dataIdOf);
  let seenOptimiser = optimiserIds(
    optimizer,
    plainRule?.slots.map(({ member }) => member),
  );
  let steps = 0;
  let unwritten = 0;

  /** The run of a step for batches of this shape, recorded when it is first asked for. */
  const prepare = <T>(
    kind: string,
    data: BatchData,
    record: (kept: tf.Tensor[]) => RunBatch<T>,
  ): RunBatch<T> => {
    const key = `${kind} ${shapesOf(data)}`;
    const known = runs.get(key) as RunBatch<T> | undefined;
    if (known !== undefined) return known;
    const kept: tf.Tensor[] = [];
    try {
      const run = record(kept);
      runs.set(key, run as RunBatch<never>);
      return run;
    } finally {
      for (const tensor of kept) if (!tensor.isDisposed) tensor.dispose();
    }
  };

  const training = (data: BatchData): RunBatch<Float32Array> =>
    prepare('train', data, (kept) => {
      if (rule === undefined || optimizer === undefined) throw notCompiled();
      const feeds = (batch: BatchData) => ({
        data: present(batch),
        lr: learningRateOf(optimizer),
        seed: Int32Array.of(seed, steps),
      });
      const run = session.capture(
        `train ${shapesOf(data)}`,
        trainStep({ model, kept }, rule, { enforceConstraints }),
        feeds(data),
      );
      return async (batch) => {
        const fed = feeds(batch);
        steps += 1;
        unwritten += 1;
        return figuresOf(await run(fed));
      };
    });

  const testing = (data: BatchData): RunBatch<Float32Array> =>
    prepare('test', data, (kept) => {
      if (rule === undefined) throw notCompiled();
      const run = session.capture(`test ${shapesOf(data)}`, testStep({ model, kept }), {
        data: present(data),
      });
      return async (batch) => {
        return figuresOf(await run({ data: present(batch) }));
      };
    });

  const prediction = (data: BatchData): RunBatch<HostTensor[]> =>
    prepare('predict', data, (kept) => {
      const run = session.capture(`predict ${shapesOf(data)}`, predictStep({ model, kept }), {
        data: present(data),
      });
      return async (batch) => {
        const outputs: unknown = await run({ data: present(batch) });
        return listed(outputs as Numbered<HostTensor>);
      };
    });

  return {
    recordings: session.recordings,
    isCurrent: (now) => compiledParts(now).every((part, index) => part === compiled[index]),
    prepareTraining: (data) => void training(data),
    train: (data) => training(data)(data),
    prepareTest: (data) => void testing(data),
    test: (data) => testing(data)(data),
    preparePrediction: (data) => void prediction(data),
    predict: (data) => prediction(data)(data),
    push() {
      const ids = weights.map(dataIdOf);
      const changed = weights.flatMap((weight, index) =>
        ids[index] === seenWeights[index] ? [] : [[String(index), hostOf(weight)] as const],
      );
      if (changed.length > 0) session.write({ weights: Object.fromEntries(changed) });
      seenWeights = ids;
      const optimiser = optimiserIds(
        optimizer,
        plainRule?.slots.map(({ member }) => member),
      );
      if (optimiser.some((id, index) => id !== seenOptimiser[index])) {
        session.write(optimiserState());
      }
      seenOptimiser = optimiser;
    },
    async pullWeights() {
      const { weights: values } = await session.read('weights');
      for (const [index, weight] of weights.entries()) {
        const value = toTensor(values[index]);
        // Past the constraint, as TF.js's optimisers assign.
        weight.val.assign(value);
        value.dispose();
      }
      seenWeights = weights.map(dataIdOf);
    },
    async pullOptimiser() {
      if (optimizer === undefined || plainRule === undefined) return;
      const state = await session.read('slots', 'counters');
      writeOptimiser(optimizer, plainRule, trained, state, unwritten);
      unwritten = 0;
      seenOptimiser = optimiserIds(
        optimizer,
        plainRule.slots.map(({ member }) => member),
      );
    },
    profile: (action) => session.profile(action),
    dispose() {
      session.dispose();
    },
  };
}

function figuresOf(outputs: unknown): Float32Array {
  return (outputs as { readonly figures: HostTensor }).figures.data as Float32Array;
}

function notCompiled(): LayerError {
  return new LayerError(
    'accelerate: the model is not compiled. Call model.compile(), or pass { optimizer, loss, metrics } to accelerate().',
  );
}

/** Everything of a model that a recording is made of: another part needs another session. */
function compiledParts(model: ModelInternals): readonly unknown[] {
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

function dataIdOf({ val }: Weight): object {
  return val.dataId;
}

function hostOf({ val }: Weight): HostTensor {
  return { shape: val.shape, data: val.dataSync() as Float32Array };
}

/** What tells whether somebody else has changed an optimiser's state. */
function optimiserIds(
  optimizer: OptimizerInternals | undefined,
  members: readonly string[] | undefined,
): object[] {
  if (optimizer === undefined || members === undefined) return [];
  return members.flatMap((member) =>
    (optimizer as unknown as Record<string, { variable: tf.Variable }[]>)[member].map(
      ({ variable }) => variable.dataId,
    ),
  );
}

/** What is fed of a batch: a data set without weights of its examples has none. */
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
