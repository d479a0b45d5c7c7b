import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = resolve(__dirname, '../..');
const programs =
  'awk bash cat cp cut dirname find grep head ln mkdir python3 sha256sum sort tar xz'.split(' ');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'join-gpu-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Packs a package without NVIDIA's libraries into parts of 4 bytes, named as by scripts/pack-gpu.mjs. */
function pack(): void {
  const { status, stderr } = spawnSync(
    'bash',
    [
      '-c',
      `set -e; cd "$1"; mkdir -p stage/runtime/cuda_runtime stage/cifar10-fast parts bin
tar -C stage -cf - runtime cifar10-fast | xz | split -b 4 -d -a 4 - parts/base.
cd parts; sha256sum base.* >SHA256SUMS; cp "$2/setup/join-gpu.sh" join.sh`,
      'bash',
      folder,
      root,
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(stderr);
}

test('a PATH without ldconfig: lists the libraries that are missing or found, and ends well', () => {
  pack();
  for (const program of programs) {
    const path = ['/usr/bin', '/bin'].map((at) => join(at, program)).find((at) => existsSync(at));
    if (path !== undefined) symlinkSync(path, join(folder, 'bin', program));
  }
  const target = join(folder, 'target');
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['parts/join.sh', target], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: join(folder, 'bin') },
  });
  const libraries = `${stdout}${stderr}`.match(/^join: (libcu|this machine has no libcu)/gm);
  expect([status, libraries?.length]).toEqual([0, 6]);
  expect(stdout).toContain('join: ready');
  expect(readFileSync(join(target, 'env.sh'), 'utf8')).toContain('export PATH=');
});

test('packing: an empty variable counts as unset', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/pack-gpu.mjs')], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, CIFAR10_FAST_CACHE: '', XDG_CACHE_HOME: '', HOME: folder },
  });
  expect(status).toBe(1);
  expect(stderr).toContain(`pack:gpu: ${join(folder, '.cache/cifar10-fast/tensorflow')}/`);
});

test('a missing part is named', () => {
  pack();
  rmSync(join(folder, 'parts/base.0021'));
  mkdirSync(join(folder, 'target'));
  const { status, stderr } = spawnSync('bash', ['parts/join.sh', 'target'], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([1, 'join: missing base.0021\n']);
});
