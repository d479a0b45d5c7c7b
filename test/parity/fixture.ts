import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors } from '../../src/data/safetensors';
import type { Row } from '../../src/text/table';
import type { TsvRow } from '../../src/text/tsv';
import type { Numbers } from '../expect-close';
import { sorted } from './subject';

/** One node of a network or loss, as a fixture lists it. */
export interface NodeEntry {
  readonly path: string;
  readonly type: string;
  /** Full paths of its input nodes. */
  readonly inputs: readonly string[];
  /** The layer as PyTorch prints it. */
  readonly repr: string;
  /** What `repr` omits. */
  readonly params?: {
    readonly weight?: number;
    readonly splits?: number;
    readonly trainable?: Readonly<Record<string, boolean>>;
  };
}

/** A network, its loss and its hyperparameters. */
export interface NetworkSpec {
  readonly batch_size: number;
  readonly schedule: {
    readonly knots: readonly number[];
    readonly vals: readonly number[];
    readonly unit: string;
    readonly steps_per_epoch: number;
    readonly divided_by_batch_size: boolean;
    readonly step_counts_from: number;
  };
  readonly lr_per_step: readonly number[];
  readonly weight_decay: number;
  readonly momentum: number;
  readonly optimizer: string;
  readonly bias_group_factor: number | null;
  readonly ema: { readonly momentum: number; readonly update_freq: number } | null;
  readonly graph: readonly NodeEntry[];
  readonly loss_graph: readonly NodeEntry[];
}

/** How one image was augmented. */
export interface AugmentationEntry {
  readonly crop_x0: number;
  readonly crop_y0: number;
  readonly flip: boolean;
  readonly cutout_x0: number;
  readonly cutout_y0: number;
  readonly cutout: readonly [height: number, width: number];
  readonly order: readonly string[];
}

/** The hyperparameters of each step of an optimiser on one kernel. */
export interface OptimisersSpec {
  readonly steps: readonly {
    readonly lr: number;
    readonly weight_decay: number;
    readonly momentum: number;
  }[];
}

type Nodes = readonly (readonly [path: string, type: string, inputs: readonly string[]])[];

/** Results of the part of the reference without tensors. */
export interface CoreSpec {
  readonly graphs?: Readonly<
    Record<
      string,
      { readonly nodes: Nodes; readonly identity_removed: Nodes; readonly dot: string | null }
    >
  >;
  readonly schedules?: readonly {
    readonly knots: readonly number[];
    readonly vals: readonly number[];
    readonly at: readonly number[];
    readonly value: readonly number[];
  }[];
  readonly table?: { readonly rows: readonly Row[]; readonly printed: string };
  readonly tsv?: { readonly rows: readonly TsvRow[]; readonly text: string };
  readonly even_splits?: readonly {
    readonly N: number;
    readonly chunks: number;
    readonly splits: readonly number[];
  }[];
  readonly augmentation_option_counts?: Readonly<Record<string, number>>;
}

/** A JSON file with the tensors of the safetensors file beside it; the content of the JSON determines `kind`. */
export type Fixture = {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, Numbers>;
} & (
  | { readonly kind: 'network'; readonly spec: NetworkSpec }
  | { readonly kind: 'preprocess'; readonly spec: readonly AugmentationEntry[] }
  | { readonly kind: 'optimisers'; readonly spec: OptimisersSpec }
  | { readonly kind: 'core'; readonly spec: CoreSpec }
);

const coreParts = [
  'graphs',
  'schedules',
  'table',
  'tsv',
  'even_splits',
  'augmentation_option_counts',
] as const satisfies readonly (keyof CoreSpec)[];

/**
 * The names of a folder's fixtures, sorted.
 *
 * @throws Error if there is none
 */
export function fixtureNames(folder: string): string[] {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const names = files.flatMap((file) => /^(.+)\.(?:json|safetensors)$/.exec(file)?.[1] ?? []);
  if (names.length === 0) {
    throw new Error(
      `parity: ${folder} holds no fixture. ` +
        'Name a folder with NAME.json and, where the fixture has tensors, NAME.safetensors.',
    );
  }
  return sorted(new Set(names));
}

/**
 * Reads one fixture. Its content determines its kind, not its name.
 *
 * @throws Error if its kind is unknown, or one of its two files is missing
 */
export function readFixture(folder: string, name: string): Fixture {
  if (!existsSync(join(folder, `${name}.json`))) {
    throw new Error(`parity: ${name}.safetensors has no ${name}.json that says what was run.`);
  }
  const spec = readJson(join(folder, `${name}.json`));
  const tensors = readTensors(join(folder, `${name}.safetensors`));
  const kind = kindOf(spec);
  if (kind === undefined) {
    throw new Error(
      `parity: ${join(folder, `${name}.json`)} is of no known kind. A network has "graph" and "loss_graph", ` +
        `optimisers have "steps", preprocessing is a list with "crop_x0", core has one of ${coreParts.join(', ')}.`,
    );
  }
  if (kind !== 'core' && tensors.size === 0) {
    throw new Error(`parity: ${name}.json (${kind}) has no tensors in ${name}.safetensors.`);
  }
  return { name, tensors, kind, spec } as Fixture;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch (cause) {
    throw new Error(`parity: ${path} is no JSON.`, { cause });
  }
}

function kindOf(spec: unknown): Fixture['kind'] | undefined {
  const first: unknown = Array.isArray(spec) ? spec[0] : spec;
  if (typeof first !== 'object' || first === null) return undefined;
  if (Array.isArray(spec)) return 'crop_x0' in first ? 'preprocess' : undefined;
  if ('graph' in first && 'loss_graph' in first) return 'network';
  if ('steps' in first) return 'optimisers';
  return coreParts.some((part) => part in first) ? 'core' : undefined;
}

function readTensors(path: string): ReadonlyMap<string, Numbers> {
  if (!existsSync(path)) return new Map();
  return new Map(
    [...readSafetensors(path).tensors].map(([name, { dtype, shape, data }]) => [
      name,
      { shape, data: dtype === 'I64' ? Array.from(data, Number) : data },
    ]),
  );
}
