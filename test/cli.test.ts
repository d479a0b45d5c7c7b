import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchFolder } from '../src/data/cache';
import { cliIn, linkLibrary } from './cli-process';

/** Commands that train nothing, as a user runs them: processes with arguments, two streams and an exit code. */
const root = resolve(__dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-cli-'));
const { run, main, cli } = cliIn(scratch);
const long = 180_000;
const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

beforeAll(() => linkLibrary(scratch), long);

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('list, info, draw', () => {
  test('list shows every experiment under its notebook, and --json all of its fields', async () => {
    const { code, stdout, stderr } = await cli(['list', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { records, perNotebook } = JSON.parse(stdout) as {
      readonly records: readonly { name: string; title: string; notebook: string }[];
      readonly perNotebook: Readonly<Record<string, number>>;
    };
    expect(records.find(({ name }) => name === 'demo')).toMatchObject({
      net: { model: 'resnet9', channels: { prep: 64, layer3: 512 } },
      data: {
        batchSize: 512,
        transforms: [{ kind: 'crop' }, { kind: 'flip-lr' }, { kind: 'cutout' }],
      },
      optim: { rule: 'nesterov-a' },
      run: { epochs: 24 },
      published: { accPercent: 94.08, timeSec: 79 },
    });
    const study = JSON.parse(read(root, 'test/fixtures/study.json')) as {
      readonly notebooks: Readonly<Record<string, readonly { readonly trainings: number }[]>>;
    };
    for (const [notebook, rows] of Object.entries(study.notebooks)) {
      const trainings = rows.reduce((sum, row) => sum + row.trainings, 0);
      expect({ notebook, count: perNotebook[notebook] }).toEqual({ notebook, count: trainings });
    }
    const text = (await cli(['list'])).stdout;
    expect(text).not.toMatch(/undefined|NaN|null/);
    const plain = text.split('\n').filter((line) => line.startsWith('  '));
    expect(plain).toHaveLength(records.length);
    for (const [index, { name, title }] of records.entries()) {
      expect(plain[index].startsWith(`  ${name} `)).toBe(true);
      expect(plain[index]).toContain(`  ${title}`);
    }
    const counts = [...text.matchAll(/^\S.* \((\d+)\)$/gm)].map((match) => Number(match[1]));
    expect(counts).toEqual(Object.values(perNotebook));
    expect(text).toContain('(published: 94.08 %, 35 of 50 runs at 94 %, 79 s)');
  });

  test(
    'info describes the machine and what the engine would use',
    async () => {
      const { code, stdout, stderr } = await cli(['info', '--json']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const facts = JSON.parse(stdout) as { hardware: { cpu: string }; tensorflow: string };
      expect(facts).toMatchObject({
        hardware: {
          cpu: expect.any(String) as string,
          cores: expect.any(Number) as number,
          memoryBytes: expect.any(Number) as number,
          cpuFlags: expect.any(Array) as unknown[],
          gpus: expect.any(Array) as unknown[],
        },
        tensorflow: expect.stringMatching(/^2\.\d+\.\d+$/) as string,
        node: process.versions.node,
        device: expect.stringMatching(/^[cg]pu$/) as string,
        threads: expect.any(Number) as number,
        onednn: true,
        fastestPrecision: expect.stringMatching(/^(fp32|bf16|fp16)$/) as string,
      });
      const plain = await cli(['info']);
      expect(plain).toMatchObject({ code: 0, stderr: '' });
      expect(plain.stdout).toContain(facts.hardware.cpu);
      expect(plain.stdout).toContain(facts.tensorflow);
    },
    long,
  );

  test(
    'info names a GPU, and reports if TensorFlow does not use it',
    async () => {
      const bin = mkdtempSync(join(scratch, 'bin-'));
      const line = 'Tesla V100-SXM2-16GB, 16384, 7.0, 570.195.03';
      writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\necho "${line}"\n`, { mode: 0o755 });
      const env = { PATH: `${bin}:${process.env['PATH']}` };
      const { code, stdout } = await cli(['info'], { env });
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /^GPUs +Tesla V100-SXM2-16GB, 16 GB, compute capability 7\.0, driver 570\.195\.03$/m,
      );
      const usesGpu = / on the GPU, /.test(stdout);
      expect(/does not use the GPUs: \.\/kernel-setup\.sh --cuda/.test(stdout)).toBe(!usesGpu);
      expect(/^precision +fp16/m.test(stdout)).toBe(usesGpu);
    },
    long,
  );

  test("draw writes README's picture, or Graphviz's text", async () => {
    const cwd = mkdtempSync(join(scratch, 'draw-'));
    expect(await cli(['draw', 'demo'], { cwd })).toEqual({
      code: 0,
      stdout: 'net.svg\n',
      stderr: '',
    });
    expect(read(cwd, 'net.svg')).toBe(read(root, 'docs/pictures/net.svg'));

    const output = join(cwd, 'demo.dot');
    const pocket = ['draw', 'demo', '--scale', 'pocket', '--output', output];
    expect(await cli(pocket, { cwd })).toEqual({ code: 0, stdout: `${output}\n`, stderr: '' });
    expect(read(output)).toMatch(/^digraph "demo" \{/);
    expect(read(output)).toContain('"layer3/residual/res2/relu" -> "layer3/residual/add";');
    expect(read(output)).toContain('cout=16');
    expect(new Set(readdirSync(cwd))).toEqual(new Set(['demo.dot', 'net.svg']));
  });

  test('draw to a folder that does not exist is an error that says what to do, without a stack', async () => {
    const output = join(scratch, 'nowhere/net.svg');
    const { code, stdout, stderr } = await cli(['draw', 'demo', '--output', output]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      `cifar10-fast: run: ${output} cannot be written: ENOENT: no such file or directory. ` +
        `Point --output at a writable path, or make ${join(scratch, 'nowhere')} writable.\n`,
    );
  });
});

describe('data', () => {
  const empty = { CIFAR10_FAST_CACHE: join(scratch, 'empty') };

  test('--verify shows six good files', async () => {
    const { code, stdout, stderr } = await cli(['data', '--verify']);
    expect(stdout.trimEnd().split('\n')).toEqual(
      [
        'data_batch_1',
        'data_batch_2',
        'data_batch_3',
        'data_batch_4',
        'data_batch_5',
        'test_batch',
      ].map(
        (name) =>
          expect.stringMatching(new RegExp(`^${name}\\.bin +good +[0-9a-f]{64}$`)) as string,
      ),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('--verify of an empty cache shows six missing files and fails', async () => {
    const { code, stdout } = await cli(['data', '--verify'], { env: empty });
    expect(stdout.match(/^\S+\.bin +missing .* is missing$/gm)).toHaveLength(6);
    expect(code).toBe(1);
    const checks = JSON.parse(
      (await cli(['data', '--verify', '--json'], { env: empty })).stdout,
    ) as unknown;
    expect(checks).toHaveLength(6);
    expect(checks).toMatchObject([
      { name: 'data_batch_1.bin', state: 'missing' },
      {},
      {},
      {},
      {},
      {},
    ]);
  });

  test("accepts --data_dir, the reference's name of the flag", async () => {
    const folder = batchFolder();
    const { code, stdout, stderr } = await cli(['data', `--data_dir=${folder}`, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ source: folder, train: 50_000, valid: 10_000 });
  });

  test('without data and a network, says how to get the data', async () => {
    const { code, stdout, stderr } = await cli(['data', '--offline'], { env: empty });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^cifar10-fast: cifar10: CIFAR-10 could not be obtained from any source\./,
    );
    expect(stderr).toContain('point --data-dir at its folder');
    expect(stderr).not.toMatch(/^ +at /m);
  });
});

test('a full disk behind standard output is an error without a stack', async () => {
  const { stdout, stderr } = await run('bash', [
    '-c',
    '"$@" > /dev/full; echo "code $?"',
    'bash',
    process.execPath,
    main,
    'list',
  ]);
  expect(stdout).toBe('code 1\n');
  expect(stderr).toMatch(/^cifar10-fast: standard output cannot be written: ENOSPC.*\n$/);
});
