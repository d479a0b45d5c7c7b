import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deps, program, setup, site, useSandbox } from './sandbox.js';

useSandbox();

describe('CPU or CUDA', () => {
  const smi = 'echo "nvidia-smi $*" >>"$CALLS"; echo "GPU 0: NVIDIA H100 (UUID: 1)"';

  it('a GPU in nvidia-smi selects CUDA, with the two links that the GPU needs', () => {
    program('nvidia-smi', smi);
    const { code, stdout } = setup();
    expect(code).toBe(0);
    expect(stdout).toContain('TensorFlow 2.21.0 (CUDA)');
    expect(existsSync(join(deps(), 'nvidia/cusolver/lib/libcusolver.so.11'))).toBe(true);
    expect(existsSync(join(deps(), 'tensorrt/libcusolver.so.11'))).toBe(true);
    expect(existsSync(join(site('cuda'), 'nvidia/cusolver/include'))).toBe(false);
    expect(setup().calls).toEqual(['node --version']);
  });

  const gpu = (line: string): string => `case $* in -L) ${smi} ;; *) echo "${line}" ;; esac`;
  it.each([
    [
      'Tesla V100-SXM2-16GB, 7.0, 470.82.01',
      /driver 470\.82\.01 of Tesla V100.* too old.* 525 or later/,
    ],
    ['NVIDIA H100, 9.0, 535.104.05', /driver 535\.104\.05 of NVIDIA H100.* 555 or later/],
    ['Tesla K80, 3.7, 470.82.01', /Tesla K80 has compute capability 3\.7; TensorFlow needs 6\.0/],
  ])('warns about a GPU that CUDA cannot use, and continues: %s', (line, message) => {
    program('nvidia-smi', gpu(line));
    const { code, stdout, stderr } = setup();
    expect(code).toBe(0);
    expect(stdout).toContain('TensorFlow 2.21.0 (CUDA)');
    expect(stderr).toMatch(message);
    expect(stderr.match(/^kernel-setup: /gm)).toHaveLength(1);
  });

  it.each(['Tesla V100-SXM2-16GB, 7.0, 535.104.05', 'NVIDIA H200, 9.0, 580.159.03'])(
    'does not warn about a supported GPU: %s',
    (line) => {
      program('nvidia-smi', gpu(line));
      expect(setup()).toMatchObject({ code: 0, stderr: '' });
    },
  );

  it('an nvidia-smi without a GPU selects the CPU, until it finds one', () => {
    program('nvidia-smi', 'exit 9');
    expect(setup().stdout).toContain('(CPU)');
    program('nvidia-smi', smi);
    expect(setup(['--check']).stdout).toContain('2.21.0 for CUDA is not complete');
  });

  it('a choice is remembered until the other one is made', () => {
    program('nvidia-smi', smi);
    expect(setup(['--cpu']).stdout).toContain('(CPU)');
    expect(setup()).toMatchObject({
      stdout: expect.stringMatching(/\(CPU\).*nothing to do/),
      code: 0,
    });
    expect(setup(['--cuda']).stdout).toContain('(CUDA)');
    expect(setup().stdout).toMatch(/\(CUDA\).*nothing to do/);
    expect(setup(['--cpu']).stdout).toMatch(/^1\/7 .*\n4\/7 .*\nset up: .*\(CPU\)/);
    expect(existsSync(join(deps(), 'nvidia'))).toBe(false);
  });
});
