import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { inspect } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import * as errors from '../src/base/errors';
import { catalogue, findExperiment } from '../src/catalogue/catalogue';
import type { Experiment } from '../src/catalogue/experiment';
import { networkOf } from '../src/catalogue/network';
import { scaled } from '../src/catalogue/scale';
import { countTrainable } from '../src/nn/network';
import { builtLibrary } from './built-library';
import { blocksOf, comparing, pattern, saidIn, sectionsOf } from './markdown';

/** Runs, looks up or compares what the documents say, so that they cannot become outdated. */
const root = resolve(__dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-docs-'));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'results')).map((name) => `results/${name}`),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(
    (name) => `docs/${name}`,
  ),
].filter((name) => name.endsWith('.md') && !name.startsWith('docs/api/'));

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A page's code, ready to be compiled and run. */
interface Program {
  readonly name: string;
  readonly file: string;
}

function writeProgram(name: string, code: string): Program {
  const file = join(scratch, `${name}.ts`);
  const source = (subpath?: string): string =>
    JSON.stringify(join(root, 'src', subpath === undefined ? 'index' : `exports/${subpath}`));
  const declared = 'declare function expectShown(value: unknown, shown: string): void;\n';
  const resolved = comparing(code).replaceAll(
    /'cifar10-fast(?:\/(\w+))?'/g,
    (_, subpath?: string) => source(subpath),
  );
  writeFileSync(file, declared + resolved);
  return { name, file };
}

function codeOf(text: string): string[] {
  return blocksOf(text)
    .filter(({ language }) => language === 'ts')
    .map(({ text: code }) => code);
}

const whole = [
  'README.md',
  'docs/networks.md',
  'docs/augment.md',
  'docs/engine.md',
  'docs/sweeps.md',
  'docs/experiments.md',
  'docs/notebooks.md',
  'docs/runs.md',
  'docs/export.md',
  'docs/kernel.md',
]
  .map((page) => ({ page, code: codeOf(read(page)).join('\n') }))
  .filter(({ code }) => code !== '')
  .map(({ page, code }) => writeProgram(page.replaceAll(/\W/g, '-'), code));

/** Code in which each line followed by `// repair: …` is replaced by the code in that comment. */
function repaired(code: string): string {
  return code.replaceAll(/^.*\n\s*\/\/ repair: (.+)$/gm, '$1');
}

const errorClasses = new Map(Object.entries(errors));
const errorSections = sectionsOf(read('docs/errors.md'));
const examples = [...errorSections].flatMap(([name, text]) => {
  const [broken, repair] = codeOf(text);
  if (broken === undefined) return [];
  const message = saidIn(broken);
  return {
    name,
    message,
    broken: writeProgram(`${name}-broken`, broken),
    repair: writeProgram(`${name}-repair`, repair ?? repaired(broken)),
  };
});
const intro = writeProgram(
  'errors-intro',
  codeOf(read('docs/errors.md').split('\n## ')[0]).join('\n'),
);

/** Runs a program as a module of this process, so that it shares the error classes of {@link errors}. */
async function runProgram({ file }: Program): Promise<void> {
  await import(/* @vite-ignore */ file);
}

