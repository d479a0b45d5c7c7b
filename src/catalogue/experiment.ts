import type { Scheme } from '../augment/plan';
import type { Transform } from '../augment/transform';
import type { Jitter } from '../augment/jitter';
import type { AirbenchOptions } from '../models/airbench';
import type { BagOfTricksOptions, NewDawnOptions } from '../models/bag-of-tricks';
import type { DawnOptions } from '../models/dawn';
import type { Resnet9Options } from '../models/resnet9';
import type { UnbranchedOptions } from '../models/unbranched';
import type { Ema } from '../optim/ema';
import type { Lookahead } from '../optim/lookahead';
import type { Group, RuleName } from '../optim/optimiser';
import type { Schedule } from '../optim/schedule';
import type { Tta } from '../train/test-time';
import type { SizeStage } from '../train/training';

/** How a stage of the baseline network is built; each is a block of `models/dawn`. */
export type BlockName = 'res' | 'pre-activation' | 'pointwise' | 'strided' | 'max-pool';

/** A network: the name of its model and all of its options. */
export type NetConfig =
  | ({ readonly model: 'resnet9' } & Required<
      Pick<Resnet9Options, 'channels' | 'weight' | 'extraLayers' | 'resLayers'>
    >)
  | ({ readonly model: 'dawn'; readonly block: BlockName } & Required<
      Pick<DawnOptions, 'channels' | 'prepBnRelu' | 'concatPool'>
    >)
  | ({
      readonly model: 'bag-of-tricks';
      /** Alpha of the CELUs. Default: ReLU instead of CELU. */
      readonly celuAlpha?: number;
    } & Required<Omit<BagOfTricksOptions, 'act'>>)
  | ({ readonly model: 'new-dawn' } & Required<NewDawnOptions>)
  | ({ readonly model: 'unbranched' } & Required<UnbranchedOptions>)
  | ({
      readonly model: 'airbench';
      /** The number of first training images from which the whitening is computed; 0 keeps a random kernel. */
      readonly whiteningImages: number;
    } & Required<Omit<AirbenchOptions, 'init' | 'isHeadStandardised'>> &
      Pick<AirbenchOptions, 'init' | 'isHeadStandardised'>);

/**
 * The loss of each example: (1 - smoothing) xent + smoothing KL, or xentWeight xent + klWeight KL, where xent is its cross
 * entropy and KL the cross entropy of the uniform target.
 */
export type LossConfig =
  { readonly smoothing: number } | { readonly xentWeight: number; readonly klWeight: number };

/** How images are augmented and batched. */
export interface DataConfig {
  /** The number of training and test images, the first in original order. Default: all. */
  readonly subset?: { readonly train: number; readonly valid: number };
  readonly transforms: readonly Transform[];
  /** Pixels of reflect padding on each side, available to a crop. */
  readonly pad: number;
  readonly scheme: Scheme;
  /** In scheme `groups`: the maximum number of options of one transform that an epoch uses. */
  readonly maxOptions: number;
  readonly batchSize: number;
  readonly dropLast: boolean;
  /** Random brightness and contrast; default: none. */
  readonly jitter?: Jitter;
  /** Sizes of training images over the run; default: no resampling. */
  readonly sizes?: readonly SizeStage[];
  /** Test images in a batch; default: `batchSize`. */
  readonly validBatchSize?: number;
}

/** How weights are updated. */
export interface OptimConfig {
  readonly rule: RuleName;
  readonly groups: readonly Group[];
  readonly momentum: number;
  /** For the mean loss of a batch. */
  readonly weightDecay: number;
  /** Learning rate for the mean loss of a batch, over epochs. */
  readonly lr: Schedule;
  /** 0: the first update uses the schedule's value at 0, and so on; 1: that at the end of its step. Default: 1. */
  readonly firstStep?: 0 | 1;
  readonly ema?: Ema;
  readonly lookahead?: Lookahead;
}

/** How long a run is, and what is evaluated. */
export interface RunConfig {
  readonly epochs: number;
  /** Test-time augmentation of every evaluation; see also `midwayImages`. */
  readonly tta: Tta;
  /** The number of test images evaluated after every epoch but the last, without test-time augmentation. */
  readonly midwayImages?: number;
  /** After the last epoch, evaluate again with the image and its mirror image. */
  readonly finalTta?: boolean;
  /** Whether the run may diverge: if the loss becomes NaN or infinite, it ends without an error. */
  readonly mayDiverge?: boolean;
}

/** Published figures of a run. */
export interface Published {
  /** Test accuracy in percent. Absent if it was not published. */
  readonly accPercent?: number;
  /** Test accuracy in percent over the image and its mirror image, if it was published separately. */
  readonly ttaAccPercent?: number;
  /** Seconds; what they include differs, see {@link Published.note}. Absent if only the accuracy is known. */
  readonly timeSec?: number;
  /** The number of runs behind the figures; absent if the post does not give it. */
  readonly runs?: number;
  /** The number of these runs that reached 94 % or more. */
  readonly reached?: number;
  /** The single GPU that it was trained on: `V100` in all posts. */
  readonly hardware: string;
  /** How the accuracy summarises the runs, what the time includes, and the source of the figures. */
  readonly note: string;
}

/**
 * Where the study shows a run: in one of its notebooks, as a script, or in the text of a post alone.
 */
export type Notebook =
  'demo' | 'experiments' | 'batch_norm' | 'bag_of_tricks' | 'scripts' | 'posts' | 'speedrun';

/** Every {@link Notebook}, in the order in which they are listed. */
export const notebooks: readonly Notebook[] = [
  'demo',
  'experiments',
  'batch_norm',
  'bag_of_tricks',
  'scripts',
  'posts',
  'speedrun',
];

/** One training of the study as data: everything that determines its result except the seed. */
export interface Experiment {
  readonly name: string;
  /** A one-line description. */
  readonly title: string;
  /** The post that it belongs to, 1 to 8; 9 for work published after the posts. */
  readonly post: number;
  readonly notebook: Notebook;
  /** The first cell of the notebook that shows it, from 0. Absent outside notebooks. */
  readonly cell?: number;
  /** Its scale; absent in the catalogue, where it is full. */
  readonly scale?: Scale;
  /** Changes other than the scale, each as `path=value`; absent in the catalogue. */
  readonly overrides?: readonly string[];
  readonly net: NetConfig;
  readonly loss: LossConfig;
  readonly data: DataConfig;
  readonly optim: OptimConfig;
  readonly run: RunConfig;
  readonly published?: Published;
}

/** The scale of an experiment: as published, or narrower and shorter. */
export type Scale = 'smoke' | 'pocket' | 'full';

/** The scales, from small to large. */
export const scales: readonly Scale[] = ['smoke', 'pocket', 'full'];
