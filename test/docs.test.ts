import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { inspect } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import * as errors from '../src/base/errors';
import { byNotebook, catalogue, findExperiment } from '../src/catalogue/catalogue';
import type { Experiment } from '../src/catalogue/experiment';
import { networkOf } from '../src/catalogue/network';
import { scaled } from '../src/catalogue/scale';
import { countTrainable } from '../src/nn/network';
import { blocksOf, comparing, pattern, sectionsOf } from './markdown';

/** What the documents say is run, looked up or compared here, so that they cannot lag behind. */
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

const errorClasses = new Map(Object.entries(errors));
const errorSections = sectionsOf(read('docs/errors.md'));
const examples = [...errorSections].flatMap(([name, text]) => {
  const [broken, repair] = codeOf(text);
  if (broken === undefined) return [];
  const message = blocksOf(text).find(({ language }) => language === 'text')?.text ?? '';
  return {
    name,
    message,
    broken: writeProgram(`${name}-broken`, broken),
    repair: writeProgram(`${name}-repair`, repair),
  };
});
const intro = writeProgram(
  'errors-intro',
  codeOf(read('docs/errors.md').split('\n## ')[0]).join('\n'),
);

/** Runs a program as a module of this process, so that its errors are those of {@link errors}. */
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

  test('compiles as strictly as the library does', () => {
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
        paths: { '@tensorflow/*': [join(root, 'node_modules/@tensorflow/*')] },
        rootDir: '/',
        incremental: false,
        declaration: false,
        isolatedDeclarations: false,
        noUnusedLocals: false,
        noEmit: true,
      },
    );
    // Faults of the library itself are for `npm run types` to find.
    const faults = ts.getPreEmitDiagnostics(program).flatMap(({ file, start, messageText }) => {
      if (file !== undefined && !file.fileName.startsWith(scratch)) return [];
      const place = file === undefined ? '' : `${relative(scratch, file.fileName)}:${start}: `;
      return [place + ts.flattenDiagnosticMessageText(messageText, '\n')];
    });
    expect(faults).toEqual([]);
  });

  test.each(whole)('$name runs and gives what it says', async (program) => {
    await expect(runProgram(program)).resolves.toBeUndefined();
  });

  test('errors.md: the code that catches one runs', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    await runProgram(intro);
    expect(said).toHaveBeenCalledOnce();
    said.mockRestore();
  });

  test.each(examples)(
    'errors.md, $name: the broken example says what is shown',
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
  test('has a section for every class, in the order of the source, and for nothing else', () => {
    expect([...errorSections.keys()]).toEqual([...errorClasses.keys()]);
  });

  test('every section says more than a line', () => {
    for (const text of errorSections.values()) expect(text.trim().length).toBeGreaterThan(120);
  });
});