describe('code in the documents', () => {
  beforeAll(() => {
    Object.assign(globalThis, {
      expectShown: (value: unknown, shown: string) => {
        const text = inspect(value, { compact: true, breakLength: Infinity, depth: 4 });
        if (text !== shown) throw new Error(`the page says ${shown}, and it is ${text}`);
      },
    });
  });

  test('compiles as strictly as the library', () => {
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(join(root, 'tsconfig.json'), (path) => readFileSync(path, 'utf8')).config,
      ts.sys,
      root,
    );
    const programs = [
      ...whole,
      intro,
      ...examples.flatMap(({ broken, repair }) => [broken, repair]),
    ];
    const program = ts.createProgram(
      programs.map(({ file }) => file),
      {
        ...options,
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        configFilePath: join(root, 'tsconfig.json'),
        // Declarations are faster to read than sources; `npm run types` checks those.
        paths: {
          '@tensorflow/*': [join(root, 'node_modules/@tensorflow/*')],
          [join(root, 'src/*')]: [join(builtLibrary(), 'dist/*')],
        },
        rootDir: '/',
        incremental: false,
        declaration: false,
        isolatedDeclarations: false,
        noUnusedLocals: false,
        noEmit: true,
      },
    );
    const faults = ts.getPreEmitDiagnostics(program).flatMap(({ file, start, messageText }) => {
      if (file !== undefined && !file.fileName.startsWith(scratch)) return [];
      const place = file === undefined ? '' : `${relative(scratch, file.fileName)}:${start}: `;
      return [place + ts.flattenDiagnosticMessageText(messageText, '\n')];
    });
    expect(faults).toEqual([]);
  });

  test.each(whole)('$name runs and gives the documented values', async (program) => {
    await expect(runProgram(program)).resolves.toBeUndefined();
  });

  test('errors.md: the code that catches one runs', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    await runProgram(intro);
    expect(said).toHaveBeenCalledOnce();
    said.mockRestore();
  });

  test.each(examples)(
    'errors.md, $name: the broken example throws the documented error',
    async ({ name, message, broken }) => {
      const thrown: unknown = await runProgram(broken).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(thrown).toBeInstanceOf(errorClasses.get(name));
      expect((thrown as Error).message).toMatch(pattern(message));
    },
  );

  test.each(examples)('errors.md, $name: the repair runs', async ({ repair }) => {
    await expect(runProgram(repair)).resolves.toBeUndefined();
  });
});

describe('errors.md', () => {
  test('has one section per class, in the order of the source, and no others', () => {
    expect([...errorSections.keys()]).toEqual([...errorClasses.keys()]);
  });

  test('every section has more than a line', () => {
    for (const text of errorSections.values()) expect(text.trim().length).toBeGreaterThan(120);
  });
});

/** The anchor that GitHub gives a heading. */
function anchor(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

const withoutCode = (page: string): string => read(page).replaceAll(/^```[\s\S]*?^```$/gm, '');

describe('links', () => {
  test.each(pages)('of %s are not broken', (page) => {
    const text = withoutCode(page);
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)]
      .map((match) => match[1] ?? match[2])
      .filter((target) => !/^[a-z]+:/.test(target));
    const dead = targets.filter((target) => {
      const [path, place] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(root, file))) return true;
      if (place === undefined) return false;
      const headings = [...withoutCode(file).matchAll(/^#+ (.+)$/gm)].map((match) =>
        anchor(match[1]),
      );
      return !headings.includes(place);
    });
    expect(dead).toEqual([]);
  });

  test('lead from README to every page, directly or through other pages', () => {
    const reached = new Set(['README.md']);
    for (const page of reached) {
      for (const [, target] of withoutCode(page).matchAll(/\]\(([^)#\s]+\.md)[^)]*\)/g)) {
        const path = join(dirname(page), target);
        if (pages.includes(path)) reached.add(path);
      }
    }
    expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  });

  test('to pages in source, scripts and messages are not broken', () => {
    const files = ['src', 'scripts', 'setup', 'test', 'native'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(ts|mjs|cjs|c|cc|py|sh)$/.test(name))
        .map((name) => join(folder, name)),
    );
    const dead = [...files, 'kernel-setup.sh'].flatMap((file) =>
      [...read(file).matchAll(/\bdocs\/[\w/-]+\.(?:md|svg)/g)]
        .filter(([path]) => !existsSync(join(root, path)))
        .map(([path]) => `${file}: ${path}`),
    );
    expect(dead).toEqual([]);
  });
});

