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

/** Runs cells; returns the result of the last one, or the error of the first one that fails. */
async function last(...cells: readonly string[]): Promise<string | undefined> {
  let result: string | undefined;
  for (const code of cells) {
    const outcome = await kernel.run(code);
    if (outcome.reply.status !== 'ok') return `${outcome.reply.ename}: ${outcome.reply.evalue}`;
    ({ result } = outcome);
  }
  return result;
}

const wait = 'await new Promise((go) => setTimeout(go, 40));';

describe('a name is one variable in all cells', () => {
  test.each<[what: string, cells: readonly string[], result: string]>([
    ['read by a function', ['let lr = 0.1; function f() { return lr }', 'lr = 0.2; f()'], '0.2'],
    [
      'changed on both sides',
      ['let n = 0; function bump() { n += 1; return n }', 'n = 100; bump()', 'bump() + n'],
      '204',
    ],
    ['var', ['var v = 1; const readV = () => v;', 'v = 2; readV()'], '2'],
    ['++ and --', ['let c = 5; const getC = () => c;', 'c++; ++c; c--; [c, getC()]'], '[ 6, 6 ]'],
    [
      'compound assignments',
      [
        'let m: number = null; const getM = () => m;',
        'm ??= 3; m **= 2; m ||= 1; m &&= m + 1; getM()',
      ],
      '10',
    ],
    [
      'destructuring',
      [
        'let [d1, d2] = [1, 2]; let d3 = 3; const all = () => [d1, d2, d3];',
        '[d1, d2] = [d2, d1]; ({ d3 } = { d3: 9 }); ({ a: d3 = 4 } = {} as any); all()',
      ],
      '[ 2, 1, 4 ]',
    ],
    [
      'heads of loops',
      [
        'let at; const seen = []; const see = () => seen.push(at);',
        'for (at of [1, 2]) see(); for (at in { k: 0 }) see(); for (at = 7; at < 8; at++) see(); seen',
      ],
      "[ 1, 2, 'k', 7 ]",
    ],
    [
      'in a function of a later cell',
      [
        'let w = 1; const getW = () => w;',
        'function setW() { w = 2 } const setToo = () => void (w += 5);',
        'setW(); setToo(); getW()',
      ],
      '7',
    ],
    [
      'a stop flag that a timer looks at',
      [
        'let goes = true, ticks = 0; const timer = setInterval(() => { if (goes) ticks++; else clearInterval(timer) }, 2);',
        `${wait} goes = false; ${wait} const was = ticks; ${wait}`,
        'was > 0 && ticks === was',
      ],
      'true',
    ],
    [
      'a counter of an asynchronous callback',
      [
        `let done = 0; const work = (async () => { ${wait} done += 1; ${wait} done += 1 })();`,
        'done = 10; await work; done',
      ],
      '12',
    ],
    [
      'fields, methods and static blocks of a class',
      [
        'let base = 1; class Reader { own = base; get() { return base } static s = 0; static { Reader.s = base } }',
        'base = 5; const r = new Reader(); [r.own, r.get(), Reader.s]',
      ],
      '[ 5, 5, 1 ]',
    ],
    [
      'generators',
      [
        'let step = 1; function* steps() { for (;;) { yield step; step *= 2 } } const it = steps();',
        'it.next(); it.next(); step = 100;',
        '[it.next().value, step]',
      ],
      '[ 200, 200 ]',
    ],
    [
      'shorthand fields, also those assigned to',
      [
        'let near = 1; const pair = () => ({ near });',
        '({ near } = { near: 3 }); ({ near = 4 } = {} as any); [pair(), { near }]',
      ],
      '[ { near: 4 }, { near: 4 } ]',
    ],
    [
      'defaults of parameters, which do not see the body',
      [
        'let p = 1; const twice = (a = p) => { var p = 5; return a + p }',
        'p = 10; const thrice = (a = p) => { let p = 1; return a + p }; [twice(), thrice()]',
      ],
      '[ 15, 11 ]',
    ],
    [
      'typeof, void, in, instanceof and templates',
      [
        'class T {} let t: any = new T(); let key = "x";',
        't = { x: 1 }; [typeof t, key in t, t instanceof T, `${key}`]',
      ],
      "[ 'object', true, false, 'x' ]",
    ],
    [
      'computed names and spread',
      [
        'let k2 = "a"; let list = [1];',
        'k2 = "b"; list = [...list, 2]; ({ [k2]: list, [`${k2}2`]() { return k2 } })',
      ],
      '{ b: [ 1, 2 ], b2: [Function: b2] }',
    ],
    ['an assignment alone in a cell', ['let kept = 1;', 'kept = 2', 'kept'], '2'],
    [
      'exported, and with underscores',
      [
        'export let shared = 1; let __under = 1; const both = () => [shared, __under];',
        'shared = 2; __under = 3; both()',
      ],
      '[ 2, 3 ]',
    ],
    [
      'var of a block',
      ['if (true) { var inner = 1 } const getInner = () => inner;', 'inner = 2; getInner()'],
      '2',
    ],
  ])('%s', async (_, cells, result) => {
    expect(await last(...cells)).toBe(result);
  });

  test('assignments of a failed cell persist, also those after an await', async () => {
    await last('let amount = 1; const getAmount = () => amount;');
    expect(await last("amount = 2; await null; amount = 3; throw new Error('x')")).toBe('Error: x');
    expect(await last('[amount, getAmount()]')).toBe('[ 3, 3 ]');
  });
});