/** The name that GitHub gives a heading as a place to link to. */
function anchor(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

const withoutCode = (page: string): string => read(page).replaceAll(/^```[\s\S]*?^```$/gm, '');

describe('links', () => {
  test.each(pages)('of %s lead somewhere', (page) => {
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

  test('lead from README to every page, directly or through others', () => {
    const reached = new Set(['README.md']);
    for (const page of reached) {
      for (const [, target] of withoutCode(page).matchAll(/\]\(([^)#\s]+\.md)[^)]*\)/g)) {
        const path = join(dirname(page), target);
        if (pages.includes(path)) reached.add(path);
      }
    }
    expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  });

  test('to pages in source, scripts and messages lead somewhere', () => {
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
    // Two are wrong on purpose: broken examples.
    expect(faults.filter((line) => !/--sacle|dmeo/.test(line))).toEqual([]);
  });
});

describe('README', () => {
  const readme = read('README.md');

  test('has a row for every room of src/, in the order of the room test, and for nothing else', () => {
    const rows = [...readme.matchAll(/^\| `([a-z]+)\/` /gm)].map((match) => match[1]);
    const rooms = [...read('test/rooms.test.ts').matchAll(/^ {2}\[('.*')\],$/gm)].flatMap((match) =>
      match[1].split(', ').map((room) => room.slice(1, -1)),
    );
    const built = rooms.filter((room) => existsSync(join(root, 'src', room)));
    expect(rows).toEqual(built);
  });

  test('says of the sizes what they are', () => {
    const demo = findExperiment('demo');
    const { published } = demo;
    expect(readme).toContain(
      `${published?.accPercent} %, the median of 50 runs, in ${published?.timeSec} s`,
    );
    const smoke = scaled(demo, 'smoke');
    const widths = ({ net }: Experiment): number[] => Object.values(net.channels);
    const images = smoke.data.subset?.train.toLocaleString('en');
    expect(readme).toContain(
      `demo, smoke size: ${smoke.run.epochs} epochs of ${images} images, batch ${smoke.data.batchSize}, ` +
        `widths ${widths(smoke).join('/')}, ` +
        `${countTrainable(networkOf(smoke)).toLocaleString('en')} parameters`,
    );
    const row = readme.split('\n').find((line) => line.startsWith('| `smoke`'));
    expect(row).toContain(smoke.data.subset?.train.toLocaleString('en'));
    expect(row).toContain(String(smoke.data.subset?.valid));
    expect(row).toContain(`1/${widths(demo)[0] / widths(smoke)[0]}`);
    expect(row).toContain(`${smoke.data.batchSize} at most`);
    expect(row).toMatch(new RegExp(`\\b${smoke.run.epochs}\\b`));
  });
});

describe('experiments.md', () => {
  test('has the tables of the catalogue', async () => {
    const script: string = join(root, 'scripts/records-page.mjs');
    const { page } = (await import(/* @vite-ignore */ script)) as {
      readonly page: (text: string, groups: ReturnType<typeof byNotebook>) => Promise<string>;
    };
    const text = read('docs/experiments.md');
    expect(await page(text, byNotebook())).toBe(text);
    for (const name of catalogue.keys()) expect(text).toContain(`| \`${name}\` `);
    const changed = text.replace('| `demo` ', '| `deno` ');
    expect(await page(changed, byNotebook())).toBe(text);
  });
});

/** Runs scripts/readme.mjs on a checkout. */
function readmeScript(...args: string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  const script = join(root, 'scripts/readme.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('the result tables of README', () => {
  const result = {
    record: 'demo',
    scale: 'pocket',
    seed: 0,
    accPercent: 81.5,
    trainSec: 100,
    imagesPerSec: 2000.4,
    precision: 'bf16',
    threads: 2,
    hardware: 'AMD EPYC, 2 cores, AVX-512 BF16, 24 GB',
    tensorflow: '2.21.0',
    node: '20.20.2',
    date: '2026-11-30',
  };
  const marked = (
    headline: string,
    table: string,
    { speed = '_not measured yet_', directions = '_no committed runs yet_' } = {},
  ): string =>
    [
      '# x\n',
      '<!-- headline: written by scripts/readme.mjs -->\n',
      `${headline}\n`,
      '<!-- /headline -->\n',
      '<!-- speed: written by scripts/readme.mjs -->\n',
      `${speed}\n`,
      '<!-- /speed -->\n',
      '<!-- results: written by scripts/readme.mjs -->\n',
      `${table}\n`,
      '<!-- /results -->\n',
      '<!-- directions: written by scripts/readme.mjs -->\n',
      `${directions}\n`,
      '<!-- /directions -->\n',
    ].join('\n');
  const checkout = (results: readonly object[]): string => {
    const folder = mkdtempSync(join(scratch, 'checkout-'));
    mkdirSync(join(folder, 'results'));
    for (const [index, one] of results.entries()) {
      writeFileSync(join(folder, `results/${index}.json`), JSON.stringify(one));
    }
    writeFileSync(
      join(folder, 'README.md'),
      marked('old', 'old', { speed: 'old', directions: 'old' }),
    );
    return folder;
  };

  test('are those of the committed runs', () => {
    expect(readmeScript('--check')).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('give mean, spread and number of runs, and a row for each kind of run', () => {
    const folder = checkout([
      result,
      { ...result, seed: 1, accPercent: 82.5, trainSec: 104, imagesPerSec: 1900, node: '22.1.0' },
      { ...result, precision: 'fp32', accPercent: 80.125, trainSec: 150.25, imagesPerSec: 1331 },
      { ...result, threads: 1, accPercent: 81, trainSec: 200, imagesPerSec: 1000 },
      { ...result, record: 'post1-baseline', accPercent: 83 },
      { ...result, record: 'one of mine' },
      { ...result, scale: 'smoke', accPercent: 20, trainSec: 2, imagesPerSec: 1000 },
    ]);
    expect(readmeScript('--root', folder, '--check')).toMatchObject({
      status: 1,
      stderr: 'readme: README.md lags behind its sources. Run: node scripts/readme.mjs\n',
    });
    expect(readmeScript('--root', folder)).toEqual({ status: 0, stdout: '', stderr: '' });
    const text = readFileSync(join(folder, 'README.md'), 'utf8');
    const published = findExperiment('post1-baseline').published?.accPercent?.toFixed(2);
    expect(text.replaceAll(/ {2,}/g, ' ').replaceAll(/-{3,}/g, '---')).toBe(
      marked(
        '**82.00 ± 0.71 % test accuracy in 102.0 ± 2.8 s** of training (mean ± standard deviation of 2 runs; record ' +
          '`demo`, pocket size, 1,950 images/s, bf16), on AMD EPYC, 2 cores, AVX-512 BF16, 24 GB; TensorFlow 2.21.0, ' +
          'Node 20.20.2, 22.1.0.',
        [
          '| record | published % (full) | size | runs | test accuracy % | training s | images/s | precision | threads | hardware | TensorFlow | Node |',
          `|${' --- |'.repeat(12)}`,
          '| `demo` | 94.08 | pocket | 1 | 81.00 | 200.0 | 1,000 | bf16 | 1 | AMD EPYC, 2 cores, AVX-512 BF16, 24 GB | 2.21.0 | 20.20.2 |',
          '| `demo` | 94.08 | pocket | 2 | 82.00 ± 0.71 | 102.0 ± 2.8 | 1,950 | bf16 | 2 | AMD EPYC, 2 cores, AVX-512 BF16, 24 GB | 2.21.0 | 20.20.2, 22.1.0 |',
          '| `demo` | 94.08 | pocket | 1 | 80.13 | 150.3 | 1,331 | fp32 | 2 | AMD EPYC, 2 cores, AVX-512 BF16, 24 GB | 2.21.0 | 20.20.2 |',
          '| `demo` | 94.08 | smoke | 1 | 20.00 | 2.0 | 1,000 | bf16 | 2 | AMD EPYC, 2 cores, AVX-512 BF16, 24 GB | 2.21.0 | 20.20.2 |',
          `| \`post1-baseline\` | ${published} | pocket | 1 | 83.00 | 100.0 | 2,000 | bf16 | 2 | AMD EPYC, 2 cores, AVX-512 BF16, 24 GB | 2.21.0 | 20.20.2 |`,
          '| `one of mine` | - | pocket | 1 | 81.50 | 100.0 | 2,000 | bf16 | 2 | AMD EPYC, 2 cores, AVX-512 BF16, 24 GB | 2.21.0 | 20.20.2 |',
        ].join('\n'),
      ),
    );
    expect(readmeScript('--root', folder, '--check').status).toBe(0);
  });

  test('set the steps of the study beside what was published, and tell noise from direction', () => {
    const named = (record: string, ...accs: readonly number[]): readonly object[] =>
      accs.map((accPercent, seed) => ({ ...result, record, seed, accPercent }));
    const folder = checkout([
      // demo has no say in it: its spread is a tenth of what these have.
      ...named('demo', 80.9, 81, 81.1),
      ...named('post4-no-repeat', 40),
      ...named('post4-conv-3x3', 60, 62, 64),
      ...named('post4-max-pool', 62, 64, 66),
      ...named('post4-global-max-pool', 50, 51, 52),
      ...named('post8-ghost-20', 70, 70.5),
      ...named('post8-bias-64-18', 79, 79.5),
    ]);
    expect(readmeScript('--root', folder)).toEqual({ status: 0, stdout: '', stderr: '' });
    const text = readFileSync(join(folder, 'README.md'), 'utf8').replaceAll(/ {2,}/g, ' ');
    // By hand: the difference of two means of three, both with deviation 2, has an error of √(8/3) and 4 degrees of
    // freedom, so t is 2.776 and the interval ± 4.53; with deviations 2 and 1, an error of √(5/3), 2.94 and ± 4.16.
    for (const row of [
      '| `post4-no-repeat` | `post4-conv-3x3` | +29.64 | +22.00 | - | 1, 3 | too few runs |',
      '| `post4-conv-3x3` | `post4-max-pool` | +4.09 | +2.00 | -2.53 to +6.53 | 3, 3 | within noise |',
      '| `post4-max-pool` | `post4-global-max-pool` | +0.94 | -13.00 | -17.16 to -8.84 | 3, 3 | other |',
      '| `post8-ghost-20` | `post8-bias-64-18` | - | +9.00 | +7.48 to +10.52 | 2, 2 | - |',
    ]) {
      expect(text).toContain(row);
    }
  });

  test('show the newest sitting of the benchmark on each machine, and how many times slower than ours', () => {
    const folder = checkout([]);
    mkdirSync(join(folder, 'bench/results'), { recursive: true });
    const rows = [
      ['A', '2026-11-29 10:00', 'captured', '512', 'bf16', '9', '9', '9'],
      ['A', '2026-11-30 10:00', 'PyTorch bf16 (screening)', '128', 'bf16', '500', '1', ''],
      ['A', '2026-11-30 10:00', 'TF.js eager', '512', 'fp32', '80', '182.4', '5607'],
      ['A', '2026-11-30 10:00', 'captured', '512', 'fp32', '160.4', '364.6', '3000'],
      ['A', '2026-11-30 10:00', 'captured', '512', 'bf16', '240', '547', '2119'],
      ['A', '2026-11-30 10:00', 'PyTorch autocast', '512', 'bf16', '128', '291', '1991'],
      ['A', '2026-11-30 10:00', 'captured matmul', '', 'bf16', '', '400', '790'],
      ['B', '2026-11-28 10:00', 'captured', '128', 'fp32', '50', '114', '1000'],
    ];
    const titles = 'hardware,date,what,batch,precision,img/s,GFLOP/s,peak MB'.split(',');
    const lines = [titles, ...rows].map((cells) => `${cells.join('\t')}\n`);
    writeFileSync(join(folder, 'bench/results/step.tsv'), lines.join(''));
    expect(readmeScript('--root', folder)).toEqual({ status: 0, stdout: '', stderr: '' });
    const text = readFileSync(join(folder, 'README.md'), 'utf8');
    const head = [
      '| batch | training step | images/s | GFLOP/s | times slower than ours | peak MB |',
      `|${' --- |'.repeat(6)}`,
    ];
    const none = '_no committed runs yet_';
    expect(text.replaceAll(/ {2,}/g, ' ').replaceAll(/-{3,}/g, '---')).toBe(
      marked(none, none, {
        speed: [
          'A, 2026-11-30\n',
          ...head,
          '| 512 | TF.js eager fp32 | 80 | 182 | 3.00 | 5607 |',
          '| 512 | captured fp32 | 160 | 365 | 1.50 | 3000 |',
          '| 512 | captured bf16 | 240 | 547 | 1.00 | 2119 |',
          '| 512 | PyTorch autocast | 128 | 291 | 1.88 | 1991 |',
          '\nB, 2026-11-28\n',
          ...head,
          '| 128 | captured fp32 | 50 | 114 | 1.00 | 1000 |',
        ].join('\n'),
      }),
    );
  });

  test('without runs say so; a single run has no spread', () => {
    const empty = checkout([]);
    readmeScript('--root', empty);
    const none = '_no committed runs yet_';
    expect(readFileSync(join(empty, 'README.md'), 'utf8')).toBe(marked(none, none));
    const one = checkout([result]);
    readmeScript('--root', one);
    expect(readFileSync(join(one, 'README.md'), 'utf8')).toContain(
      '**81.50 % test accuracy in 100.0 s** of training (one run; record `demo`, pocket size',
    );
  });

  test.each([
    ['results/0.json: accPercent is 815; expected a percentage.', { ...result, accPercent: 815 }],
    [
      'results/0.json: date is "today"; expected a day, as in 2026-11-30.',
      { ...result, date: 'today' },
    ],
    ['results/0.json holds "acc", which is no field of a result.', { ...result, acc: 1 }],
    [
      'results/0.json: scale is undefined; expected one of full, pocket, smoke.',
      { record: 'demo' },
    ],
  ])('refuse a file that is no result: %s', (message, wrong) => {
    expect(readmeScript('--root', checkout([wrong]))).toMatchObject({
      status: 1,
      stderr: `readme: ${message}\n`,
    });
  });

  test('take in a finished run, once', () => {
    const folder = checkout([]);
    const run = join(folder, 'demo-pocket-3');
    mkdirSync(run);
    const about = {
      record: 'demo',
      scale: 'pocket',
      seed: 3,
      started: '2026-11-30T23:59:59.000Z',
      mode: 'captured',
      precision: 'bf16',
      intraOpThreads: 2,
      versions: { node: '20.20.2', tensorflow: '2.21.0' },
      hardware: {
        cpu: 'AMD EPYC',
        cores: 2,
        memoryBytes: 24 * 2 ** 30,
        cpuFlags: ['avx2'],
        gpus: [],
      },
    };
    writeFileSync(join(run, 'run.json'), JSON.stringify(about));
    expect(readmeScript('--root', folder, 'add', run)).toMatchObject({
      status: 1,
      stderr: `readme: ${run} is not finished: its run.json has no result.\n`,
    });
    const finished = {
      ...about,
      result: { accPercent: 81.234, trainSec: 99.999, imagesPerSec: 1986.46 },
    };
    writeFileSync(join(run, 'run.json'), JSON.stringify(finished));
    const file = join(folder, 'results/demo-pocket-bf16-3-2026-11-30.json');
    expect(readmeScript('--root', folder, 'add', run)).toEqual({
      status: 0,
      stdout: `${file}\n`,
      stderr: '',
    });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      ...result,
      seed: 3,
      accPercent: 81.23,
      trainSec: 100,
      imagesPerSec: 1986.5,
      hardware: 'AMD EPYC, 2 cores, AVX2, 24 GB',
    });
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain('**81.23 % test accuracy');
    expect(readmeScript('--root', folder, 'add', run).stderr).toBe(
      `readme: ${run} is in results/ already.\n`,
    );
  });
});

describe('FEATURES', () => {
  const features = read('FEATURES.md');
  const rows = [...features.matchAll(/^\| +(\d+) \| (.+?) +\| ([a-z ]+?) +\| (.*?) *\|$/gm)];

  test('goes through all 65 points of the study, each once', () => {
    const numbers = rows.map((row) => Number(row[1]));
    expect(new Set(numbers).size).toBe(65);
    expect(Math.min(...numbers)).toBe(1);
    expect(Math.max(...numbers)).toBe(65);
    expect(numbers).toHaveLength(65);
  });

  test('says of each whether it is there, and where', () => {
    const faults = rows.flatMap(([, number, , state, where]) => {
      if (!['done', 'partly', 'not yet'].includes(state)) return [`${number}: state "${state}"`];
      const hasPlace = /`src\/[^`]+`/.test(where);
      return state === 'not yet' || hasPlace ? [] : [`${number}: ${state}, and no place is named`];
    });
    expect(faults).toEqual([]);
  });

  test('says of each which cell of a notebook or which command does it', () => {
    const isDone = /`\w+#[a-z0-9-]+`|`npx cifar10-fast [a-z-]+/;
    expect(rows.filter((row) => !isDone.test(row[4])).map((row) => row[1])).toEqual([]);
  });

  test('names only records that exist', () => {
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
