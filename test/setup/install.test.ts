import { spawn } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { box, count, deps, environment, library, setup, site, useSandbox } from './sandbox.js';

useSandbox();

describe('a whole set-up', () => {
  it('does every step once, prints a line for each, and then has nothing to do', () => {
    const first = setup();
    expect(first.stderr).toBe('');
    expect(first.code).toBe(0);
    expect(first.stdout.split('\n').map((line) => line.slice(0, 15).trimEnd())).toEqual([
      '1/7 tools',
      '2/7 packages',
      '3/7 TensorFlow',
      '4/7 addons',
      '5/7 library',
      '6/7 data',
      '7/7 Jupyter',
      'set up: TensorF',
      '',
    ]);
    expect(first.stdout).toMatch(/^(\d\/7 .* \d+\.\d s\n){7}set up: .* in \d+\.\d s\n$/);
    const npm = first.calls.filter((call) => call.startsWith('npm'));
    expect(npm).toHaveLength(1);
    expect(npm[0]).toMatch(/^npm ci --include=dev --ignore-scripts /);

    const second = setup();
    expect(second).toEqual({
      code: 0,
      stdout: 'set up: TensorFlow 2.21.0 (CPU), CIFAR-10, Jupyter; nothing to do\n',
      stderr: '',
      calls: ['node --version'],
    });
    expect(setup(['--check'])).toMatchObject({ code: 0, calls: ['node --version'] });
  });

  it('keeps only the libraries and headers, and no wheel', () => {
    setup();
    expect(readFileSync(join(site(), '.sha256'), 'utf8').trim().split('\n')).toHaveLength(16);
    expect(existsSync(library())).toBe(true);
    expect(existsSync(join(site(), 'tensorflow/python'))).toBe(false);
    expect(new Set(readdirSync(join(box.cache, 'tensorflow')))).toEqual(
      new Set(['.lock', '2.21.0-cpu']),
    );
    expect(existsSync(join(box.checkout, '.setup/scratch'))).toBe(false);
  });

  it('links the library into the package, and the checkout under its own name', () => {
    setup();
    expect(readFileSync(join(deps(), 'lib/libtensorflow_cc.so.2'), 'utf8')).toContain(
      '_cc.so.2 of',
    );
    expect(existsSync(join(deps(), 'include/tensorflow/c/c_api.h'))).toBe(true);
    expect(existsSync(join(deps(), 'nvidia'))).toBe(false);
    expect(existsSync(join(box.checkout, 'node_modules/cifar10-fast/dist/cli/main.js'))).toBe(true);
    const command = statSync(join(box.checkout, 'node_modules/.bin/cifar10-fast'));
    expect(command.mode & 0o111).toBe(0o111);
  });

  it('writes a kernelspec that starts this checkout, again if the checkout has moved', () => {
    setup();
    renameSync(box.checkout, join(box.sandbox, 'moved "here"'));
    box.checkout = join(box.sandbox, 'moved "here"');
    expect(setup(['--check']).stdout).toContain('missing: Jupyter');
    expect(setup().code).toBe(0);
    const spec: unknown = JSON.parse(
      readFileSync(join(box.checkout, '.venv/share/jupyter/kernels/tslab/kernel.json'), 'utf8'),
    );
    expect(spec).toEqual({
      argv: ['node', join(box.checkout, 'dist/kernel/main.js'), '{connection_file}'],
      display_name: 'TypeScript (cifar10-fast)',
      language: 'typescript',
      interrupt_mode: 'message',
    });
    expect(readdirSync(join(box.checkout, '.venv/share/jupyter/kernels/tslab'))).toContain(
      'logo-64x64.png',
    );
  });

  it('repeats only the steps that a change affects', () => {
    setup();
    appendFileSync(join(box.checkout, 'src/cli/main.ts'), '// more\n');
    expect(setup().stdout).toMatch(/^1\/7 .*\n5\/7 .*\nset up: .*\n$/);
    writeFileSync(join(box.checkout, 'src/cli/main.test.ts'), '// a test is not compiled\n');
    expect(setup().stdout).toMatch(/nothing to do/);
    appendFileSync(join(box.checkout, 'package-lock.json'), '\n');
    expect(setup().stdout).toMatch(/^1\/7 .*\n2\/7 .*\n4\/7 .*\n5\/7 .*\nset up: .*\n$/);
    expect(setup([], { FAKE_NODE: '24.1.0' }).stdout).toMatch(/^1\/7 .*\n4\/7 .*\nset up: .*\n$/);
  });

  it('accepts what npm install has installed, if it matches package-lock.json', () => {
    setup();
    const writeLock = (file: string, packages: Record<string, object>): void => {
      writeFileSync(join(box.checkout, file), JSON.stringify({ packages }));
    };
    const [present, wanted] = ['node_modules/.package-lock.json', 'package-lock.json'];
    const tool = { version: '2.0.0', integrity: 'sha512-a' };
    writeLock(wanted, { '': {}, tool, mac: { version: '1.0.0', optional: true } });
    writeLock(present, { tool, 'cifar10-fast': { link: true } });
    const taken = setup();
    expect(taken.stdout).toMatch(/^1\/7 .*\n5\/7 .*\nset up: .*\n$/);
    expect(count(taken.calls, 'npm')).toBe(0);

    for (const other of [
      { tool: { ...tool, version: '1.0.0' } },
      { tool: { ...tool, integrity: 'sha512-b' } },
      {},
      { tool, stray: { version: '1.0.0' } },
    ]) {
      appendFileSync(join(box.checkout, wanted), '\n');
      writeLock(present, other);
      expect(count(setup().calls, 'npm ci')).toBe(1);
    }
  });

  it('removes the output of a deleted source', () => {
    setup();
    writeFileSync(join(box.checkout, 'dist/gone.js'), '');
    writeFileSync(join(box.checkout, 'dist/gone.d.ts'), '');
    appendFileSync(join(box.checkout, 'src/cli/main.ts'), '// more\n');
    setup();
    expect(readdirSync(join(box.checkout, 'dist'))).toEqual(['cli']);
  });

  it('skips the steps that the options exclude', () => {
    const { code, stdout, calls } = setup(['--no-jupyter', '--no-data']);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/data|Jupyter|CIFAR/);
    expect(calls.some((call) => call.includes('pip --quiet --no-input install'))).toBe(false);
    expect(setup(['--check', '--no-jupyter', '--no-data']).code).toBe(0);
    const check = setup(['--check']);
    expect(check.code).toBe(1);
    expect(check.stdout).toMatch(/^missing: data.*\nmissing: Jupyter.*\n/);
  });

  it('a second checkout takes TensorFlow from the cache', () => {
    setup();
    const other = join(box.sandbox, 'other');
    cpSync(box.checkout, other, {
      recursive: true,
      filter: (path) => !/node_modules|\.venv|\.setup|dist$/.test(path),
    });
    box.checkout = other;
    const { code, stdout, calls } = setup();
    expect(code).toBe(0);
    expect(stdout).not.toContain('3/7');
    expect(calls.some((call) => call.includes('download'))).toBe(false);
  });

  it('two at once do each step once', async () => {
    const start = (): Promise<number | null> =>
      new Promise((done) => {
        spawn('/bin/bash', ['kernel-setup.sh'], {
          cwd: box.checkout,
          env: environment({ FAKE_NPM: 'slow' }),
        }).on('close', done);
      });
    expect(await Promise.all([start(), start()])).toEqual([0, 0]);
    const calls = readFileSync(join(box.sandbox, 'calls'), 'utf8').split('\n');
    expect(count(calls, 'npm ci')).toBe(1);
    expect(calls.filter((call) => call.includes(' download '))).toHaveLength(1);
    expect(setup(['--check']).code).toBe(0);
  });
});

