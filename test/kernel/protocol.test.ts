import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Subscriber } from 'zeromq';
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

/** The most memory that the process has used, in MB. */
function peakOf({ process: { pid } }: Client): number {
  const [, kB] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kB) / 1024;
}

/** A cell that computes without a pause until `end` is called, and now and then does what `sometimes` says. */
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
  test('kernel_info: our name and version, and those of TypeScript', async () => {
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

  test('comm_info has no comms; a comm that is opened is closed', async () => {
    expect(await kernel.ask('comm_info_request', {})).toEqual({ status: 'ok', comms: {} });
    const { id } = kernel.send('comm_open', { comm_id: 'c', target_name: 'x', data: {} });
    const { content } = await kernel.seen(
      ({ about, type }) => about === id && type === 'comm_close',
    );
    expect(content).toEqual({ comm_id: 'c', data: {} });
  });

  test('what is no request of the protocol is declined', async () => {
    const reply = await kernel.ask('nonsense_request', {});
    expect(reply).toMatchObject({ status: 'error', ename: 'KernelError' });
    expect((await kernel.run('1')).result).toBe('1');
  });
});

describe('execution', () => {
  test('busy, input, result, idle; the reply counts', async () => {
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

  test('what is not stored does not count, and what is silent says nothing', async () => {
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
    // Tables are made to be looked at.
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

  test('cells name what earlier ones declare as fields of their own: { a }', async () => {
    await kernel.run('let near = 1; const far = 2; const pair = (x: object) => JSON.stringify(x);');
    const told = async (code: string): Promise<unknown> => (await kernel.run(code)).result;
    expect(await told('pair({ near, far, deep: { near } })')).toBe(
      `'{"near":1,"far":2,"deep":{"near":1}}'`,
    );
    expect(await told('({ near } = { near: 3 }); near')).toBe('3');
    expect(await told('({ near = 7 } = {}); pair({ near })')).toBe(`'{"near":7}'`);
    expect(await told('((far: number) => pair({ far }))(5)')).toBe(`'{"far":5}'`);
  });

  test('user_expressions are evaluated after the cell', async () => {
    const { reply } = await kernel.run('const u = 20', {
      user_expressions: { twice: '2 * u', wrong: 'nowhere' },
    });
    expect(reply.user_expressions).toMatchObject({
      twice: { status: 'ok', data: { 'text/plain': '40' } },
      wrong: { status: 'error', ename: 'CompileError' },
    });
  });

  test('other requests are answered while a cell awaits, and leave the kernel busy', async () => {
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
  test('of types: each with its line and place', async () => {
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

  test('of syntax: nothing that only follows from them', async () => {
    const { reply } = await kernel.run('let = = 3');
    expect(reply.evalue).toBe('Expression expected.');
  });

  test('thrown: the line, and the frames that are in cells, also those after an await', async () => {
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

  test('of TensorFlow.js: no frames of it', async () => {
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

  test('causes are told once, and rings of them end', async () => {
    const { reply } = await kernel.run(
      "const inner = new Error('the reason'); const outer = new Error('it failed', { cause: inner });\n" +
        'inner.cause = outer; throw outer;',
    );
    const text = reply.traceback.join('\n') as string;
    expect(text).toContain('caused by: Error: the reason');
    expect(text.split('it failed').length).toBeLessThan(6);
    const told = await kernel.run(
      "throw new Error('could not: no room', { cause: new Error('no room') })",
    );
    expect(told.reply.traceback.join('\n')).not.toContain('caused by');
  });

  test('a cell that fails leaves what has a value, and earlier declarations', async () => {
    await kernel.run('let stays: number = 1; const again = 2;');
    const { reply } = await kernel.run(
      "const got = 'x'; stays = 5; let again: string; const unborn = fail();\n" +
        "function fail(): string { throw new Error('half way') } again = unborn;",
    );
    expect(reply.evalue).toBe('half way');
    expect((await kernel.run('[got, stays, again]')).result).toBe("[ 'x', 5, 2 ]");
    expect((await kernel.run('unborn')).reply.evalue).toBe("Cannot find name 'unborn'.");
  });

  test('what nobody catches is printed, with the cell that began it, and the kernel lives', async () => {
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
  test('cells that wait behind a failed one are aborted', async () => {
    const cells = ["throw new Error('first')", "console.log('second')", '3'];
    const outcomes = await Promise.all(cells.map((code) => kernel.run(code)));
    expect(outcomes.map(({ reply }) => reply.status)).toEqual(['error', 'aborted', 'aborted']);
    expect(outcomes.map(({ published }) => typesOf(published))).toEqual([
      ['busy', 'execute_input', 'error', 'idle'],
      ['busy', 'idle'],
      ['busy', 'idle'],
    ]);
  });

  test('not if they asked to go on', async () => {
    const first = kernel.run("throw new Error('first')", { stop_on_error: false });
    const second = kernel.run('2');
    expect((await first).reply.status).toBe('error');
    expect((await second).result).toBe('2');
  });

  test('nor if they were sent after the failure was known', async () => {
    const failed = kernel.begin("throw new Error('first')");
    await kernel.seen(({ about, type }) => about === failed.id && type === 'error');
    expect((await kernel.run('4')).result).toBe('4');
    expect((await failed.done).reply.status).toBe('error');
  });
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

  test('of what earlier cells declare, with its documentation', async () => {
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

  test('name? is answered with a page', async () => {
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

describe('output', () => {
  test('pieces of text that follow one another are sent as one, in order with the rest', async () => {
    const { published, stdout } = await kernel.run(
      "import { display } from 'cifar10-fast'; for (let i = 0; i < 500; i++) console.log(i);\n" +
        "console.error('e'); display({ 'text/plain': 'd' }); process.stdout.write('é'); console.log();",
    );
    const streams = published.filter(({ type }) => type === 'stream');
    expect(streams.length).toBeLessThan(50);
    expect(
      typesOf(published).filter((type, i, all) => type !== 'stream' || type !== all[i - 1]),
    ).toEqual('busy execute_input stream display_data stream idle'.split(' '));
    expect(stdout).toBe(`${Array.from({ length: 500 }, (_, i) => `${i}\n`).join('')}é\n`);
  });

  test('text appears while a cell computes', async () => {
    const { code, end } = computing("process.stdout.write('.');");
    const { id, done } = kernel.begin(`console.log('now'); ${code}`);
    await kernel.seen(({ about, type }) => about === id && type === 'stream');
    end();
    expect((await done).reply.status).toBe('ok');
  });

  test('bytes that end within a letter are put together', async () => {
    const { stdout } = await kernel.run(
      "const bytes = Buffer.from('ä€😀'); for (const byte of bytes) process.stdout.write(new Uint8Array([byte]));",
    );
    expect(stdout).toBe('ä€😀');
  });

  test('what a cell does later goes to that cell', async () => {
    const first = kernel.begin("setTimeout(() => console.log('from the first'), 150);");
    await first.done;
    const second = await kernel.run('await new Promise((go) => setTimeout(go, 400)); 2');
    expect(second.stdout).toBe('');
    const late = await kernel.seen(({ about, type }) => about === first.id && type === 'stream');
    expect(late.content.text).toBe('from the first\n');
  });

  test('bundles, their updates and clear_output', async () => {
    const { published, result } = await kernel.run(
      "import { clearOutput, display } from 'cifar10-fast';\n" +
        "const view = display({ 'image/png': new Uint8Array([1, 2]), 'application/json': { a: 1 }, 'text/plain': 'p' }, { metadata: { 'image/png': { width: 5 } } });\n" +
        "clearOutput({ wait: true });\ndisplay({ 'text/plain': 'q' }, { update: view })",
    );
    const [shown, cleared, updated] = published.slice(2);
    expect(shown).toMatchObject({
      type: 'display_data',
      content: {
        data: { 'image/png': 'AQI=', 'application/json': { a: 1 }, 'text/plain': 'p' },
        metadata: { 'image/png': { width: 5 } },
      },
    });
    expect(cleared).toMatchObject({ type: 'clear_output', content: { wait: true } });
    expect(updated).toMatchObject({
      type: 'update_display_data',
      content: { data: { 'text/plain': 'q' } },
    });
    expect(updated.content.transient).toEqual(shown.content.transient);
    // The handle is not shown at the end of the cell.
    expect(result).toBeUndefined();
    const wrong = await kernel.run("display({ 'text/plain': 5 })");
    expect(wrong.reply.evalue).toBe("Type 'number' is not assignable to type 'string'.");
    const circular = await kernel.run(
      "const ring: { own?: object } = {}; ring.own = ring; display({ 'application/json': ring })",
    );
    expect(circular.reply.evalue).toContain('circular');
  });

  test("tslab's own display works as ever", async () => {
    const { published } = await kernel.run(
      "import { display as show, newDisplay } from 'tslab'; show.html('<b>b</b>'); const d = newDisplay(); d.text('1'); d.text('2');",
    );
    expect(typesOf(published).slice(2, -1)).toEqual([
      'display_data',
      'display_data',
      'update_display_data',
    ]);
  });
});

describe('many messages', () => {
  test('20,000 lines and 5,000 updates of one loop all arrive, in bounded memory', async () => {
    await kernel.run("import { display } from 'cifar10-fast';");
    const before = peakOf(kernel);
    const { published, stdout, reply } = await kernel.run(
      "const view = display({ 'text/plain': 'begin' });\n" +
        'for (let i = 0; i < 20_000; i++) {\n' +
        "  console.log('line', i);\n" +
        "  if (i % 4 === 0) display({ 'text/plain': String(i), 'text/html': '<p>'.repeat(500) }, { update: view });\n" +
        '}',
    );
    expect(reply.status).toBe('ok');
    expect(stdout).toBe(Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join(''));
    const updates = published.filter(({ type }) => type === 'update_display_data');
    expect(updates.map(({ content }) => content.data['text/plain'] as string)).toEqual(
      Array.from({ length: 5000 }, (_, i) => String(4 * i)),
    );
    // The garbage collectors of Node 24 and 26 run later; there it takes 149 and 227 MB.
    const isOld = Number.parseInt(process.versions.node, 10) < 24;
    expect(peakOf(kernel) - before).toBeLessThan(isOld ? 120 : 300);
  });

  test('a client that is slow is waited for: it gets all, and the memory is not the data', async () => {
    const address = kernel.address('iopub');
    const slow = new Subscriber({ receiveHighWaterMark: 20, linger: 0 });
    slow.connect(address);
    slow.subscribe();
    await kernel.run('1');
    await sleep(300);
    const before = peakOf(kernel);
    const { id, done } = kernel.begin(
      "const big = 'x'.repeat(100_000); for (let i = 0; i < 5000; i++) display({ 'text/plain': big }, { update: view });",
    );
    let isDone = false;
    void done.then(() => {
      isDone = true;
    });
    await sleep(2500);
    expect(isDone).toBe(false);
    let count = 0;
    for await (const frames of slow) {
      const [, header, parent] = frames.slice(frames.findIndex((frame) => frame.length === 9) + 1);
      if (!String(parent).includes(id)) continue;
      if (String(header).includes('"update_display_data"')) count += 1;
      if (String(frames.at(-1)).includes('idle')) break;
    }
    slow.close();
    expect(count).toBe(5000);
    expect((await done).reply.status).toBe('ok');
    // 500 MB went by.
    expect(peakOf(kernel) - before).toBeLessThan(200);
  });

  test('a client that never reads holds nobody up for long', async () => {
    const deaf = new Subscriber({ receiveHighWaterMark: 20, linger: 0 });
    deaf.connect(kernel.address('iopub'));
    deaf.subscribe();
    await kernel.run('1');
    await sleep(300);
    const { reply, published } = await kernel.run(
      "for (let i = 0; i < 4000; i++) display({ 'text/plain': big }, { update: view });",
    );
    deaf.close();
    expect(reply.status).toBe('ok');
    expect(published.filter(({ type }) => type === 'update_display_data')).toHaveLength(4000);
    // A busy machine takes five times as long.
  }, 180_000);
});

describe('from start to end', () => {
  test('history: tail, range and search, kept when the kernel starts again', async () => {
    const env = { CIFAR10_FAST_CACHE: join(library.folder, 'history') };
    const ask = async (client: Client, content: object): Promise<unknown> =>
      (await client.ask('history_request', { output: false, raw: true, ...content })).history;
    const first = await library.start({ env });
    await first.run('const one = 1');
    await first.run('one + 1');
    await first.run('one + 1');
    await first.run('silently', { silent: true });
    await first.stop();

    const second = await library.start({ env });
    expect(await ask(second, { hist_access_type: 'tail', n: 2 })).toEqual([
      [1, 2, 'one + 1'],
      [1, 3, 'one + 1'],
    ]);
    await second.run("'b'");
    expect(await ask(second, { hist_access_type: 'tail', n: 2 })).toEqual([
      [1, 3, 'one + 1'],
      [2, 1, "'b'"],
    ]);
    const range = { hist_access_type: 'range', start: 1, stop: 3 };
    expect(await ask(second, { ...range, session: 0 })).toEqual([[2, 1, "'b'"]]);
    expect(await ask(second, { ...range, session: -1 })).toEqual([
      [1, 1, 'const one = 1'],
      [1, 2, 'one + 1'],
    ]);
    const search = { hist_access_type: 'search', pattern: '*one*', n: 10 };
    expect(await ask(second, search)).toHaveLength(3);
    expect(await ask(second, { ...search, unique: true })).toEqual([
      [1, 1, 'const one = 1'],
      [1, 3, 'one + 1'],
    ]);
    expect(await ask(second, { ...search, output: true, n: 1 })).toEqual([
      [1, 3, ['one + 1', null]],
    ]);
    await second.stop();
  });

  test.each([
    ['nothing runs', '1'],
    ['a timer runs', 'setInterval(() => undefined, 1000)'],
    ['a cell awaits', 'await new Promise(() => undefined)'],
    ['a cell computes', 'for (;;);'],
  ])('shutdown while %s', async (_, code) => {
    const client = await library.start();
    client.begin(code);
    await sleep(code === '1' ? 300 : 800);
    const ended = once(client.process, 'exit');
    const reply = await client.ask('shutdown_request', { restart: true }, 'control');
    expect(reply).toEqual({ status: 'ok', restart: true });
    await ended;
    client.disconnect();
  });

  test('what a cell printed arrives when it ends the process', async () => {
    const client = await library.start();
    const { id } = client.begin("console.log('last words'); process.exit(3)");
    const [code] = (await once(client.process, 'exit')) as [number];
    const { content } = await client.seen(({ about, type }) => about === id && type === 'stream');
    expect([code, content.text]).toEqual([3, 'last words\n']);
    client.disconnect();
  });

  test.each([
    ['works', 2500],
    ['starts', 0],
  ])('a kernel dies with the client that started it, also while it %s', async (what, wait) => {
    const pidFile = join(library.folder, `pid-${what}`);
    const connection = join(library.folder, `connection-${what}.json`);
    writeFileSync(
      connection,
      readFileSync(kernel.connectionFile, 'utf8').replaceAll(
        /_port": ?\d+/g,
        (text) => `${text.replace(/\d+$/, '')}0`,
      ),
    );
    const program = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, [${JSON.stringify(library.main)}, ${JSON.stringify(connection)}], {
        stdio: 'ignore', detached: true, env: { ...process.env, JPY_PARENT_PID: String(process.pid) },
      });
      require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['-e', program]);
    while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await sleep(50);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await sleep(wait);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    parent.kill('SIGKILL');
    for (let tries = 0; existsSync(`/proc/${pid}`) && tries < 150; tries++) await sleep(100);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  test('a connection file that cannot be read is said so', async () => {
    const child = spawn(process.execPath, [library.cli, 'kernel', 'run', '/nowhere.json']);
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(1);
    expect(said).toMatch(
      /^cifar10-fast: kernel: the connection file \/nowhere\.json cannot be read: .*ENOENT/,
    );
  });
});