describe('another variable of the same name stays separate', () => {
  test.each<[what: string, cells: readonly string[], result: string]>([
    [
      'a new declaration, for new code',
      [
        'let x = 1; const old = () => x; const setOld = (v) => { x = v }',
        'let x = "new"; const fresh = () => x;',
        'x = "newer"; setOld(5); [x, old(), fresh()]',
      ],
      "[ 'newer', 5, 'newer' ]",
    ],
    [
      'code between two declarations keeps the first',
      ['let y = 1;', 'const mid = () => y;', 'let y = 2;', '[mid(), y]'],
      '[ 1, 2 ]',
    ],
    [
      'the cell run again',
      [
        'let z = 0; const up = () => ++z;',
        'const firstUp = up; firstUp(); firstUp()',
        'let z = 0; const up = () => ++z;',
        '[up(), firstUp(), z]',
      ],
      '[ 1, 3, 1 ]',
    ],
    [
      'parameters, locals, catch and loops of the same name',
      [
        'let s = "outer";',
        'const f1 = (s) => s; function f2() { let s = "local"; return s } const f3 = ({ s }) => s; let got = []; try { throw "caught" } catch (s) { got.push(s) } for (const s of ["loop"]) got.push(s); { const s = "block"; got.push(s) } [f1("p"), f2(), f3({ s: "d" }), ...got, s].join()',
      ],
      "'p,local,d,caught,loop,block,outer'",
    ],
    [
      'names of functions, classes, labels, properties and methods',
      [
        'let u = 1;',
        'const fe = function u() { return typeof u }; const ce = class u { static me = typeof u }; u: for (;;) break u; [fe(), ce.me, { u: 2 }.u, { u() { return u } }.u(), u]',
      ],
      "[ 'function', 'function', 2, 1, 1 ]",
    ],
    [
      'var in a function',
      ['let h = 1;', 'function hoist() { h = 5; var h; return h } [hoist(), h]'],
      '[ 5, 1 ]',
    ],
    [
      'a type does not hide a value',
      ['const Both = 1;', 'interface Both { a: number }', 'const b: Both = { a: Both }; b'],
      '{ a: 1 }',
    ],
    [
      'nor a value a type',
      ['interface Kind { n: number }', 'const Kind = 5;', 'const k: Kind = { n: Kind }; k.n'],
      '5',
    ],
    ['names that nobody declares', ['// @ts-ignore\ntypeof neverDeclared'], "'undefined'"],
  ])('%s', async (_, cells, result) => {
    expect(await last(...cells)).toBe(result);
  });

  test('const stays const, at compile time and at run time', async () => {
    await last('const fixed = 1;');
    expect(await last('fixed = 2')).toBe(
      "CompileError: Cannot assign to 'fixed' because it is a constant.",
    );
    expect(await last('(fixed as any) = 2')).toBe('TypeError: Assignment to constant variable.');
    expect(await last('fixed')).toBe('1');
  });
});

describe('imports', () => {
  test('are available in all later cells, also in functions and objects', async () => {
    await last(
      "import { join, sep as slash } from 'node:path'; import * as os from 'node:os'; import fs, { existsSync } from 'node:fs'; const j = () => join('a', 'b');",
    );
    expect(
      await last("[j(), join('c', slash), typeof os.cpus, fs.existsSync === existsSync]"),
    ).toBe("[ 'a/b', 'c/', 'function', true ]");
    expect(await last('Object.keys({ join, os, fs })')).toBe("[ 'join', 'os', 'fs' ]");
    expect(await last("let join = 'mine'; [join, j()]")).toBe("[ 'mine', 'a/b' ]");
  });

  test('of types only emit no code', async () => {
    expect(
      await last(
        "import type { Stats } from 'node:fs'; import { type Dirent, statSync } from 'node:fs';",
        "const st: Stats = statSync('/'); let de: Dirent; st.isDirectory()",
      ),
    ).toBe('true');
  });
});

describe('calls', () => {
  test('of functions pass no this, of methods their object', async () => {
    await last(
      'function self(this: any) { return this } const o = { self, n: 3 }; const tag = function (this: any, _: TemplateStringsArray) { return this };',
    );
    expect(
      await last(
        '[self(), (self)(), self?.(), tag``, o.self().n, new (class { me = self() })().me]',
      ),
    ).toBe('[ undefined, undefined, undefined, undefined, 3, undefined ]');
  });

  test('have their positions in errors', async () => {
    const first = await kernel.run("const fail = () => {\n  throw new Error('here');\n};");
    const { reply } = await kernel.run('1;\n  fail();');
    const [one, two] = [first.reply.execution_count, reply.execution_count] as number[];
    expect(reply.traceback).toEqual([
      'Error: here',
      "  2 |   throw new Error('here');",
      '              ^',
      `    at fail ([${one}]:2:9)`,
      `    at [${two}]:2:3`,
    ]);
  });
});

