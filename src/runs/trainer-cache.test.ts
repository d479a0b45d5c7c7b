import { afterAll, expect, test, vi } from 'vitest';
import { InterruptedError } from '../base/errors';
import { bits, data, long, resume, small, useRuns } from '../../test/small-run';
import { stopAfter } from '../../test/small-training';
import * as trainers from '../train/trainer';
import { trainExperiment } from './train';
import type { TrainOptions } from './train';
import { TrainerCache } from './trainer-cache';

const { path, whole, stopped } = useRuns();
const cache = new TrainerCache();
afterAll(() => cache.dispose());

const train = (
  seed: number,
  more: Partial<TrainOptions> = {},
  experiment = small,
): ReturnType<typeof trainExperiment> =>
  trainExperiment(experiment, { data, seed, trainers: cache, ...more });

test(
  'runs that differ only in their seed share a trainer, with results bit-identical to those of new trainers',
  async () => {
    const created = vi.spyOn(trainers, 'createTrainer');
    const called: number[] = [];
    const onEpoch = (): void => void called.push(0);
    const other = await train(1, { onEpoch });
    const same = await train(3, { logDir: path('cached'), onEpoch: () => void called.push(1) });
    expect(created).toHaveBeenCalledTimes(1);
    expect(called).toEqual([0, 0, 0, 1, 1, 1]);
    expect(bits(same)).toEqual(bits(whole()));
    expect(bits(other)).not.toEqual(bits(same));
    expect({ ...same.result, trainSec: 0, imagesPerSec: 0, evaluationSec: 0 }).toEqual({
      ...whole().result,
      trainSec: 0,
      imagesPerSec: 0,
      evaluationSec: 0,
    });
    expect(same.preprocessSec).toBe(other.preprocessSec);
    // A resumed run uses the cached trainer too.
    const { folder } = await stopped('stopped', 4);
    expect(bits(await resume(folder, { trainers: cache }))).toEqual(bits(whole()));
  },
  long,
);

test(
  'another experiment, other images, a time limit or a failure need a new trainer',
  async () => {
    const created = vi.spyOn(trainers, 'createTrainer');
    const counts: number[] = [];
    const counted = async (run: () => Promise<unknown>): Promise<void> => {
      const before = created.mock.calls.length;
      await run();
      counts.push(created.mock.calls.length - before);
    };
    const shorter = { ...small, run: { ...small.run, epochs: 1 } };
    await counted(() => train(1, {}, shorter));
    await counted(() => train(2, {}, shorter));
    await counted(() => train(1, { data: { ...data } }, shorter));
    await counted(() => train(1, { atMostSec: 1000 }, shorter));
    await counted(() => train(1, {}, shorter));
    await counted(() => expect(train(1, stopAfter(1), shorter)).rejects.toThrow(InterruptedError));
    await counted(() => train(1, {}, shorter));
    expect(counts).toEqual([1, 0, 1, 1, 1, 1, 1]);
  },
  long,
);
