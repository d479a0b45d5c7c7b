import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client, Message } from './client';
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

const typesOf = (published: readonly Message[]): string[] =>
  published.map(({ type, content }) =>
    type === 'status' ? (content.execution_state as string) : type,
  );

/** A cell that computes without a pause until `end` is called, and now and then runs `sometimes`. */
function computing(sometimes = ''): { readonly code: string; readonly end: () => void } {
  const file = join(library.folder, 'end-of-cell');
  rmSync(file, { force: true });
  const loop = `while (!fs.existsSync(${JSON.stringify(file)})) if (Math.random() > 0.99) { ${sometimes} }`;
  return {
    code: `{ const fs = await import('node:fs'); ${loop} }`,
    end: () => writeFileSync(file, ''),
  };
}
describe('requests about the kernel', () => {
  test('kernel_info: the name and version of the kernel and of TypeScript', async () => {
    const { version } = JSON.parse(
      readFileSync(resolve(__dirname, '../../package.json'), 'utf8'),
    ) as { version: string };
    expect(await kernel.ask('kernel_info_request')).toMatchObject({
      status: 'ok',
      protocol_version: '5.4',
      implementation: 'cifar10-fast',
      implementation_version: version,
      language_info: { name: 'typescript', version: ts.version, file_extension: '.ts' },
    });
  });

  test('heartbeat, also while a cell computes', async () => {
    const { code, end } = computing();
    const { done } = kernel.begin(code);
    expect(await kernel.beat()).toBe('ping');
    end();
    expect((await done).reply.status).toBe('ok');
  });

  test('comm_info lists no comms; a comm that is opened is closed', async () => {
    expect(await kernel.ask('comm_info_request', {})).toEqual({ status: 'ok', comms: {} });
    const { id } = kernel.send('comm_open', { comm_id: 'c', target_name: 'x', data: {} });
    const { content } = await kernel.seen(
      ({ about, type }) => about === id && type === 'comm_close',
    );
    expect(content).toEqual({ comm_id: 'c', data: {} });
  });

  test('a request that the protocol does not have is an error', async () => {
    const reply = await kernel.ask('nonsense_request', {});
    expect(reply).toMatchObject({ status: 'error', ename: 'KernelError' });
    expect((await kernel.run('1')).result).toBe('1');
  });
});

