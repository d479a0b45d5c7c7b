import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ReportError } from '../base/errors';
import { every, flatten, Table } from './table';
import type { Row, TableOptions } from './table';

const { table: golden } = JSON.parse(
  readFileSync(join(__dirname, '../../test/fixtures/reference/core.json'), 'utf8'),
) as { readonly table: { readonly rows: readonly Row[]; readonly printed: string } };

function printed(rows: readonly object[], options: Partial<TableOptions> = {}): string[] {
  const lines: string[] = [];
  const table = new Table({ write: (line) => lines.push(line), ...options });
  for (const row of rows) table.append(row);
  return lines;
}

describe('Table', () => {
  test("prints the reference's bytes", () => {
    expect(`${printed(golden.rows).join('\n')}\n`).toBe(golden.printed);
  });

  test('prints titles with the first row, reported or not, and only reported rows', () => {
    const rows = [1, 2, 3, 4].map((epoch) => ({ epoch, acc: epoch / 8 }));
    expect(printed(rows, { report: every(2, 'epoch') })).toEqual([
      '       epoch          acc',
      '           2       0.2500',
      '           4       0.5000',
    ]);
  });

  test('prints the given columns, in that order', () => {
    const rows = [{ epoch: 1, lr: 0.1, train: { acc: 0.5 } }];
    expect(printed(rows, { columns: ['train acc', 'epoch'] })).toEqual([
      '   train acc        epoch',
      '      0.5000            1',
    ]);
  });

  test('prints integers by column name, texts unchanged, wide values in full', () => {
    const rows = [{ run: 2, epoch: 1.5, k: 7, name: 'post 8', acc: 1, note: 'longer than twelve' }];
    expect(printed(rows, { integers: ['run', 'epoch', 'k'] })[1]).toBe(
      '           2       1.5000            7       post 8       1.0000 longer than twelve',
    );
  });

  test('prints NaN and infinite values', () => {
    expect(printed([{ epoch: 1, loss: NaN, grad: -Infinity }])[1]).toBe(
      '           1          nan         -inf',
    );
  });

  test('keeps every row, printed or not, and returns them as a data frame', () => {
    const table = new Table({ write: () => undefined, report: () => false });
    const rows = golden.rows.slice(0, 2);
    for (const row of rows) table.append(row);
    expect(table.log).toEqual(rows);
    expect(table.dataFrame()[1]).toEqual({
      epoch: 12,
      train_time: 123.456,
      train_loss: 4.9e-5,
      train_acc: 1,
      valid_time: 0.3,
      valid_loss: 12.5,
      valid_acc: 0.94125,
      'total time': 12345.678,
    });
  });

  test('the order of keys may differ from row to row', () => {
    expect(
      printed([
        { epoch: 1, acc: 0.5 },
        { acc: 0.75, epoch: 2 },
      ])[2],
    ).toBe('           2       0.7500');
  });

  test.each([
    [
      { epoch: 2, train: { los: 1 } },
      'table: row 2 lacks the column "train loss" and has a column "train los" that the first row does not have. ' +
        'Give every row the columns of the first: epoch, train loss.',
    ],
    [
      { epoch: 2 },
      'table: row 2 lacks the column "train loss". Give every row the columns of the first: epoch, train loss.',
    ],
    [
      { epoch: 2, train: { loss: 1 }, lr: 1 },
      'table: row 2 has a column "lr" that the first row does not have. ' +
        'Give every row the columns of the first: epoch, train loss.',
    ],
    [
      { epoch: 2, train: { loss: null } },
      'table: "train loss" is null; expected a number, a string or a group of these.',
    ],
    [
      { epoch: 2, train: { loss: 1 }, 'train loss': 2 },
      'table: two values of the row map to the column "train loss". Rename one of them.',
    ],
  ])('refuses the row %j and continues without it', (row, message) => {
    const lines: string[] = [];
    const table = new Table({ write: (line) => lines.push(line) });
    table.append({ epoch: 1, train: { loss: 1 } });
    expect(() => table.append(row)).toThrow(new ReportError(message));
    table.append({ epoch: 3, train: { loss: 3 } });
    expect(lines[2]).toBe('           3       3.0000');
    expect(table.log).toHaveLength(2);
  });

  test('refuses to print a column that the first row does not have', () => {
    expect(() => printed([{ epoch: 1, valid: { acc: 1 } }], { columns: ['valid acx'] })).toThrow(
      new ReportError(
        'table: the first row has no column "valid acx" to print. ' +
          'Nearest: "valid acc". It has: epoch, valid acc.',
      ),
    );
  });
});

describe('every', () => {
  test('holds for multiples', () => {
    const rows = [1, 2, 3, 4, 5, 6].filter((epoch) => every(3, 'epoch')({ epoch }));
    expect(rows).toEqual([3, 6]);
  });

  test.each([0, -1, 1.5, NaN])('refuses n = %f', (n) => {
    expect(() => every(n, 'epoch')).toThrow(
      new ReportError(
        `every: n is ${n}; expected a positive whole number, as in every(24, 'epoch').`,
      ),
    );
  });

  test('refuses a column that is missing or not a number', () => {
    expect(() => every(1, 'epochs')({ epoch: 1 })).toThrow(
      new ReportError(
        'every: the row has no column "epochs" to count by. Nearest: "epoch". Name a column of numbers.',
      ),
    );
    expect(() => every(1, 'name')({ name: 'x' })).toThrow('the row holds "x" in the column "name"');
  });
});

test('flatten joins the keys of nested groups', () => {
  const row = { a: 1, b: { c: 'x', d: { 'e f': 2 } } };
  expect(flatten(row, ' ')).toEqual({ a: 1, 'b c': 'x', 'b d e f': 2 });
  expect(flatten(row, '_')).toEqual({ a: 1, b_c: 'x', 'b_d_e f': 2 });
  expect(() => flatten({ a: [1] }, ' ')).toThrow('table: "a" is 1; expected');
});
