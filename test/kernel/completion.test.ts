import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from './client';
import { compileLibrary } from './library';

const library = compileLibrary();
let kernel: Client;

beforeAll(async () => {
  kernel = await library.start();
}, 60_000);

afterAll(async () => {
  await kernel.stop();
  library.remove();
});

describe('completion and inspection', () => {
  test('positions count code points', async () => {
    const code = "const smile = '😀😀'; smile.leng";
    const points = Array.from(code).length;
    const reply = await kernel.ask('complete_request', { code, cursor_pos: points });
    expect(reply).toMatchObject({
      status: 'ok',
      matches: ['length'],
      cursor_start: points - 4,
      cursor_end: points,
    });
    expect(reply.metadata['_jupyter_types_experimental']).toEqual([
      { text: 'length', type: 'property', start: points - 4, end: points },
    ]);
    const found = await kernel.ask('inspect_request', { code, cursor_pos: points - 6 });
    expect(found.data['text/plain']).toBe('const smile: "😀😀"');
  });

  test('know the declarations of earlier cells, with documentation', async () => {
    await kernel.run(
      '/** Doubles. @param n any number */\nfunction twice(n: number): number { return 2 * n }',
    );
    const { matches } = await kernel.ask('complete_request', { code: 'twi', cursor_pos: 3 });
    expect(matches).toEqual(['twice']);
    const { found, data } = await kernel.ask('inspect_request', {
      code: 'twice(3)',
      cursor_pos: 2,
    });
    expect({ found, text: data['text/plain'] }).toEqual({
      found: true,
      text: expect.stringContaining('function twice(n: number): number') as string,
    });
    const nothing = await kernel.ask('inspect_request', { code: 'nowhere', cursor_pos: 2 });
    expect(nothing).toEqual({ status: 'ok', found: false, data: {}, metadata: {} });
  });

  test.each([
    ['the names of a module', "import { exi } from 'node:fs'", 12, 'existsSync', 9, 12],
    ['all names of a module', "import {  } from 'node:fs'", 9, 'existsSync', 9, 9],
    ['a module', "import 'node:f'", 14, 'node:fs', 8, 14],
    ['a string of a union', "let where: 'left' | 'right' = 'le'", 33, 'left', 31, 33],
    ['a property in a string', "({ alpha: 1 })['al']", 18, 'alpha', 16, 18],
    ['a member', 'JSON.str', 8, 'stringify', 5, 8],
    ['within a word', 'console.lo', 3, 'console', 0, 7],
  ])('completes %s', async (_, code, cursor, match, start, end) => {
    const reply = await kernel.ask('complete_request', { code, cursor_pos: cursor });
    expect(reply.status).toBe('ok');
    expect(reply.matches).toContain(match);
    expect([reply.cursor_start, reply.cursor_end]).toEqual([start, end]);
  });

  test('name? shows a page', async () => {
    const { reply } = await kernel.run('JSON.stringify?');
    expect(reply.payload).toMatchObject([{ source: 'page', start: 0 }]);
    expect(reply.payload[0].data['text/plain']).toContain('stringify(value: any');
  });

  test.each([
    ['1', 'complete'],
    ['', 'complete'],
    ['for (const x of [1]) {\n  x;\n}', 'complete'],
    ['await f()', 'complete'],
    ['const a = `one\n', 'incomplete'],
    ['/* begun', 'incomplete'],
    ['f(1,', 'incomplete'],
    ['function f() {\n  return 1;\n\n', 'incomplete'],
    ["'open", 'invalid'],
    ['f(}', 'invalid'],
    ['/a', 'invalid'],
    ['const = 1', 'invalid'],
  ])('is %j complete', async (code, status) => {
    expect((await kernel.ask('is_complete_request', { code })).status).toBe(status);
  });
});