describe('execution', () => {
  test('publishes busy, input, result, idle; execution_count increases', async () => {
    const { reply, published, result } = await kernel.run('6 * 7');
    expect(typesOf(published)).toEqual(['busy', 'execute_input', 'execute_result', 'idle']);
    expect(published[1].content).toEqual({ code: '6 * 7', execution_count: reply.execution_count });
    expect(published[2].content).toEqual({
      execution_count: reply.execution_count,
      data: { 'text/plain': '42' },
      metadata: {},
    });
    expect(reply).toMatchObject({ status: 'ok', payload: [], user_expressions: {} });
    expect(result).toBe('42');
    expect((await kernel.run('1')).reply.execution_count).toBe(reply.execution_count + 1);
  });

  test('a cell that is not stored is not counted, and a silent one prints nothing', async () => {
    const { reply } = await kernel.run('0');
    const count = reply.execution_count as number;
    const unstored = await kernel.run("'still shown'", { store_history: false });
    expect(unstored.result).toBe("'still shown'");
    const silent = await kernel.run("console.log('nobody hears'); globalThis.secret = 7; 8", {
      silent: true,
    });
    expect(typesOf(silent.published)).toEqual(['busy', 'idle']);
    const next = await kernel.run('(globalThis as { secret?: number }).secret');
    expect(next.reply.execution_count).toBe(count + 1);
    expect(next.result).toBe('7');
  });

  test.each([
    ['undefined', undefined],
    ['null', 'null'],
    ["'text'", "'text'"],
    // Text with several lines, such as a table, is shown as it is.
    ["'a\\nb'", 'a\nb'],
    ['[1, { a: [2] }]', '[ 1, { a: [ 2 ] } ]'],
    ['new Map([[1, 2n]])', 'Map(1) { 1 => 2n }'],
    ['const q = 1', undefined],
    ['await Promise.resolve(3)', '3'],
    [
      "({ [Symbol.for('Jupyter.display')]: () => ({ 'text/plain': 'as I like it' }) })",
      'as I like it',
    ],
    ["({ [Symbol.for('Jupyter.display')]: () => undefined })", undefined],
  ])('the result of %s', async (code, result) => {
    expect((await kernel.run(code)).result).toBe(result);
  });

  test('cells see what earlier ones declare, and may declare it again', async () => {
    await kernel.run(
      "import { join } from 'node:path'; let a = 1; class C { x = a }; enum E { P = 5 }; interface I { n: number }",
    );
    expect((await kernel.run('a += 1; [a, new C().x, E.P, join("p", "q")]')).result).toBe(
      "[ 2, 2, 5, 'p/q' ]",
    );
    expect((await kernel.run('const a: I = { n: 7 }; a.n')).result).toBe('7');
    expect((await kernel.run('const join = 9; join + a.n')).result).toBe('16');
  });

  test('cells use earlier variables as shorthand properties: { a }', async () => {
    await kernel.run('let near = 1; const far = 2; const pair = (x: object) => JSON.stringify(x);');
    const resultOf = async (code: string): Promise<unknown> => (await kernel.run(code)).result;
    expect(await resultOf('pair({ near, far, deep: { near } })')).toBe(
      `'{"near":1,"far":2,"deep":{"near":1}}'`,
    );
    expect(await resultOf('({ near } = { near: 3 }); near')).toBe('3');
    expect(await resultOf('({ near = 7 } = {}); pair({ near })')).toBe(`'{"near":7}'`);
    expect(await resultOf('((far: number) => pair({ far }))(5)')).toBe(`'{"far":5}'`);
  });

  test('user_expressions are evaluated after the cell', async () => {
    const { reply } = await kernel.run('const u = 20', {
      user_expressions: {
        twice: '2 * u',
        wrong: 'nowhere',
        shown: "({ [Symbol.for('Jupyter.display')]: async () => ({ 'text/plain': 'later' }) })",
      },
    });
    expect(reply.user_expressions).toMatchObject({
      twice: { status: 'ok', data: { 'text/plain': '40' } },
      wrong: { status: 'error', ename: 'CompileError' },
      shown: { status: 'ok', data: { 'text/plain': 'later' } },
    });
  });

  test('other requests are answered while a cell awaits, and the kernel stays busy', async () => {
    const { id, done } = kernel.begin('await new Promise((go) => setTimeout(go, 700))');
    await kernel.seen(({ about, type }) => about === id && type === 'execute_input');
    const at = kernel.published.length;
    const asked = kernel.send('kernel_info_request');
    await asked.reply;
    const completion = kernel.send('complete_request', { code: 'consol', cursor_pos: 6 });
    expect((await completion.reply).matches).toContain('console');
    await sleep(100);
    const states = kernel.published
      .slice(at)
      .map(({ about, content }) => [about === id, content.execution_state]);
    expect(states).toEqual([
      [false, 'busy'],
      [false, 'idle'],
      [true, 'busy'],
      [false, 'busy'],
      [false, 'idle'],
      [true, 'busy'],
    ]);
    expect((await done).reply.status).toBe('ok');
  });
});

