import { describe, expect, test } from 'vitest';
import { build } from './build';
import { colourMap, escapeXml, legend, palette, textColour } from './colours';
import type { Graph, Layer } from './spec';

const kinds = (...names: readonly string[]): Graph<Layer> => {
  return build(Object.fromEntries(names.map((kind, at) => [`n${at}`, { kind }])));
};

describe('palette', () => {
  test('holds thirty different colours', () => {
    expect(palette).toHaveLength(30);
    expect(new Set(palette).size).toBe(30);
    for (const fill of palette) expect(fill).toMatch(/^#[0-9a-f]{6}$/);
    expect([palette[0], palette[29]]).toEqual(['#bebada', '#b15928']);
  });
});

describe('colourMap', () => {
  test('assigns colours in order of first use, over all graphs', () => {
    const colours = colourMap(kinds('conv', 'relu', 'conv'), kinds('relu', 'add'));
    expect([...colours]).toEqual([
      ['conv', '#bebada'],
      ['relu', '#ffffb3'],
      ['add', '#fb8072'],
    ]);
  });

  test('repeats after the thirtieth', () => {
    const names = Array.from({ length: 31 }, (_, at) => `kind${at}`);
    expect(colourMap(kinds(...names)).get('kind30')).toBe(palette[0]);
  });
});

describe('textColour', () => {
  test('has a contrast above 4.5 to 1 on every colour of the palette', () => {
    const channel = (hex: string): number => {
      const level = parseInt(hex, 16) / 255;
      return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
    };
    const luminance = (hex: string): number =>
      0.2126 * channel(hex.slice(1, 3)) +
      0.7152 * channel(hex.slice(3, 5)) +
      0.0722 * channel(hex.slice(5, 7));
    for (const fill of [...palette, '#ffffff', '#000000']) {
      const both = [luminance(fill), luminance(textColour(fill))];
      expect((Math.max(...both) + 0.05) / (Math.min(...both) + 0.05)).toBeGreaterThan(4.5);
    }
    expect(textColour('#ffffff')).toBe('#1b1b1b');
    expect(textColour('#1f78b4')).toBe('#ffffff');
  });
});

describe('legend', () => {
  test('has a pill of 100 px for each kind, ten to a row', () => {
    const names = Array.from({ length: 12 }, (_, at) => `kind${at}`);
    const picture = legend(colourMap(kinds(...names)));
    expect(picture.match(/<rect [^>]*width="99"/g)).toHaveLength(12);
    expect(picture).toContain('width="1054" height="54"');
    for (const [at, name] of names.entries()) {
      expect(picture).toContain(`fill="${palette[at]}"`);
      expect(picture).toContain(`>${name}</text>`);
    }
  });

  test('makes room for long names', () => {
    const picture = legend(new Map([['a-kind-with-a-very-long-name', '#ffffff']]));
    expect(Number(/<svg [^>]*width="(\d+)"/.exec(picture)?.[1])).toBeGreaterThan(28 * 8);
  });

  test('of nothing is an empty picture', () => {
    expect(legend(new Map())).toMatch(/^<svg [^>]*width="100" height="24"/);
  });

  test('the picture', async () => {
    const colours = colourMap(kinds('conv', 'batch-norm', 'relu', 'max-pool', 'identity', 'add'));
    await expect(legend(colours)).toMatchFileSnapshot('../../test/output/legend.svg');
  });
});

test('escapeXml', () => {
  expect(escapeXml('a<b>&"c"')).toBe('a&lt;b&gt;&amp;&quot;c&quot;');
});
