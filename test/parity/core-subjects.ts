import { Graphviz } from '@hpcc-js/wasm-graphviz';
import { crop } from '../../src/augment/crop';
import { cutout } from '../../src/augment/cutout';
import { flipLR } from '../../src/augment/flip';
import { evenSplits } from '../../src/augment/plan';
import { options } from '../../src/augment/transform';
import { build } from '../../src/graph/build';
import { dot } from '../../src/graph/dot';
import { removeByType } from '../../src/graph/edit';
import type { Graph, Layer } from '../../src/graph/spec';
import { piecewiseLinear, valueAt } from '../../src/optim/schedule';
import { Table } from '../../src/text/table';
import type { Row } from '../../src/text/table';
import { tsv } from '../../src/text/tsv';
import type { CoreSpec, Fixture } from './fixture';
import { notation } from './network-from-graph';
import { sorted, vector } from './subject';
import type { Said, Subject } from './subject';

type CoreFixture = Extract<Fixture, { readonly kind: 'core' }>;

type MaybePromise<T> = T | Promise<T>;

type Part<K extends keyof CoreSpec> = NonNullable<CoreSpec[K]>;

/** The part of the reference that has no tensors: graphs, drawings, schedules, tables, splits, options. */
export async function coreSubjects({ name, spec }: CoreFixture): Promise<Subject[]> {
  const makers: {
    readonly [K in keyof CoreSpec]-?: (part: Part<K>) => MaybePromise<Omit<Subject, 'file'>>;
  } = {
    graphs,
    schedules,
    table: ({ rows, printed }) => text('table', printed, () => printedTable(rows)),
    tsv: ({ rows, text: written }) => text('tsv', written, () => tsv(rows)),
    even_splits: splits,
    augmentation_option_counts: optionCounts,
  };
  const byName = new Map<string, (part: never) => MaybePromise<Omit<Subject, 'file'>>>(
    Object.entries(makers),
  );
  return Promise.all(
    Object.entries(spec).map(async ([key, part]) => {
      const make = byName.get(key);
      if (make === undefined) {
        throw new Error(`parity: ${name} has a part "${key}", which the suite does not know.`);
      }
      return { file: name, isHost: true, ...(await make(part as never)) };
    }),
  );
}

function printedTable(rows: readonly Row[]): string {
  const lines: string[] = [];
  const shown = new Table<Row>({ write: (line) => lines.push(`${line}\n`) });
  for (const row of rows) shown.append(row);
  return lines.join('');
}

function text(name: string, written: string, write: () => string): Omit<Subject, 'file'> {
  return {
    expected: new Map([[name, { exactly: written }]]),
    measure: async () => ({ values: new Map([[name, { exactly: write() }]]) }),
  };
}

/** The reference's lists of nodes, rebuilt from our notation; a layer's kind is the reference's type. */
async function graphs(list: Part<'graphs'>): Promise<Omit<Subject, 'file'>> {
  const graphviz = await Graphviz.load();
  const drawn = (drawing: string): Said => ({ exactly: structure(graphviz, drawing) });
  const nodesOf = (graph: Graph<Layer>): Said => ({
    exactly: [...graph].map(([path, { layer, inputs }]) => [path, layer?.kind ?? 'Input', inputs]),
  });
  const expected = new Map<string, Said>();
  for (const [name, { nodes, identity_removed: identityRemoved, dot: drawing }] of Object.entries(
    list,
  )) {
    expected.set(`graphs/${name}/nodes`, { exactly: nodes });
    expected.set(`graphs/${name}/identity_removed`, { exactly: identityRemoved });
    if (drawing !== null) expected.set(`graphs/${name}/dot`, drawn(drawing));
  }
  return {
    expected,
    measure: async () => {
      const found = new Map<string, Said>();
      for (const [name, { nodes }] of Object.entries(list)) {
        const entries = nodes.map(([path, type, inputs]) => ({ path, type, inputs, repr: '' }));
        const graph = build(
          notation<Layer>(entries, ({ type }) => (type === 'Input' ? null : { kind: type })),
        );
        found.set(`graphs/${name}/nodes`, nodesOf(graph));
        found.set(`graphs/${name}/identity_removed`, nodesOf(removeByType(graph, ['Identity'])));
        found.set(`graphs/${name}/dot`, drawn(dot(graph)));
      }
      return { values: found };
    },
  };
}

/** The structure of a drawing, parsed by Graphviz: nodes with labels, edges, clusters with their nodes. */
function structure(graphviz: Graphviz, drawing: string): string[] {
  const { objects, edges } = JSON.parse(graphviz.layout(drawing, 'dot_json', 'nop')) as {
    readonly objects: readonly {
      readonly name: string;
      readonly label: string;
      readonly nodes?: readonly number[];
    }[];
    readonly edges: readonly { readonly tail: number; readonly head: number }[];
  };
  const nameOf = (at: number): string => objects[at].name;
  return sorted([
    ...objects.map(({ name, label, nodes = [] }) => {
      const inside = sorted(nodes.map(nameOf)).join(' ');
      return `${name} "${label === '\\N' ? name : label}" ${inside}`;
    }),
    ...edges.map(({ tail, head }) => `${nameOf(tail)} -> ${nameOf(head)}`),
  ]);
}

function schedules(list: Part<'schedules'>): Omit<Subject, 'file'> {
  return {
    expected: new Map(
      list.map(({ value }, index) => [`schedules/${index}`, vector(value)] as const),
    ),
    measure: async () => ({
      values: new Map(
        list.map(({ knots, vals, at }, index) => {
          const schedule = piecewiseLinear(knots, vals);
          return [`schedules/${index}`, vector(at.map((t) => valueAt(schedule, t)))] as const;
        }),
      ),
    }),
  };
}

function splits(list: Part<'even_splits'>): Omit<Subject, 'file'> {
  const nameOf = (count: number, parts: number): string => `even_splits/${count} by ${parts}`;
  return {
    expected: new Map(
      list.map(({ N, chunks, splits }) => [nameOf(N, chunks), { exactly: splits }] as const),
    ),
    measure: async () => ({
      values: new Map(
        list.map(({ N, chunks }) => {
          return [nameOf(N, chunks), { exactly: [...evenSplits(N, chunks)] }] as const;
        }),
      ),
    }),
  };
}

/** Counts by descriptions such as `Crop(32,32) of 40x40` and `FlipLR`. */
function optionCounts(counts: Part<'augmentation_option_counts'>): Omit<Subject, 'file'> {
  const nameOf = (described: string): string => `option count of ${described}`;
  const count = (described: string): number => {
    const [, kind, height, width, ...size] =
      /^(\w+)(?:\((\d+),(\d+)\) of (\d+)x(\d+))?$/.exec(described) ?? [];
    const shape = [Number(size[0] ?? 32), Number(size[1] ?? 32)] as const;
    switch (kind) {
      case 'Crop':
        return options(crop(Number(height), Number(width)), shape).length;
      case 'FlipLR':
        return options(flipLR(), shape).length;
      case 'Cutout':
        return options(cutout(Number(height), Number(width)), shape).length;
      default:
        throw new Error(`parity: the suite does not know the augmentation "${described}".`);
    }
  };
  return {
    expected: new Map(
      Object.entries(counts).map(([key, value]) => [nameOf(key), { exactly: value }] as const),
    ),
    measure: async () => ({
      values: new Map(
        Object.keys(counts).map((key) => [nameOf(key), { exactly: count(key) }] as const),
      ),
    }),
  };
}