describe('names that used to fail', () => {
  test.each<[what: string, cells: readonly string[], result: string]>([
    [
      'two underscores',
      ['const __a = 1, ___b = 2; function __f() { return __a + ___b }', '[__a, ___b, __f()]'],
      '[ 1, 2, 3 ]',
    ],
    [
      'export of declarations',
      [
        'export const ec = 1; export function ef() { return ec } export class EC {} export enum EE { A } export type ET = number;',
        'const et: ET = ec; [et, ef(), typeof EC, EE.A]',
      ],
      "[ 1, 1, 'function', 0 ]",
    ],
    ['export default', ['export default function named() { return 1 }', 'named()'], '1'],
    ['export default of a value', ['export default { a: 1 }'], '{ a: 1 }'],
    ['export lists', ['const el = 1; export { el, el as em };', '[el, em]'], '[ 1, 1 ]'],
    ['export * leaves later cells alone', ["export * from 'node:fs';", '1 + 1'], '2'],
    [
      'export … from',
      [
        "export { existsSync, readFileSync as rfs } from 'node:fs'; export * as pp from 'node:path';",
        "[existsSync('/'), typeof rfs, pp.join('a', 'b')]",
      ],
      "[ true, 'function', 'a/b' ]",
    ],
    [
      'export … from of names that no variable can have',
      [
        "export { default, sep } from 'node:path'; export { sep as s2, default, } from 'node:path'; export { sep as 'a b', posix } from 'node:path'; export * as default from 'node:path';",
        '[sep, s2, posix.sep]',
      ],
      "[ '/', '/', '/' ]",
    ],
    [
      'declare global',
      [
        'declare global { interface Array<T> { second(): T } } Array.prototype.second = function () { return this[1] };',
        '[1, 2].second()',
      ],
      '2',
    ],
    [
      'modules that augment types',
      [
        "import type {} from '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops'; import * as tfc from '@tensorflow/tfjs-core';",
        'const square = (v: tfc.Tensor): tfc.Tensor => v.mul(v); typeof square',
      ],
      "'function'",
    ],
    [
      'const require',
      [
        "import { createRequire } from 'node:module'; const require = createRequire('/x.js');",
        "typeof require('node:fs').statSync",
      ],
      "'function'",
    ],
    [
      'const exports and module',
      ['const exports = { a: 1 }; const module = 2;', 'exports.a + module'],
      '3',
    ],
    [
      "Node's module-level variables",
      [
        "[__dirname === process.cwd(), __filename.startsWith(__dirname), import.meta.dirname === __dirname, import.meta.url.startsWith('file:///'), import.meta.filename === __filename, import.meta.resolve('fs')]",
      ],
      "[ true, true, true, true, false, 'node:fs' ]",
    ],
    [
      'standard decorators',
      [
        'function dec(value: any, context: ClassMethodDecoratorContext) { return () => [context.kind, context.name] } class Decorated { @dec m(): any {} }',
        'new Decorated().m()',
      ],
      "[ 'method', 'm' ]",
    ],
    ['a shebang', ['#!/usr/bin/env node\n5'], '5'],
    [
      'namespaces and enums',
      [
        'namespace Ns { export const z = 3; export interface I { a: number } } const enum Ce { A = 4 }',
        'const nsi: Ns.I = { a: Ns.z }; [nsi.a, Ce.A]',
      ],
      '[ 3, 4 ]',
    ],
    [
      'await using',
      [
        "const log = []; { await using res = { async [Symbol.asyncDispose]() { log.push('closed') } } as any; log.push('open') } log",
      ],
      "[ 'open', 'closed' ]",
    ],
  ])('%s', async (_, cells, result) => {
    expect(await last(...cells)).toBe(result);
  });
});

describe('types follow the Node that runs', () => {
  test.each([
    ['/[\\p{L}--[a-z]]/v.test("A")', "'unicodeSets' in RegExp.prototype"],
    ['Object.groupBy([1], () => "k")', "'groupBy' in Object"],
    ['new Set([1]).union(new Set([2])).size', "'union' in Set.prototype"],
    ['typeof Promise.withResolvers', "'withResolvers' in Promise"],
    ['typeof Array.fromAsync', "'fromAsync' in Array"],
    ['"a".isWellFormed()', "'isWellFormed' in String.prototype"],
  ])('%s', async (code, isThere) => {
    const there = await kernel.run(isThere);
    const { reply } = await kernel.run(code);
    expect(reply.status).toBe(there.result === 'true' ? 'ok' : 'error');
    expect(reply.ename).toBe(there.result === 'true' ? undefined : 'CompileError');
  });
});
