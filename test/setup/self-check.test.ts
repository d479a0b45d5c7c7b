import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Outcome, repository } from './sandbox.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'self-check-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(!existsSync(join(repository, 'native/stderr.node')))(
  'the self-check, with TensorFlow',
  () => {
    const selfCheck = (args: readonly string[], env: Record<string, string> = {}): Outcome => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [join(repository, 'setup/self-check.cjs'), ...args],
        { encoding: 'utf8', env: { ...process.env, ...env } },
      );
      return { code: status, stdout, stderr, calls: [] };
    };

    it('prints what it loaded and computed, and nothing on standard error', () => {
      const { code, stdout, stderr } = selfCheck(['--deep']);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /^TensorFlow 2\.21\.0 on the [CG]PU, Node .* loaded in \d\.\d s\nlibrary \//,
      );
      expect(stdout).toMatch(/matmul right in 768 numbers .*\nconvolution right in 972 numbers/);
    });

    it.each(['matMul', 'conv2d'])('a %s that is off by 1 % fails, with the number', (operation) => {
      const spoil = join(folder, `spoil-${operation}.cjs`);
      writeFileSync(
        spoil,
        `const Module = require('node:module');
       const load = Module._load;
       Module._load = function (name, ...rest) {
         const loaded = load.call(this, name, ...rest);
         if (name !== '@tensorflow/tfjs-node-gpu') return loaded;
         return { ...loaded, ${operation}: (...args) => loaded.mul(loaded.${operation}(...args), 1.01) };
       };`,
      );
      const { code, stderr } = selfCheck([], { NODE_OPTIONS: `--require ${spoil}` });
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^(matmul|convolution) is wrong: element \d+ is -?[\d.]+, expected -?\d+\./,
      );
    });

    it('another TensorFlow in LD_LIBRARY_PATH is an error', () => {
      const foreign = join(folder, 'foreign');
      mkdirSync(foreign);
      const lib = join(repository, 'node_modules/@tensorflow/tfjs-node-gpu/deps/lib');
      for (const name of readdirSync(lib)) {
        // A hard link takes no time, but only a copy can be on another disk.
        const original = realpathSync(join(lib, name));
        try {
          linkSync(original, join(foreign, name));
        } catch {
          copyFileSync(original, join(foreign, name));
        }
      }
      const { code, stderr } = selfCheck([], { LD_LIBRARY_PATH: foreign });
      expect(code).toBe(1);
      expect(stderr).toContain(`${foreign}/libtensorflow_cc.so.2 was loaded instead of`);
    });
  },
);
