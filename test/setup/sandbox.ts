import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { fakeCompiler, fakeNode, fakeNpm, fakePython, wheelMaker } from './fakes.js';

/**
 * Runs kernel-setup.sh in a copy of the checkout, with every tool that it calls under the test's control: a fake node, npm,
 * python3 and c++ do in milliseconds what the real ones do in minutes, and fail as the real ones fail. The wheels are
 * real wheels with tiny files, unpacked by the real setup/unpack.py. No network, no TensorFlow.
 */
export const repository = resolve(__dirname, '../..');

const systemTools =
  'bash cat chmod cp cut df dirname du flock getconf grep mkdir rm sha256sum sleep touch uname'.split(
    ' ',
  );

const copied = [
  'kernel-setup.sh',
  ...['usage.txt', 'tools.sh', 'unpack.py', 'kernel', 'steps'].map((name) => `setup/${name}`),
  ...readdirSync(join(repository, 'setup'))
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => `setup/${name}`),
];

/** The folders of the running test: `home` and `wheels` are shared by the tests of a file, each test has its own others. */
export const box = {
  home: '',
  wheels: '',
  /** SHA-256 of the wheels, in the order of the maker. */
  hashes: [] as readonly string[],
  realPython: '',
  sandbox: '',
  checkout: '',
  cache: '',
  bin: '',
};

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The tools that this run called, one line per call. */
  readonly calls: readonly string[];
}

export function program(name: string, body: string): void {
  rmSync(join(box.bin, name), { force: true });
  writeFileSync(join(box.bin, name), `#!/bin/bash\n${body}\n`);
  chmodSync(join(box.bin, name), 0o755);
}

export function without(...names: string[]): void {
  for (const name of names) rmSync(join(box.bin, name));
}

export function environment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return {
    PATH: box.bin,
    HOME: box.sandbox,
    CIFAR10_FAST_CACHE: box.cache,
    KERNEL_SETUP_CPUINFO: join(box.sandbox, 'cpuinfo'),
    CALLS: join(box.sandbox, 'calls'),
    AT_WORK: join(box.sandbox, 'at-work'),
    WHEELS: box.wheels,
    REAL_PYTHON: box.realPython,
    REAL_NODE: process.execPath,
    ...extra,
  };
}

export function setup(
  args: readonly string[] = [],
  extra: Readonly<Record<string, string>> = {},
): Outcome {
  writeFileSync(join(box.sandbox, 'calls'), '');
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['kernel-setup.sh', ...args], {
    cwd: box.checkout,
    env: environment(extra),
    encoding: 'utf8',
    timeout: 30_000,
  });
  const calls = readFileSync(join(box.sandbox, 'calls'), 'utf8').trim().split('\n');
  return { code: status, stdout, stderr, calls };
}

/** Starts the script, waits until the fake tool is running, and sends the signal to the whole process group. */
export async function stopAtWork(
  signal: NodeJS.Signals,
  extra: Record<string, string>,
): Promise<Outcome> {
  const atWork = join(box.sandbox, 'at-work');
  rmSync(atWork, { force: true });
  const child = spawn('/bin/bash', ['kernel-setup.sh'], {
    cwd: box.checkout,
    env: environment(extra),
    detached: true,
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<number | null>((done) => child.on('close', done));
  while (!existsSync(atWork) && child.exitCode === null)
    await new Promise((done) => setTimeout(done, 10));
  if (child.pid === undefined || child.exitCode !== null)
    throw new Error(`it ended by itself: ${stderr}`);
  process.kill(-child.pid, signal);
  return { code: await ended, stdout: '', stderr, calls: [] };
}

export const site = (variant = 'cpu'): string => join(box.cache, `tensorflow/2.21.0-${variant}`);
export const library = (): string => join(site(), 'tensorflow/libtensorflow_cc.so.2');
export const deps = (): string => join(box.checkout, 'node_modules/@tensorflow/tfjs-node-gpu/deps');
export const count = (calls: readonly string[], start: string): number =>
  calls.filter((call) => call.startsWith(start)).length;

/** Fills the checkout with what set-up reads: the real scripts, and the smallest sources and locks. */
function makeCheckout(): void {
  for (const folder of [
    box.bin,
    join(box.checkout, 'setup'),
    join(box.checkout, 'native'),
    join(box.checkout, 'src/cli'),
    join(box.checkout, 'page'),
    join(box.checkout, 'scripts'),
  ])
    mkdirSync(folder, { recursive: true });
  for (const name of ['stderr.c', 'graph.cc'])
    writeFileSync(join(box.checkout, 'native', name), `// ${name}\n`);
  for (const name of copied)
    cpSync(join(repository, name), join(box.checkout, name), { recursive: true });
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json'])
    writeFileSync(join(box.checkout, name), '{}\n');
  const lock = (requirement: string, hash = ''): string => `${requirement} --hash=sha256:${hash}\n`;
  writeFileSync(
    join(box.checkout, 'setup/lock-cpu.txt'),
    `# locked\n${lock('tensorflow-cpu==2.21.0', box.hashes[0])}`,
  );
  writeFileSync(
    join(box.checkout, 'setup/lock-cuda.txt'),
    lock('tensorflow==2.21.0', box.hashes[1]) + lock('nvidia-cusolver-cu12==11.7.5', box.hashes[2]),
  );
  writeFileSync(join(box.checkout, 'setup/lock-jupyter.txt'), lock('jupyterlab==1.0', '00'));
  writeFileSync(join(box.checkout, 'src/cli/main.ts'), 'export {};\n');
  writeFileSync(join(box.checkout, 'scripts/build-page.mjs'), '');
  writeFileSync(join(box.sandbox, 'cpuinfo'), 'flags\t\t: fpu sse avx avx2\n');
}

/** Gives each test of a file its own sandbox. */
export function useSandbox(): void {
  beforeAll(() => {
    box.home = mkdtempSync(join(tmpdir(), 'kernel-setup-'));
    box.wheels = join(box.home, 'wheels');
    mkdirSync(box.wheels);
    box.realPython = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], {
      encoding: 'utf8',
    }).stdout.trim();
    const made = spawnSync(box.realPython, ['-', box.wheels, join(repository, 'setup')], {
      input: wheelMaker,
      encoding: 'utf8',
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    if (made.status !== 0) throw new Error(`the wheels were not made: ${made.stderr}`);
    box.hashes = made.stdout.trim().split('\n');
  }, 60_000);

  afterAll(() => {
    rmSync(box.home, { recursive: true, force: true });
  }, 60_000);

  beforeEach(() => {
    box.sandbox = mkdtempSync(join(box.home, 'run-'));
    box.checkout = join(box.sandbox, 'check out');
    box.cache = join(box.sandbox, 'cache');
    box.bin = join(box.sandbox, 'bin');
    makeCheckout();
    for (const tool of systemTools) {
      const path = ['/usr/bin', '/bin']
        .map((folder) => join(folder, tool))
        .find((at) => existsSync(at));
      if (path !== undefined) symlinkSync(path, join(box.bin, tool));
    }
    program('node', fakeNode);
    program('npm', fakeNpm);
    program('python3', fakePython);
    program('c++', fakeCompiler);
  });
}
