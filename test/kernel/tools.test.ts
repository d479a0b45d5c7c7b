import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileLibrary } from './library';

/**
 * Runs other people's tools on the kernel. They are in their own environment, which `npm run test:kernel` installs;
 * KERNEL_TOOLS names its Python.
 */
const python = process.env['KERNEL_TOOLS'];
const long = 300_000;

describe.skipIf(python === undefined)('tools in Python', () => {
  const library = compileLibrary();
  const jupyter = join(library.folder, 'jupyter');
  const tslab = resolve(__dirname, '../../node_modules/tslab/bin/tslab');

  beforeAll(() => {
    const specs = {
      ours: {
        argv: [process.execPath, library.main, '{connection_file}'],
        interrupt_mode: 'message',
      },
      stock: { argv: [process.execPath, tslab, 'kernel', '--config-path', '{connection_file}'] },
    };
    for (const [name, spec] of Object.entries(specs)) {
      const folder = join(jupyter, 'kernels', name);
      mkdirSync(folder, { recursive: true });
      const whole = { display_name: name, language: 'typescript', ...spec };
      writeFileSync(join(folder, 'kernel.json'), JSON.stringify(whole));
    }
  });

  afterAll(() => library.remove());

  /** The last line that a script prints, as JSON. */
  async function results<T>(script: string, ...args: readonly string[]): Promise<T> {
    const child = spawn(python ?? '', [join(__dirname, script), ...args], {
      cwd: library.notebooks,
      env: {
        ...process.env,
        JUPYTER_PATH: jupyter,
        JUPYTER_RUNTIME_DIR: join(library.folder, 'runtime'),
        IPYTHONDIR: join(library.folder, 'ipython'),
        CIFAR10_FAST_CACHE: join(library.folder, 'cache'),
        NODE_OPTIONS: '',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const code = await new Promise<number | null>((done) => child.on('close', done));
    if (code !== 0) throw new Error(`${script} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
  }

  test(
    'jupyter_kernel_test passes completely',
    async () => {
      type Results = Record<string, { readonly state: string; readonly why: string }>;
      const ours = await results<Results>('conformance.py', 'ours');
      const stock = await results<Results>('conformance.py', 'stock');
      const file = process.env['KERNEL_CONFORMANCE'];
      if (file !== undefined) writeFileSync(file, JSON.stringify({ ours, stock }));
      expect(Object.entries(ours).filter(([, { state }]) => state !== 'pass')).toEqual([]);
      expect(Object.keys(ours)).toHaveLength(13);
    },
    long,
  );

  test(
    'every tool reports failing notebooks as failed',
    async () => {
      const found = await results<Record<string, unknown>>('tools.py', 'ours', library.notebooks);
      expect(found).toEqual({
        'nbclient, good': 'passed',
        'nbclient, counts and outputs': [
          [1, []],
          [2, ['hello\n']],
          [3, ['execute_result']],
        ],
        'nbclient, throws': 'failed: Error: on purpose',
        'nbclient, does not compile':
          "failed: CompileError: Type 'string' is not assignable to type 'number'.",
        'nbclient, errors allowed': 'passed',
        'nbclient, outputs after the error': [[], ['Error'], ['after\n'], ['execute_result']],
        'nbclient, interrupt on timeout': [[], ['InterruptedError'], ['execute_result']],
        'nbconvert, good': 0,
        'nbconvert, throws': 1,
        'nbconvert, --allow-errors': 0,
        'papermill, good': 0,
        'papermill, throws': 1,
        'nbmake, good': 0,
        'nbmake, throws': 1,
        'nbmake, does not compile': 1,
        'nbval, good': 0,
        'nbval, throws': 1,
        'jupyter_client, restarted': "Cannot find name 'c'.",
        'jupyter_client, shut down': true,
        console: 'passed',
      });
      expect(existsSync(join(library.notebooks, 'papermill.ipynb'))).toBe(true);
    },
    long,
  );
});