describe('errors', () => {
  test('of types: each with its line and position', async () => {
    const { reply, published } = await kernel.run(
      'const s = 1;\nconst t: string = 2;\nnowhere(s);',
    );
    expect(reply).toMatchObject({ status: 'error', ename: 'CompileError' });
    expect(reply.traceback).toEqual([
      "CompileError: Type 'number' is not assignable to type 'string'. (TS2322)",
      '  2 | const t: string = 2;',
      '            ^',
      `    at [${reply.execution_count}]:2:7`,
      "Cannot find name 'nowhere'. (TS2304)",
      '  3 | nowhere(s);',
      '      ^^^^^^^',
      `    at [${reply.execution_count}]:3:1`,
    ]);
    const { status, execution_count: count, ...report } = reply;
    expect([status, count]).toEqual(['error', expect.any(Number)]);
    expect(published.find(({ type }) => type === 'error')?.content).toEqual(report);
  });

  test('of syntax: without errors that only follow from them', async () => {
    const { reply } = await kernel.run('let = = 3');
    expect(reply.evalue).toBe('Expression expected.');
  });

  test('thrown: the line, and the frames in cells, also those after an await', async () => {
    const first = await kernel.run(
      "async function deep(): Promise<void> {\n  await null;\n  throw new RangeError('too deep');\n}",
    );
    const { reply } = await kernel.run('const before = 1;\n\nawait deep();');
    const [one, two] = [first.reply.execution_count, reply.execution_count] as number[];
    expect(reply).toMatchObject({ ename: 'RangeError', evalue: 'too deep' });
    expect(reply.traceback).toEqual([
      'RangeError: too deep',
      "  3 |   throw new RangeError('too deep');",
      '              ^',
      `    at deep ([${one}]:3:9)`,
      `    at async [${two}]:3:1`,
    ]);
  });

  test('of TensorFlow.js: without its frames', async () => {
    const { reply } = await kernel.run(
      "import { tensor2d } from '@tensorflow/tfjs-core';\nconst f = () => tensor2d([1, 2]);\nf();",
    );
    expect(reply.evalue).toContain('tensor2d() requires shape');
    expect(reply.traceback.slice(1)).toEqual([
      '  2 | const f = () => tensor2d([1, 2]);',
      '                      ^',
      `    at f ([${reply.execution_count}]:2:17)`,
      `    at [${reply.execution_count}]:3:1`,
    ]);
  });

  test('of the library: its message once, then the cell', async () => {
    const { reply } = await kernel.run(
      "import { findExperiment } from 'cifar10-fast';\nfindExperiment('dmeo');",
    );
    expect(reply.ename).toBe('ExperimentError');
    expect(reply.traceback).toEqual([
      `ExperimentError: ${reply.evalue}`,
      "  2 | findExperiment('dmeo');",
      '      ^',
      `    at [${reply.execution_count}]:2:1`,
    ]);
  });

  test.each([
    ["throw 'a text'", 'Error', 'a text'],
    ['throw null', 'Error', 'null'],
    ["class Odd extends Error { override name = 'Odd' }; throw new Odd('x')", 'Odd', 'x'],
    ['await Promise.reject(new TypeError("later"))', 'TypeError', 'later'],
    [
      "import { readFileSync } from 'node:fs'; readFileSync('/nowhere')",
      'Error',
      /^ENOENT: .*\/nowhere/,
    ],
  ])('%s', async (code, ename, evalue) => {
    const { reply } = await kernel.run(code);
    expect(reply).toMatchObject({ status: 'error', ename });
    expect(reply.evalue).toMatch(evalue);
  });

  test('causes are shown once, and cycles of causes end', async () => {
    const { reply } = await kernel.run(
      "const inner = new Error('the reason'); const outer = new Error('it failed', { cause: inner });\n" +
        'inner.cause = outer; throw outer;',
    );
    const text = reply.traceback.join('\n') as string;
    expect(text).toContain('caused by: Error: the reason');
    expect(text.split('it failed').length).toBeLessThan(6);
    const repeated = await kernel.run(
      "throw new Error('could not: no room', { cause: new Error('no room') })",
    );
    expect(repeated.reply.traceback.join('\n')).not.toContain('caused by');
  });

  test('a cell that fails keeps the variables that have a value, and earlier declarations', async () => {
    await kernel.run('let stays: number = 1; const again = 2;');
    const { reply } = await kernel.run(
      "const got = 'x'; stays = 5; let again: string; const unborn = fail();\n" +
        "function fail(): string { throw new Error('half way') } again = unborn;",
    );
    expect(reply.evalue).toBe('half way');
    expect((await kernel.run('[got, stays, again]')).result).toBe("[ 'x', 5, 2 ]");
    expect((await kernel.run('unborn')).reply.evalue).toBe("Cannot find name 'unborn'.");
  });

  test('uncaught errors are printed in the cell that caused them, and the kernel survives', async () => {
    const { id, done } = kernel.begin(
      "setTimeout(() => { throw new Error('from a timer') }, 10); void Promise.reject(new Error('unheard'))",
    );
    await done;
    await sleep(300);
    await kernel.run('1');
    const text = kernel.published
      .filter(({ about, type }) => about === id && type === 'stream')
      .map(({ content }) => content.text as string)
      .join('');
    expect(text).toContain('Error: from a timer');
    expect(text).toContain('Error: unheard');
  });
});

describe('stop_on_error', () => {
  test('cells queued behind a failed one are aborted', async () => {
    // The first fails once the others have certainly arrived: one that arrives after a failure runs.
    const first = "await new Promise((go) => setTimeout(go, 500)); throw new Error('first')";
    const cells = [first, "console.log('second')", '3'];
    const outcomes = await Promise.all(cells.map((code) => kernel.run(code)));
    expect(outcomes.map(({ reply }) => reply.status)).toEqual(['error', 'aborted', 'aborted']);
    expect(outcomes.map(({ published }) => typesOf(published))).toEqual([
      ['busy', 'execute_input', 'error', 'idle'],
      ['busy', 'idle'],
      ['busy', 'idle'],
    ]);
  });

  test('not if the failed cell was sent with stop_on_error: false', async () => {
    const first = kernel.run("throw new Error('first')", { stop_on_error: false });
    const second = kernel.run('2');
    expect((await first).reply.status).toBe('error');
    expect((await second).result).toBe('2');
  });

  test('nor if they are sent after the failure is known', async () => {
    const failed = kernel.begin("throw new Error('first')");
    await kernel.seen(({ about, type }) => about === failed.id && type === 'error');
    expect((await kernel.run('4')).result).toBe('4');
    expect((await failed.done).reply.status).toBe('error');
  });
});
