import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** A package in the notebook's `node_modules`. */
function addPackage(name: string, manifest: object, files: Readonly<Record<string, string>>): void {
  const folder = join(library.notebooks, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name, version: '1.0.0', ...manifest }),
  );
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
}

describe('the library', () => {
  test('is imported by name, with its types', async () => {
    const { reply, result } = await kernel.run(
      "import { findExperiment } from 'cifar10-fast'; const record = findExperiment('demo'); record.published.accPercent",
    );
    expect([reply.status, result]).toEqual(['ok', '94.08']);
    const wrong = await kernel.run('record.publised');
    expect(wrong.reply.evalue).toContain("Did you mean 'published'?");
  });

  test('is imported in a folder that does not have it installed, with the types of Node', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'cifar10-fast-elsewhere-'));
    const elsewhere = await library.start({ cwd });
    const { result } = await elsewhere.run(
      "import { findExperiment } from 'cifar10-fast'; const found: string = findExperiment('demo').name; [found, process.version.length > 3]",
    );
    expect(result).toBe("[ 'demo', true ]");
    expect(
      (await elsewhere.run("(await import('cifar10-fast')).findExperiment('demo').name")).result,
    ).toBe("'demo'");
    const wrong = await elsewhere.run("const n: number = findExperiment('demo').name");
    expect(wrong.reply.evalue).toBe("Type 'string' is not assignable to type 'number'.");
    await elsewhere.stop();
    rmSync(cwd, { recursive: true });
  });
});

describe('packages', () => {
  test('with an exports map only, for import only: vega-lite 6', async () => {
    const { reply, result } = await kernel.run(
      "import { compile } from 'vega-lite'; import type { TopLevelSpec } from 'vega-lite';\n" +
        "import * as vega from 'vega';\n" +
        "const spec: TopLevelSpec = { data: { values: [{ a: 1 }] }, mark: 'bar', encoding: { x: { field: 'a', type: 'quantitative' } } };\n" +
        "const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' });\n" +
        "(await view.toSVG()).startsWith('<svg')",
    );
    expect([reply.status, result]).toEqual(['ok', 'true']);
    expect((await kernel.run('typeof compile(spec).spec.marks')).result).toBe("'object'");
    const wrong = await kernel.run('const bad: TopLevelSpec = { mark: 5 }');
    expect(wrong.reply.evalue).toBe("Type 'number' is not assignable to type 'AnyMark'.");
  });

  test('import() returns the module itself, with its type', async () => {
    expect(
      (await kernel.run("const fs = await import('node:fs'); fs.existsSync('/')")).result,
    ).toBe('true');
    expect((await kernel.run("fs.default.existsSync('/') === fs.existsSync('/')")).result).toBe(
      'true',
    );
    const wrong = await kernel.run("const text: string = fs.existsSync('/')");
    expect(wrong.reply.evalue).toBe("Type 'boolean' is not assignable to type 'string'.");
    expect(
      (await kernel.run("const name = 'vega-' + 'lite'; typeof (await import(name)).compile"))
        .result,
    ).toBe("'function'");
  });

  test('with separate forms for import and require: each call takes its own', async () => {
    addPackage(
      'both-forms',
      { exports: { import: './m.mjs', require: './c.cjs' } },
      { 'm.mjs': "export const form = 'import';", 'c.cjs': "exports.form = 'require';" },
    );
    expect((await kernel.run("const { form } = require('both-forms'); form")).result).toBe(
      "'require'",
    );
    expect((await kernel.run("(await import('both-forms')).form")).result).toBe("'import'");
  });

  test('default and named exports of an ES module', async () => {
    addPackage(
      'only-imported',
      { type: 'module', exports: { types: './index.d.ts', import: './index.js' } },
      {
        'index.js': 'export default function f() { return 1 }; export let count = 5; await null;',
        'index.d.ts': 'export default function f(): number; export declare let count: number;',
      },
    );
    const { result } = await kernel.run(
      "import f, { count } from 'only-imported'; import * as all from 'only-imported'; [f(), count, all.default === f]",
    );
    expect(result).toBe('[ 1, 5, true ]');
    expect((await kernel.run('f() + count')).result).toBe('6');
  });

  test('JSON, also from a parent folder', async () => {
    writeFileSync(join(library.notebooks, 'own.json'), '{"a": [1, 2]}');
    const { result } = await kernel.run(
      "import own from './own.json'; import { name } from '../package.json'; [own.a[1].toFixed(), name]",
    );
    expect(result).toBe("[ '2', 'cifar10-fast' ]");
    const data = await kernel.run(
      "(await import('./own.json', { with: { type: 'json' } })).default.a",
    );
    expect(data.result).toBe('[ 1, 2 ]');
  });

  test('a missing one is reported, and is found once it is installed', async () => {
    const code = "import { later } from 'comes-later'; later";
    const missing = await kernel.run(code);
    expect(missing.reply).toMatchObject({ status: 'error', ename: 'CompileError' });
    expect(missing.reply.evalue).toBe(
      "Cannot find module 'comes-later' or its corresponding type declarations.",
    );
    expect(missing.reply.traceback.join('\n')).toContain(`npm install comes-later`);
    addPackage(
      'comes-later',
      { main: 'i.js', types: 'i.d.ts' },
      { 'i.js': 'exports.later = 1;', 'i.d.ts': 'export const later: number;' },
    );
    expect((await kernel.run(code)).result).toBe('1');
    const dynamic = await kernel.run("const which = 'never-' + 'there'; await import(which)");
    expect(dynamic.reply).toMatchObject({
      ename: 'Error',
      evalue: /Cannot find package 'never-there'/,
    });
  });
});

