import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import { createRunFolder, isHeld, openRunFolder, writeWhole } from './folder';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cifar10-fast-folder-'));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

test('writeWhole writes text and bytes, and replaces an existing file', async () => {
  const path = join(root, 'a');
  await writeWhole(path, 'one', '--output');
  await writeWhole(path, Buffer.from([0, 255, 10]), '--output');
  expect([...readFileSync(path)]).toEqual([0, 255, 10]);
  expect(readdirSync(root)).toEqual(['a']);
});

test('a failed write keeps the previous content and leaves no temporary file', async () => {
  mkdirSync(join(root, 'taken'));
  writeFileSync(join(root, 'taken', 'inside'), 'mine');
  await expect(writeWhole(join(root, 'taken'), 'x', '--output')).rejects.toThrow(
    `run: ${join(root, 'taken')} cannot be written: `,
  );
  expect(readdirSync(root)).toEqual(['taken']);
  expect(readFileSync(join(root, 'taken', 'inside'), 'utf8')).toBe('mine');
  await expect(writeWhole(join(root, 'no', 'file'), 'x', '--output')).rejects.toThrow(
    new RunError(
      `run: ${join(root, 'no', 'file')} cannot be written: ENOENT: no such file or directory. ` +
        `Point --output at a writable path, or make ${join(root, 'no')} writable.`,
    ),
  );
});

test('a folder can be locked only once at a time, under any path', async () => {
  const folder = await createRunFolder(root, 'run');
  symlinkSync(folder.path, join(root, 'link'));
  for (const path of [folder.path, `${folder.path}/`, join(root, 'link')]) {
    await expect(openRunFolder(path)).rejects.toThrow(/is being trained by another process/);
  }
  const other = await createRunFolder(root, 'run');
  expect(other.path).toBe(`${folder.path}-2`);
  folder.release();
  folder.release();
  const again = await openRunFolder(join(root, 'link'));
  again.release();
  other.release();
});

test('asking whether a folder is locked never takes its lock', async () => {
  const folder = await createRunFolder(root, 'run');
  expect(await isHeld(folder.path)).toBe(true);
  folder.release();
  expect(await isHeld(folder.path)).toBe(false);
  const asking = Array.from({ length: 20 }, () => isHeld(folder.path));
  const again = await openRunFolder(folder.path);
  expect(await isHeld(folder.path)).toBe(true);
  again.release();
  await Promise.all(asking);
  expect(await isHeld(join(root, 'none'))).toBe(false);
});

test('the lock of a killed process is released', async () => {
  const folder = await createRunFolder(root, 'run');
  folder.release();
  // Takes the lock's socket in another process.
  const holder = spawn(process.execPath, [
    '-e',
    `const { createHash } = require('node:crypto');
     const key = createHash('sha256').update(process.argv[1]).digest('hex');
     require('node:net').createServer().listen('\\0cifar10-fast/' + key, () => console.log('held'));`,
    folder.path,
  ]);
  const ended = once(holder, 'close');
  await once(holder.stdout, 'data');
  await expect(openRunFolder(folder.path)).rejects.toThrow(RunError);
  holder.kill('SIGKILL');
  await ended;
  (await openRunFolder(folder.path)).release();
});

test('opening a folder removes temporary files, and nothing else', async () => {
  for (const name of [
    'log.jsonl',
    'log.jsonl.123.part',
    'checkpoint-1.safetensors.4.part',
    'part',
  ]) {
    writeFileSync(join(root, name), name);
  }
  const folder = await openRunFolder(root);
  expect(await folder.list()).toEqual(['log.jsonl', 'part']);
  expect((await folder.read('part')).toString()).toBe('part');
  await expect(folder.read('none')).rejects.toThrow(/none cannot be read: ENOENT/);
  await folder.move('part', 'log.jsonl');
  await folder.remove('none');
  expect(await folder.list()).toEqual(['log.jsonl']);
  await folder.remove('log.jsonl');
  expect(readdirSync(root)).toEqual([]);
  folder.release();
});

test('opening something that is not a folder is an error with a hint', async () => {
  await expect(openRunFolder(join(root, 'none'))).rejects.toThrow(
    `run: ${join(root, 'none')} cannot be read: it does not exist. Name the folder of a run`,
  );
  writeFileSync(join(root, 'file'), '');
  await expect(openRunFolder(join(root, 'file'))).rejects.toThrow(/file cannot be read: ENOTDIR/);
});

test.each(['../out', 'a/b', '..', '.hidden', 'a\\b', 'a\u2028b', 'a\u001b[2Jb', 'a\nb', ''])(
  'a run named %j is refused, and nothing is created',
  async (name) => {
    await expect(createRunFolder(join(root, 'runs'), name)).rejects.toThrow(
      `run: ${JSON.stringify(name)} cannot name a folder. Give the experiment a name of letters`,
    );
    expect(readdirSync(root)).toEqual([]);
  },
);

test('writing to a folder that was removed, or removed and created again, is an error', async () => {
  const folder = await createRunFolder(root, 'run');
  await folder.write('a', '1');
  rmSync(folder.path, { recursive: true });
  await expect(folder.write('b', '2')).rejects.toThrow(`run: ${folder.path} was removed while`);
  mkdirSync(folder.path);
  await expect(folder.write('b', '2')).rejects.toThrow('was removed and recreated while');
  expect(readdirSync(folder.path)).toEqual([]);
  folder.release();
});
