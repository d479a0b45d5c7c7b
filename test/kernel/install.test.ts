import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { compileLibrary } from './library';

const library = compileLibrary();

afterAll(() => library.remove());

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function cli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [library.cli, 'kernel', ...args], {
    cwd: library.folder,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  return { code: status, stdout, stderr };
}

describe('kernel install', () => {
  test('--prefix: installs a kernelspec with logos, which starts this installation', async () => {
    const prefix = join(library.folder, 'an environment');
    const folder = join(prefix, 'share/jupyter/kernels/cifar10-fast');
    expect(cli(['install', '--prefix', prefix])).toEqual({
      code: 0,
      stdout: `installed in ${folder}; "jupyter kernelspec list" shows it\n`,
      stderr: '',
    });
    expect(readdirSync(folder).toSorted()).toEqual([
      'kernel.json',
      'logo-32x32.png',
      'logo-64x64.png',
      'logo-svg.svg',
    ]);
    expect(readdirSync(join(prefix, 'share/jupyter/kernels'))).toEqual(['cifar10-fast']);
    const spec = JSON.parse(readFileSync(join(folder, 'kernel.json'), 'utf8')) as {
      readonly argv: string[];
    };
    expect(spec).toMatchObject({
      display_name: 'TypeScript (cifar10-fast)',
      language: 'typescript',
      interrupt_mode: 'message',
    });
    const kernel = await library.start({ argv: spec.argv });
    expect(
      (await kernel.run("import { classes } from 'cifar10-fast'; classes.length")).result,
    ).toBe('10');
    await kernel.stop();
  });

  test('--user: installs where Jupyter looks, and replaces itself', () => {
    const data = join(library.folder, 'data');
    for (const env of [{ JUPYTER_DATA_DIR: data }, { JUPYTER_DATA_DIR: '', XDG_DATA_HOME: data }]) {
      expect(cli(['install', '--user'], env)).toMatchObject({ code: 0, stderr: '' });
      expect(cli(['install', '--user'], env)).toMatchObject({ code: 0, stderr: '' });
    }
    expect(existsSync(join(data, 'kernels/cifar10-fast/kernel.json'))).toBe(true);
    expect(existsSync(join(data, 'jupyter/kernels/cifar10-fast/kernel.json'))).toBe(true);
    const env = { JUPYTER_DATA_DIR: '', XDG_DATA_HOME: '', HOME: join(library.folder, 'home') };
    expect(cli(['install', '--user'], env).code).toBe(0);
    expect(
      existsSync(join(env.HOME, '.local/share/jupyter/kernels/cifar10-fast/kernel.json')),
    ).toBe(true);
  });

  test('takes the name tslab only with --replace', () => {
    const prefix = join(library.folder, 'with-tslab');
    const tslab = join(prefix, 'share/jupyter/kernels/tslab');
    mkdirSync(tslab, { recursive: true });
    writeFileSync(join(tslab, 'kernel.json'), '{"argv": ["tslab"]}');
    expect(cli(['install', '--prefix', prefix]).code).toBe(0);
    expect(readFileSync(join(tslab, 'kernel.json'), 'utf8')).toBe('{"argv": ["tslab"]}');
    expect(cli(['install', '--prefix', prefix, '--replace'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(tslab) as string,
    });
    expect(readFileSync(join(tslab, 'kernel.json'), 'utf8')).toContain('dist/kernel/main.js');
  });

  test('uninstall removes what install has written, and no other kernel', () => {
    const prefix = join(library.folder, 'to-be-removed');
    const kernels = join(prefix, 'share/jupyter/kernels');
    const place = ['--prefix', prefix];
    expect(cli(['install', ...place]).code).toBe(0);
    expect(cli(['install', ...place, '--replace']).code).toBe(0);
    expect(cli(['uninstall', ...place])).toEqual({
      code: 0,
      stdout: `removed ${join(kernels, 'cifar10-fast')}\n`,
      stderr: '',
    });
    expect(readdirSync(kernels)).toEqual(['tslab']);
    expect(cli(['uninstall', ...place])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('contains no kernelspec') as string,
    });
    expect(cli(['uninstall', ...place, '--replace']).code).toBe(0);
    expect(readdirSync(kernels)).toEqual([]);
    mkdirSync(join(kernels, 'tslab'));
    writeFileSync(join(kernels, 'tslab/kernel.json'), '{"argv": ["tslab"]}');
    expect(cli(['uninstall', ...place, '--replace'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('starts another kernel') as string,
    });
    expect(existsSync(join(kernels, 'tslab/kernel.json'))).toBe(true);
  });

  test.each([
    [['install'], 2, 'kernel install: give either --user or --prefix DIR, to select the Jupyter.'],
    [
      ['install', '--user', '--prefix', 'x'],
      2,
      'kernel install: give either --user or --prefix DIR',
    ],
    [['install', 'x', '--user'], 2, 'kernel install: "x" is one argument too many.'],
    [
      ['instal'],
      2,
      'kernel: unknown action "instal"; known: install, uninstall, run. Nearest: "install".',
    ],
    [['run'], 2, 'kernel run: the connection file is missing.'],
    [
      ['install', '--prefix', '/dev/null'],
      1,
      'kernel install: /dev/null/share/jupyter/kernels/cifar10-fast cannot be written: ENOTDIR',
    ],
  ])('%s', (args, code, message) => {
    const outcome = cli(args);
    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(outcome.stderr).toContain(`cifar10-fast: ${message}`);
  });
});