describe('commands in the documents', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const helpOf = (name: string): string => {
    const path = `test/output/help${name === '' ? '' : `-${name}`}.txt`;
    return existsSync(join(root, path)) ? read(path) : '';
  };
  const mine = pages.filter((page) => page !== 'CHANGELOG.md');

  test.each(mine)('of %s exist', (page) => {
    const text = read(page);
    const faults: string[] = [];
    for (const [line, args] of text.matchAll(/(?<![\w-])npm (run [\w:-]+|start|test)\b/g)) {
      const name = args.replace('run ', '');
      if (!(name in scripts)) faults.push(line);
    }
    for (const [line, name, rest] of text.matchAll(/npx cifar10-fast ([a-z][\w-]*)([^`\n]*)/g)) {
      const help = helpOf(name);
      const flags = [...rest.split('#')[0].matchAll(/--([\w-]+)/g)].map((match) => match[1]);
      const known = (flag: string): boolean =>
        flag === 'help' || help.includes(`  --${flag.replaceAll('_', '-')} `);
      if (help === '' || !flags.every(known)) faults.push(line);
    }
    for (const [line, path] of text.matchAll(/(?:node|bash|sh) ((?:scripts|setup)\/[\w.-]+)/g)) {
      if (!existsSync(join(root, path))) faults.push(line);
    }
    // Two broken examples are wrong on purpose.
    expect(faults.filter((line) => !/--sacle|dmeo/.test(line))).toEqual([]);
  });
});

describe('README', () => {
  test('is short', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThan(120);
  });
});

describe('development.md', () => {
  test('has one row per module of src/, in the order of the module test, and no others', () => {
    const page = read('docs/development.md');
    const rows = [...page.matchAll(/^\| `([a-z]+)\/` /gm)].map((match) => match[1]);
    const modules = [...read('test/rooms.test.ts').matchAll(/^ {2}\[('.*')\],$/gm)].flatMap(
      (match) => match[1].split(', ').map((module) => module.slice(1, -1)),
    );
    const built = modules.filter((module) => existsSync(join(root, 'src', module)));
    expect(rows).toEqual(built);
  });
});

describe('results.md', () => {
  const page = read('docs/results.md');

  test('describes the scales as they are', () => {
    const demo = findExperiment('demo');
    const smoke = scaled(demo, 'smoke');
    const widths = ({ net }: Experiment): number[] => Object.values(net.channels);
    const images = smoke.data.subset?.train.toLocaleString('en');
    expect(page).toContain(
      `demo, smoke scale: ${smoke.run.epochs} epochs of ${images} images, batch ${smoke.data.batchSize}, ` +
        `widths ${widths(smoke).join('/')}, ` +
        `${countTrainable(networkOf(smoke)).toLocaleString('en')} parameters`,
    );
    const row = page.split('\n').find((line) => line.startsWith('| `smoke`'));
    expect(row).toContain(smoke.data.subset?.train.toLocaleString('en'));
    expect(row).toContain(String(smoke.data.subset?.valid));
    expect(row).toContain(`1/${widths(demo)[0] / widths(smoke)[0]}`);
    expect(row).toContain(`${smoke.data.batchSize} at most`);
    expect(row).toMatch(new RegExp(`\\b${smoke.run.epochs}\\b`));
  });

  test("quotes the study's figures from the catalogue", () => {
    const { published } = findExperiment('demo');
    expect(page.replaceAll('\n', ' ')).toContain(
      `${published?.accPercent} %, the median of 50 runs, in ${published?.timeSec} s`,
    );
  });
});

describe('FEATURES', () => {
  const features = read('FEATURES.md');
  const rows = [...features.matchAll(/^\| +(\d+) \| (.+?) +\| ([a-z ]+?) +\| (.*?) *\|$/gm)];

  test('lists all 65 points of the study, each once', () => {
    const numbers = rows.map((row) => Number(row[1]));
    expect(new Set(numbers).size).toBe(65);
    expect(Math.min(...numbers)).toBe(1);
    expect(Math.max(...numbers)).toBe(65);
    expect(numbers).toHaveLength(65);
  });

  test('says for each whether it is implemented, and where', () => {
    const faults = rows.flatMap(([, number, , state, where]) => {
      if (!['done', 'partly', 'not yet'].includes(state)) return [`${number}: state "${state}"`];
      const hasPlace = /`src\/[^`]+`/.test(where);
      return state === 'not yet' || hasPlace ? [] : [`${number}: ${state}, and no place is named`];
    });
    expect(faults).toEqual([]);
  });

  test('names a notebook cell or a command for each', () => {
    const isDone = /`\w+#[a-z0-9-]+`|`npx cifar10-fast [a-z-]+/;
    expect(rows.filter((row) => !isDone.test(row[4])).map((row) => row[1])).toEqual([]);
  });

  test('names only experiments that exist', () => {
    const named = [...features.matchAll(/`(post\d-[\w-]+)`/g)].map((match) => match[1]);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !catalogue.has(name))).toEqual([]);
  });

  test('names only files that exist', () => {
    const named = [...features.matchAll(/`((?:src|test)\/[\w./-]+)`/g)].map((match) => match[1]);
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
