import { overridden } from '../catalogue/override';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { prepareRun } from '../runs/prepare';
import type { FinishedRun } from '../runs/run';
import type { Tta } from '../train/test-time';
import { countRun } from './count-run';

/** A trained network's results on the test images with one kind of test-time augmentation. */
export type TestTimeRow = {
  readonly views: string;
  /** Test accuracy in percent. */
  readonly accPercent: number;
  readonly loss: number;
  /** 10^12 floating-point operations of the evaluation, counted from its graph. */
  readonly tflop: number;
};

/** Every kind of test-time augmentation, from none to the most views. */
const kinds: readonly Tta[] = [false, true, 'six-views-if-unsure', 'six-views'];

/**
 * Evaluates one trained network with every kind of test-time augmentation, which shows the value of the views alone. Trains
 * nothing.
 *
 * @param run a finished run with its trained state
 * @param images number of test images to evaluate, from the first. Default: all. Operations are counted for all.
 * @throws TrainError if the loss is NaN or infinite
 */
export async function testTimeStudy(
  { experiment, seed, state }: Pick<FinishedRun, 'experiment' | 'seed' | 'state'>,
  data: Cifar10,
  { images, engine }: { readonly images?: number; readonly engine?: SessionOptions } = {},
): Promise<TestTimeRow[]> {
  const { trainer } = prepareRun(experiment, data, seed, engine === undefined ? {} : { engine });
  try {
    trainer.session.write(state);
    const rows: TestTimeRow[] = [];
    for (const tta of kinds) {
      const { acc, loss } = await trainer.evaluate({
        tta,
        ...(images === undefined ? {} : { images }),
      });
      const { evaluation } = countRun(overridden(experiment, 'run.tta', tta));
      const views = tta === false ? 'the image' : tta === true ? 'image and mirror' : tta;
      rows.push({ views, accPercent: 100 * acc, loss, tflop: evaluation / 1e12 });
    }
    return rows;
  } finally {
    trainer.dispose();
  }
}