describe('files beside the notebook', () => {
  test('in TypeScript are checked and compiled, and again when they change', async () => {
    const path = join(library.notebooks, 'helper.ts');
    writeFileSync(path, 'export const twice = (n: number): number => 2 * n;');
    expect((await kernel.run("import { twice } from './helper'; twice(4)")).result).toBe('8');
    writeFileSync(path, 'export const twice = (n: number): string => `${2 * n}`;');
    expect((await kernel.run("import { twice } from './helper'; twice(4)")).result).toBe("'8'");
    writeFileSync(path, 'export const twice: number = "no";');
    const { reply } = await kernel.run("import { twice } from './helper'; twice");
    expect(reply.traceback.join('\n')).toContain('at helper.ts:1:14');
  });

  test('that import ES modules', async () => {
    writeFileSync(
      join(library.notebooks, 'charts.ts'),
      "import { compile } from 'vega-lite';\nexport const kind: string = typeof compile;",
    );
    expect((await kernel.run("import { kind } from './charts'; kind")).result).toBe("'function'");
  });

  test('in a sub-folder import from there', async () => {
    const folder = join(library.notebooks, 'lib');
    mkdirSync(folder);
    const from = (place: string): string => `export const place = '${place}';`;
    writeFileSync(join(library.notebooks, 'a.mjs'), from('notebook'));
    for (const name of ['a.mjs', 'b.mjs']) writeFileSync(join(folder, name), from('lib'));
    const one = { type: 'module', exports: { import: './index.js' } };
    addPackage('two-versions', one, { 'index.js': from('notebook') });
    addPackage('../lib/node_modules/two-versions', one, { 'index.js': from('lib') });
    writeFileSync(
      join(folder, 'x.ts'),
      "import { place } from './a.mjs';\n// @ts-ignore\nimport * as two from 'two-versions';\n" +
        'const named = async (name: string) => (await import(`./${name}.mjs`)).place;\n' +
        "export const places = async () => [place, two.place, (await import('./b.mjs')).place, await named('b')];",
    );
    const { result } = await kernel.run(
      "import { place } from './a.mjs'; import { places } from './lib/x';\n// @ts-ignore\nimport * as two from 'two-versions';\n" +
        '[place, two.place, ...(await places())].join()',
    );
    expect(result).toBe("'notebook,notebook,lib,lib,lib,lib'");
  });

  test('in CommonJS', async () => {
    writeFileSync(
      join(library.notebooks, 'common.js'),
      "const { sep } = require('node:path'); module.exports = { sep, twice: (n) => 2 * n };",
    );
    const { result } = await kernel.run(
      "import common, { twice } from './common.js'; [common.sep, twice(2), common.twice === twice]",
    );
    expect(result).toBe("[ '/', 4, true ]");
  });

  test('that lie elsewhere in the project, and those with a top-level await', async () => {
    mkdirSync(join(library.folder, 'shared/deep'), { recursive: true });
    writeFileSync(
      join(library.folder, 'shared/deep/index.ts'),
      "import { three } from '../three';\nexport const twelve: number = 4 * three;",
    );
    writeFileSync(join(library.folder, 'shared/three.ts'), 'export const three = 3;');
    expect((await kernel.run("import { twelve } from '../shared/deep'; twelve")).result).toBe('12');
    expect((await kernel.run("(await import('../shared/three')).three")).result).toBe('3');
    writeFileSync(
      join(library.notebooks, 'awaits.ts'),
      'export const late = await Promise.resolve(1);',
    );
    const { reply } = await kernel.run("import { late } from './awaits'; late");
    expect(reply.evalue).toContain('cannot use top-level await');
  });

  test('cells as modules', async () => {
    const { reply } = await kernel.run(
      '/** @module made */\nexport const here = (n: number): number => n + 1;',
    );
    expect(reply.status).toBe('ok');
    expect((await kernel.run("import { here } from './made'; here(1)")).result).toBe('2');
    const wrong = await kernel.run('/** @module wrong */\nexport const no: number = "x";');
    expect(wrong.reply.ename).toBe('CompileError');
  });
});

describe('tsconfig.json', () => {
  test("paths come from the folder or a parent, strict only from the notebook's own folder", async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'cifar10-fast-config-'));
    mkdirSync(join(cwd, 'lib'));
    writeFileSync(join(cwd, 'lib/thing.ts'), 'export const thing = 7;');
    const compilerOptions = { paths: { '@lib/*': ['./lib/*'] }, strict: true };
    writeFileSync(
      join(cwd, 'tsconfig.json'),
      `// as TypeScript allows\n${JSON.stringify({ compilerOptions })}`,
    );
    const configured = await library.start({ cwd });
    expect((await configured.run("import { thing } from '@lib/thing'; thing")).result).toBe('7');
    expect((await configured.run("(await import('@lib/thing')).thing")).result).toBe('7');
    const missing = await configured.run("import '@lib/nothing'; import { x } from '@lib/nothing'");
    const message = (missing.reply.traceback as string[]).join('\n');
    expect(message).toContain(
      '"paths" of tsconfig.json points to lib/nothing, which does not exist',
    );
    expect(message).not.toContain('npm install');
    expect((await configured.run('const n: number = null')).reply.ename).toBe('CompileError');
    await configured.stop();
    rmSync(cwd, { recursive: true });
  });

  test('a broken one is reported, and cells run', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'cifar10-fast-broken-'));
    writeFileSync(join(cwd, 'tsconfig.json'), '{ "compilerOptions": { "strict": 5, ');
    const broken = await library.start({ cwd });
    const { result, stderr } = await broken.run('1 + 1');
    expect(result).toBe('2');
    expect(stderr).toMatch(/^tsconfig\.json: /);
    expect((await broken.run('2')).stderr).toBe('');
    await broken.stop();
    rmSync(cwd, { recursive: true });
  });
});
