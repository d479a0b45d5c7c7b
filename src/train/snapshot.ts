import { TrainError } from '../base/errors';
import { firstNotFinite, isHostTensor } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { entries } from '../base/tree';
import type { Examples, Learnt } from './training';

/** @throws TrainError if `given` lacks a tensor of `held`, or one of its tensors holds NaN or infinity */
export function checkSameTensors(held: Learnt, given: Learnt): void {
  const pathsOf = (learnt: Learnt): string[] =>
    [...entries<HostTensor>(learnt, isHostTensor)].map(([path]) => path.join('/'));
  const found = new Set(pathsOf(given));
  const missing = pathsOf(held).find((path) => !found.has(path));
  if (missing !== undefined) {
    throw new TrainError(
      `train: the snapshot lacks "${missing}". Restore a snapshot of the same training.`,
    );
  }
  const bad = firstNotFinite(
    [...entries<HostTensor>(given, isHostTensor)].map(([path, tensor]) => [path.join('/'), tensor]),
  );
  if (bad !== undefined) {
    throw new TrainError(
      `train: in the snapshot ${bad}. Restore one from before training diverged.`,
    );
  }
}

/**
 * @param classes outputs of the network, if known
 * @throws TrainError if there are no examples, images and labels do not match, or a label is no class
 */
export function checkExamples(
  name: 'train' | 'valid',
  { images, labels }: Examples,
  [height, width, channels]: readonly [number, number, number],
  classes: number = Infinity,
): void {
  const size = height * width * channels;
  if (labels.length > 0 && images.length === labels.length * size) {
    const isClass = (label: number): boolean =>
      Number.isInteger(label) && label >= 0 && label < classes;
    let index = 0;
    while (index < labels.length && isClass(labels[index])) index += 1;
    if (index === labels.length) return;
    const most = Number.isFinite(classes) ? ` to ${classes - 1}` : '';
    throw new TrainError(
      `train: label ${index} of "${name}" is ${labels[index]}; the classes of this network count from 0${most}. Renumber the ` +
        'labels, or give the network more outputs.',
    );
  }
  throw new TrainError(
    `train: "${name}" has ${labels.length} labels and ${images.length} pixel values; expected at least one ` +
      `label, and ${size} values, [${height},${width},${channels}], for each. Give images and labels of the same ` +
      'examples, or another imageShape.',
  );
}

/** @throws TrainError if `given` has a different number of examples than `now` */
export function checkSameCounts(
  now: Readonly<Record<'train' | 'valid', Examples>>,
  given: Readonly<Record<'train' | 'valid', Examples>>,
): void {
  const [wanted, found] = [now, given].map(
    (each) => `${each.train.labels.length} and ${each.valid.labels.length}`,
  );
  if (wanted === found) return;
  throw new TrainError(
    `train: the trainer has ${wanted} training and test examples and was given ${found}. Give the same number, or create ` +
      'another trainer.',
  );
}
