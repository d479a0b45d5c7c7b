import { describe, expect, test } from 'vitest';
import { NotebookError } from '../base/errors';
import { tabulate } from './tabulate';

const rows = [
  { record: 'demo', acc_percent: 94.08, timeSec: 79 },
  { record: 'post4 <final>', acc_percent: 93.654321 },
];

describe('tabulate', () => {
  test('aligns numbers, and shows a missing cell as a dash', () => {
    const { bundle } = tabulate(rows, { title: 'Runs', digits: { acc_percent: 2 } });
    expect(bundle['text/plain']).toBe(
      [
        'Runs',
        'record         acc percent  timeSec',
        'demo                 94.08       79',
        'post4 <final>        93.65        –',
      ].join('\n'),
    );
    expect(bundle['text/html']).toContain('post4 &lt;final&gt;');
    expect(String(bundle['text/html']).match(/text-align:right/g)).toHaveLength(6);
  });

  test('shows the named columns, in that order', () => {
    const { bundle } = tabulate(rows, { columns: { acc_percent: 'test accuracy %', record: '' } });
    expect(bundle['text/plain']).toBe(
      ['test accuracy %  record', '        94.0800  demo', '        93.6543  post4 <final>'].join(
        '\n',
      ),
    );
  });

  test('keeps titles, names, short texts and a unit on one line', () => {
    const long = { what: 'speedrun-without-alternating', on: 'AMD EPYC, 2 cores, AVX2, 24 GB' };
    const { bundle } = tabulate([{ ...long, verdict: 'n too small', acc: 94 }], {
      title: 'from one to another',
      columns: { what: '', on: '', verdict: '', acc: 'test accuracy %' },
    });
    const html = String(bundle['text/html']);
    const isWhole = (text: string): boolean =>
      new RegExp(`white-space:nowrap">${text}<`).test(html);
    expect(
      [long.what, long.on, 'n too small', 'from one to another'].map((text) => isWhole(text)),
    ).toEqual([true, false, true, true]);
    expect(html).toContain('test accuracy\u00A0%<');
  });

  test('rejects an empty table and unknown columns', () => {
    expect(() => tabulate([])).toThrow(NotebookError);
    expect(() => tabulate(rows, { columns: { recrod: '' } })).toThrow(/Nearest: "record"/);
  });
});

test('a table may have more rows than a function takes arguments', () => {
  const rows = Array.from({ length: 150_000 }, (_, index) => ({ x: index / 2 }));
  const lines = String(tabulate(rows).bundle['text/plain']).split('\n');
  expect(lines.at(-1)?.trim()).toBe('74,999.5');
});
