import type { Scheme } from '../augment/plan';
import type { Transform } from '../augment/transform';
import type { BagOfTricksOptions } from '../models/bag-of-tricks';
import type { DawnOptions } from '../models/dawn';
import type { Resnet9Options } from '../models/resnet9';
import type { Ema } from '../optim/ema';
import type { Group, RuleName } from '../optim/optimiser';
import type { Schedule } from '../optim/schedule';

/** How a stage of the baseline network is built; each is a block of `models/dawn`. */
export type BlockName = 'res' | 'pre-activation' | 'pointwise' | 'strided' | 'max-pool';

/** A network, by the name of its model and everything that is chosen about it. */
export type NetRecord =
  | ({ readonly model: 'resnet9' } & Required<
      Pick<Resnet9Options, 'channels' | 'weight' | 'extraLayers' | 'resLayers'>
    >)
  | ({ readonly model: 'dawn'; readonly block: BlockName } & Required<
      Pick<DawnOptions, 'channels' | 'prepBnRelu' | 'concatPool'>
    >)
  | ({
      readonly model: 'bag-of-tricks';
      /** Of the CELUs; ReLUs where absent. */
      readonly celuAlpha?: number;
    } & Required<Omit<BagOfTricksOptions, 'act'>>);

/** How images are augmented and batched. */
export interface DataRecord {
  /** The first so many training images and test images, in original order; all where absent. */
  readonly subset?: { readonly train: number; readonly valid: number };
  readonly transforms: readonly Transform[];
  /** Pixels of reflect padding on each side that a crop can use. */
  readonly pad: number;
  readonly scheme: Scheme;
  /** In scheme `groups`: options of one transform that an epoch uses at most. */
  readonly maxOptions: number;
  readonly batchSize: number;
  readonly dropLast: boolean;
}

/** How weights are moved. */
export interface OptimRecord {
  readonly rule: RuleName;
  readonly groups: readonly Group[];
  readonly momentum: number;
  /** For the mean loss of a batch. */
  readonly weightDecay: number;
  /** Learning rate for the mean loss of a batch, over epochs. */
  readonly lr: Schedule;
  readonly ema?: Ema;
}

/** What was published for a run, measured on one V100. */
export interface Published {
  /** Test accuracy in percent. */
  readonly accPercent: number;
  /** Seconds; what they include differs, see {@link Published.note}. Absent where only the accuracy is known. */
  readonly timeSec?: number;
  /** How often it was run and where the figure stands. */
  readonly note: string;
}

/** The notebook of the study that shows a run. */
export type Notebook = 'demo' | 'experiments' | 'bag_of_tricks';

/** One training run of the study, as data: everything that decides its result but the seed. */
export interface Experiment {
  readonly name: string;
  /** What it is, in a line. */
  readonly title: string;
  /** Where the study shows it: the notebook, and the cell's number there, from 0. */
  readonly notebook: Notebook;
  readonly cell: number;
  /** The size that it was brought to; absent in the catalogue, and in full size. */
  readonly scale?: Scale;
  readonly net: NetRecord;
  readonly loss: { readonly smoothing: number };
  readonly data: DataRecord;
  readonly optim: OptimRecord;
  readonly run: { readonly epochs: number; readonly tta: boolean };
  readonly published?: Published;
}

/** In which size a record is run. */
export type Scale = 'smoke' | 'pocket' | 'full';

/** The sizes, from small to large. */
export const scales: readonly Scale[] = ['smoke', 'pocket', 'full'];