describe('the command line', () => {
  const wrong: readonly [readonly string[], RegExp][] = [
    [['--jupiter'], /^kernel-setup: unknown option --jupiter; nearest: --no-jupyter\. .*\n$/],
    [['--chek'], /nearest: --check\./],
    [['cuda'], /unknown option cuda; nearest: --cuda\./],
    [['--deep'], /--deep requires --check/],
    [['--cpu', '--cuda'], /--cpu and --cuda are mutually exclusive/],
    [['--offline'], /--offline needs a folder/],
    [['--offline', 'nowhere'], /nowhere is not a folder/],
  ];
  it.each(wrong)('%j: one line, exit code 2', (args, message) => {
    const { code, stdout, stderr } = setup(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('--help lists every option', () => {
    const { code, stdout } = setup(['--help']);
    expect(code).toBe(0);
    for (const option of [
      'cpu',
      'cuda',
      'no-jupyter',
      'no-data',
      'offline',
      'check',
      'deep',
      'clean',
    ])
      expect(stdout).toContain(`--${option}`);
  });

  it('--check on a bare checkout prints what is missing and changes nothing', () => {
    const before = readdirSync(box.checkout);
    const { code, stdout, stderr } = setup(['--check']);
    expect(code).toBe(1);
    expect(stderr).toBe('');
    expect(stdout.match(/^missing: \w+/gm)).toEqual([
      'missing: packages',
      'missing: TensorFlow',
      'missing: addons',
      'missing: self',
      'missing: library',
      'missing: data',
      'missing: Jupyter',
    ]);
    expect(readdirSync(box.checkout)).toEqual(before);
    expect(existsSync(box.cache)).toBe(false);
  });

  it('--clean prints what it frees and removes only what set-up made', () => {
    setup();
    writeFileSync(join(box.cache, 'mine'), 'not of set-up');
    const before = readdirSync(box.checkout).filter(
      (name) => !/^(node_modules|dist|\.venv|\.setup)$/.test(name),
    );
    const { code, stdout } = setup(['--clean']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^( +\d+ MB {2}\/.*\n){8} +\d+ MB {2}in total/);
    expect(stdout).toMatch(/removed\n$/);
    expect(readdirSync(box.cache)).toEqual(['mine']);
    expect(readdirSync(box.checkout)).toEqual(before);
    expect(new Set(readdirSync(join(box.checkout, 'native')))).toEqual(
      new Set(['graph.cc', 'stderr.c']),
    );
    expect(setup().code).toBe(0);
  });
});
