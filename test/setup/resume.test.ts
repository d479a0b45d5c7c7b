import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { fakePython } from './fakes.js';
import { box, count, library, program, setup, site, stopAtWork, useSandbox } from './sandbox.js';

useSandbox();

describe('killed half-way', () => {
  it('in npm: the packages are installed again', async () => {
    await stopAtWork('SIGKILL', { FAKE_NPM: 'hang' });
    expect(setup(['--check']).stdout).toContain('missing: packages');
    const { code, calls } = setup();
    expect(code).toBe(0);
    expect(count(calls, 'npm ci')).toBe(1);
  });

  it('in a download: the packages stay, the partial download is removed', async () => {
    await stopAtWork('SIGKILL', { FAKE_PIP: 'hang' });
    expect(existsSync(site())).toBe(false);
    const { code, calls } = setup();
    expect(code).toBe(0);
    expect(count(calls, 'npm')).toBe(0);
    expect(new Set(readdirSync(join(box.cache, 'tensorflow')))).toEqual(
      new Set(['.lock', '2.21.0-cpu']),
    );
  });

  it('among several wheels: fully unpacked ones are not fetched again', async () => {
    program('nvidia-smi', 'echo "GPU 0: NVIDIA"');
    const last = fakePython.replace('== hang ]]', '== hang && $(<"${*: -1}") == nvidia* ]]');
    program('python3', last);
    await stopAtWork('SIGKILL', { FAKE_PIP: 'hang' });
    const { code, calls } = setup();
    expect(code).toBe(0);
    expect(calls.filter((call) => call.includes(' download '))).toHaveLength(1);
    expect(existsSync(join(site('cuda'), 'nvidia/cusolver/lib/libcusolver.so.11'))).toBe(true);
  });

  it('in Jupyter: the environment is created again', () => {
    program('python3', fakePython.replace("' install '*)", "' install '*) kill -9 $PPID;"));
    setup();
    program('python3', fakePython);
    const { code, stdout, calls } = setup();
    expect(stdout).toMatch(/^1\/7 .*\n4\/7 [^]*\n7\/7 .*\nset up/);
    expect(code).toBe(0);
    expect(count(calls, 'python -m venv')).toBe(1);
  });

  it('Ctrl-C: says that set-up can be resumed, exit code 130', async () => {
    const { code, stderr } = await stopAtWork('SIGINT', { FAKE_PIP: 'hang' });
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted; run .* again/);
    expect(existsSync(join(box.checkout, '.setup/scratch'))).toBe(false);
  });
});

describe('a damaged cache', () => {
  it('a truncated library is detected at once and fetched again', () => {
    setup();
    const good = readFileSync(library());
    truncateSync(library(), 10);
    expect(setup(['--check'])).toMatchObject({ code: 1 });
    expect(setup().stdout).toContain('3/7 TensorFlow');
    expect(readFileSync(library())).toEqual(good);
  });

  it('--check --deep detects a flipped byte, and says how to repair it', () => {
    setup();
    expect(setup(['--check', '--deep']).stdout).toMatch(
      /^files: 16 in .*, each with the right hash\n/,
    );
    const bytes = readFileSync(library());
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(library(), bytes);
    const { code, stdout, stderr } = setup(['--check', '--deep']);
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(
      /libtensorflow_cc\.so\.2: FAILED[^]*have changed since they were unpacked[^]*rm -r/,
    );
  });

  it('data that changed since it was verified is verified again', () => {
    setup();
    appendFileSync(join(box.cache, 'cifar-10-batches-bin/data_batch_3.bin'), 'x');
    expect(setup(['--check']).stdout).toMatch(/^missing: data/);
    expect(setup().stdout).toMatch(/^1\/7 .*\n6\/7 data/);
  });
});

describe('--offline', () => {
  const offline = (): string => join(box.sandbox, 'off line');
  const wheel = 'tensorflow_cpu-2.21.0-cp311-cp311-any.whl';
  beforeEach(() => {
    mkdirSync(offline());
    copyFileSync(join(box.wheels, wheel), join(offline(), wheel));
  });

  it('takes wheels and the npm cache from the folder, and leaves them there', () => {
    mkdirSync(join(offline(), 'npm-cache'));
    const { code, calls } = setup(['--offline', '../off line']);
    expect(code).toBe(0);
    expect(calls.some((call) => call.includes(' download '))).toBe(false);
    expect(calls.find((call) => call.startsWith('npm'))).toContain(
      `--offline --cache ${offline()}/npm-cache`,
    );
    expect(calls.find((call) => call.includes(' install '))).toContain(
      `--no-index --find-links ${offline()}`,
    );
    expect(calls.find((call) => call.startsWith('node -e'))).toBeDefined();
    expect(existsSync(join(offline(), wheel))).toBe(true);
  });

  it('another wheel: prints both hashes, and keeps the good library', () => {
    setup();
    const good = readFileSync(library());
    writeFileSync(
      join(box.checkout, 'setup/lock-cpu.txt'),
      `tensorflow-cpu==2.21.0 --hash=sha256:${'ab'.repeat(32)}\n`,
    );
    const { code, stderr } = setup(['--offline', offline()]);
    expect(code).toBe(1);
    expect(stderr).toContain('this is not the locked wheel');
    expect(stderr).toContain(`has SHA-256 ${box.hashes[0]?.slice(0, 16)}..., expected abababab`);
    expect(readFileSync(library())).toEqual(good);
    expect(existsSync(join(offline(), wheel))).toBe(true);
  });

  it('a truncated wheel: prints its size', () => {
    truncateSync(join(offline(), wheel), 700);
    const { code, stderr } = setup([`--offline=${offline()}`]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/\(700 bytes\) has SHA-256 .* expected .*\n.*Download it again/);
    expect(existsSync(site())).toBe(false);
  });

  it('a wheel that does not match its own RECORD', () => {
    const bad = 'tensorflow_cpu-6.6.6-cp311-cp311-any.whl';
    copyFileSync(join(box.wheels, bad), join(offline(), bad));
    writeFileSync(
      join(box.checkout, 'setup/lock-cpu.txt'),
      `tensorflow-cpu==6.6.6 --hash=sha256:${box.hashes[3]}\n`,
    );
    const { code, stderr } = setup(['--offline', offline()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/libtensorflow_cc\.so\.2 differs from the wheel's own RECORD/);
    expect(existsSync(site())).toBe(false);
  });

  it('no wheel: prints what was looked for', () => {
    rmSync(join(offline(), wheel));
    const { code, stderr } = setup(['--offline', offline()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/holds no tensorflow_cpu-2\.21\.0-\*\.whl/);
  });
});
