import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { NotebookError } from '../base/errors';
import { chart, vegaLite } from './chart';
import type { ChartOptions } from './chart-options';
import type { FlatRow } from '../text/table';

const rows: FlatRow[] = [0, 1].flatMap((run) =>
  [1, 2, 3].map((epoch) => ({ run, epoch, valid_acc: 0.1234567 * epoch + run / 10, note: 'x' })),
);

/** The specification that a viewer of the chart gets. */
async function specOf(data: readonly FlatRow[], options: ChartOptions): Promise<Spec> {
  const { bundle } = await chart(data, options);
  return bundle['application/vnd.vegalite.v5+json'] as Spec;
}

interface Spec {
  readonly data: { readonly values: readonly object[] };
  readonly layer: readonly {
    readonly mark: object;
    readonly encoding: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  }[];
  readonly config: object;
  readonly [key: string]: unknown;
}

/** Whether a picture has a pixel of a colour. */
function shows(png: unknown, hex: string): boolean {
  const { data } = PNG.sync.read(png as Buffer);
  const wanted = Number.parseInt(hex.slice(1), 16);
  for (let i = 0; i < data.length; i += 4) {
    if (data.readUIntBE(i, 3) === wanted) return true;
  }
  return false;
}

describe('chart', () => {
  test('is interactive, a picture with its own background, and a line of text', async () => {
    const { bundle, metadata } = await chart(rows, {
      mark: ['line', 'point'],
      x: 'epoch',
      y: 'valid_acc',
      colour: 'run',
      title: 'Accuracy',
    });
    expect(Object.keys(bundle)).toEqual([
      'application/vnd.vegalite.v5+json',
      'image/png',
      'text/plain',
    ]);
    expect(bundle['text/plain']).toBe('Accuracy (x epoch, y valid_acc, colour run; 6 rows)');
    const { width, height, data } = PNG.sync.read(bundle['image/png'] as Buffer);
    expect(metadata).toEqual({ 'image/png': { width: width / 2, height: height / 2 } });
    expect([...data.subarray(0, 4)]).toEqual([255, 255, 255, 255]);
    // The first two colours of the palette, one per run, and that of text, which needs the bundled font.
    const found = ['#0072b2', '#d55e00', '#24292f', '#009e73'].map((hex) =>
      shows(bundle['image/png'], hex),
    );
    expect(found).toEqual([true, true, true, false]);
  });

  test('stores the columns that it reads, to six digits, and null for NaN', async () => {
    const { data } = await specOf([...rows.slice(0, 1), { epoch: 2, valid_acc: NaN }], {
      mark: 'point',
      x: 'epoch',
      y: 'valid_acc',
    });
    expect(data.values).toEqual([
      { epoch: 1, valid_acc: 0.123457 },
      { epoch: 2, valid_acc: null },
    ]);
  });

  test('treats a few colour values as names, and many as ordered', async () => {
    const { layer } = await specOf(rows, {
      mark: 'line',
      x: 'epoch',
      y: 'valid_acc',
      colour: 'run',
    });
    const [{ encoding }] = layer;
    expect(Object.entries(encoding).map(([key, { type }]) => [key, type])).toEqual([
      ['x', 'quantitative'],
      ['y', 'quantitative'],
      ['color', 'nominal'],
    ]);
    expect(encoding['y']['title']).toBe('valid acc');
    const many = Array.from({ length: 9 }, (_, run) => ({ run, epoch: 1, valid_acc: run }));
    const spec = await specOf(many, { mark: 'point', x: 'epoch', y: 'valid_acc', colour: 'run' });
    expect(spec.layer[0].encoding['color']['type']).toBe('ordinal');
  });

  test('numbers as categories have horizontal labels', async () => {
    const sizes = [16, 20].map((size) => ({ size, cost: size }));
    const { layer } = await specOf(sizes, {
      mark: 'bar',
      x: { field: 'size', scale: 'categories' },
      y: 'cost',
    });
    expect(layer[0].encoding['x']).toMatchObject({ axis: { labelAngle: 0, labelOverlap: true } });
  });

  test('stacks in the order of the rows, which is that of the legend', async () => {
    const parts = ['conv', 'batch norm'].map((part, index) => ({
      part,
      seconds: index + 1,
      size: 512,
    }));
    const { data, layer } = await specOf(parts, {
      mark: 'bar',
      x: 'seconds',
      y: { field: 'size', scale: 'categories' },
      colour: 'part',
    });
    expect(data.values.map((value) => Object.values(value).at(-1))).toEqual([0, 1]);
    expect(layer[0].encoding['order']).toMatchObject({ type: 'quantitative' });
    expect(layer[0].encoding['x']['scale']).toEqual({ zero: true });
  });

  describe('bars', () => {
    const twice = [
      { name: 'a', acc: 94 },
      { name: 'a', acc: 94 },
      { name: 'b', acc: 90 },
    ];

    /** The ends of each bar, as vega computes them from a specification. */
    async function drawn(
      options: ChartOptions,
      data: readonly FlatRow[] = twice,
    ): Promise<string[]> {
      const [{ compile }, { View, parse }] = await Promise.all([
        import('vega-lite'),
        import('vega'),
      ]);
      const spec = structuredClone(await specOf(data, options));
      const { spec: vega } = compile(spec as never);
      const view = new View(parse(vega), { renderer: 'none' });
      await view.runAsync();
      const found: string[] = [];
      const walk = (item: {
        mark?: { marktype?: string };
        items?: never[];
        y?: number;
        height?: number;
      }): void => {
        if (item.mark?.marktype === 'rect' && item.height !== undefined) {
          const scale = (
            view as unknown as { scale: (name: string) => { invert: (y: number) => number } }
          ).scale('y');
          found.push(
            [scale.invert(item.y ?? 0), scale.invert((item.y ?? 0) + item.height)]
              .map((y) => y.toFixed(1))
              .join(' to '),
          );
        }
        for (const each of item.items ?? []) walk(each);
      };
      walk((view.scenegraph() as unknown as { root: never }).root);
      view.finalize();
      return found;
    }

    test('of the same name are not added up', async () => {
      const bars = await drawn({ mark: 'bar', x: 'name', y: 'acc' });
      expect(bars).toEqual(['94.0 to 0.0', '94.0 to 0.0', '90.0 to 0.0']);
      expect(await drawn({ mark: 'bar', x: 'name', y: 'acc', colour: 'name' })).toEqual(bars);
    });

    test('omit 0 if asked to', async () => {
      const y = { field: 'acc', zero: false };
      const [first] = await drawn({ mark: 'bar', x: 'name', y, colour: 'name' });
      expect(Number(first.split(' to ')[1])).toBeGreaterThan(80);
    });

    test('are stacked if their colour distinguishes them, and rejected if two share one', async () => {
      const parts = [
        { name: 'a', part: 'x', sec: 1 },
        { name: 'a', part: 'y', sec: 2 },
      ];
      const options = { mark: 'bar', x: 'name', y: 'sec', colour: 'part' } as const;
      expect(await drawn(options, parts)).toEqual(['1.0 to 0.0', '3.0 to 1.0']);
      expect(() => chart([...parts, ...parts], options)).toThrow(
        'chart: two rows have name "a", part "x"; stacking would draw their sum.',
      );
      // vega-lite stacks rows at one x if both axes are numeric, too.
      const epochs = parts.map((row) => ({ ...row, epoch: 1 }));
      const numeric = { ...options, x: 'epoch' } as const;
      await expect(chart(epochs, numeric)).resolves.toBeDefined();
      expect(() => chart([...epochs, ...epochs], numeric)).toThrow(
        'chart: two rows have epoch 1, part "x"; stacking would draw their sum.',
      );
    });
  });

  test.each(['optim.lr', 'a[0]', 'say "x"', "it's", 'a.b.c[1]', '.', 'back\\slash'])(
    'draws a column called %s',
    async (name) => {
      const data = [1, 2].map((value) => ({ [name]: value, acc: value }));
      const { layer, data: kept } = await specOf(data, { mark: 'point', x: name, y: 'acc' });
      const { field, title } = layer[0].encoding['x'];
      expect(title).toBe(name);
      expect(kept.values.map((row) => (row as FlatRow)[String(field)])).toEqual([1, 2]);
      expect(String(field)).not.toMatch(/[.[\]'"\\]/);
    },
  );

  test('writes every option into the specification', async () => {
    const {
      $schema,
      config,
      data: _data,
      ...spec
    } = await specOf(rows, {
      mark: 'line',
      x: { field: 'epoch', domain: [0, 4], title: '' },
      y: { field: 'valid_acc', scale: 'log', format: '.0%', title: 'test accuracy' },
      columns: 'run',
      ownScales: 'y',
      guides: [{ y: 0.5, label: 'half' }, { x: 2 }],
      opacity: 0.5,
      title: 'T',
      subtitle: 'S',
      width: 100,
      height: 80,
    });
    expect($schema).toBe('https://vega.github.io/schema/vega-lite/v5.json');
    expect(config).toMatchObject({ background: '#ffffff' });
    await expect(`${JSON.stringify(spec, null, 2)}\n`).toMatchFileSnapshot(
      '../../test/output/chart-spec.json',
    );
  });

  test('counts into bins', async () => {
    const { bundle } = await chart(rows, {
      mark: 'bar',
      x: { field: 'valid_acc', bins: 5 },
      y: { stat: 'count' },
    });
    expect(shows(bundle['image/png'], '#0072b2')).toBe(true);
  });

  test('names an unknown column, and the nearest one', () => {
    const wrong = (): unknown => chart(rows, { mark: 'line', x: 'epoch', y: 'vaild_acc' });
    expect(wrong).toThrow(NotebookError);
    expect(wrong).toThrow(/y reads the column "vaild_acc".*Nearest: "valid_acc"/);
    expect(() => chart([], { mark: 'line' })).toThrow(/no rows/);
    expect(() => chart(rows, { mark: 'bar', y: {} })).toThrow(/y reads the column \(none\)/);
  });

  test('quotes errors and warnings of vega-lite', async () => {
    const data = { values: [{ a: 1 }] };
    const warned = vegaLite({ data, mark: 'point', transform: [{ sieve: 'a' }] }, '');
    await expect(warned).rejects.toThrow(NotebookError);
    await expect(warned).rejects.toThrow(/vega-lite warns: .*sieve.* Fix/);
    await expect(vegaLite({ data }, '')).rejects.toThrow(/cannot draw this: Error: Invalid spec/);
  });
});
