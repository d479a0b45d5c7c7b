import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { RunError, UsageError } from '../base/errors';
import { createFree, writeFolder, writeOutput } from './output';

const home = mkdtempSync(join(tmpdir(), 'output-'));
let folder = '';
let count = 0;

beforeEach(() => {
  folder = join(home, `case-${count++}`);
  mkdirSync(folder);
});
afterAll(() => rmSync(home, { recursive: true }));

const at = (name: string): string => join(folder, name);

describe('writeOutput', () => {
  test('creates a file, and replaces one but keeps its permissions', async () => {
    await writeOutput(at('page.html'), 'one', '--output');
    chmodSync(at('page.html'), 0o640);
    await writeOutput(at('page.html'), 'two', '--output');
    expect(readFileSync(at('page.html'), 'utf8')).toBe('two');
    expect(statSync(at('page.html')).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(['page.html']);
  });

  test('keeps a link', async () => {
    writeFileSync(at('page.html'), 'old');
    symlinkSync('page.html', at('link.html'));
    await writeOutput(at('link.html'), 'new', '--output');
    expect(lstatSync(at('link.html')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('page.html'), 'utf8')).toBe('new');
  });

  test('keeps a device', async () => {
    await writeOutput('/dev/null', 'gone', '--output');
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    await expect(writeOutput('/dev/full', 'no room', '--output')).rejects.toThrow(RunError);
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  test('writes to a named pipe', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const reader = spawn('cat', [at('pipe')], { stdio: ['ignore', 'pipe', 'inherit'] });
    const received = text(reader.stdout);
    // Until `cat` has opened the pipe, nobody reads from it.
    for (let attempt = 0; ; attempt++) {
      const error: unknown = await writeOutput(at('pipe'), 'through', '--output').catch(
        (error: unknown) => error,
      );
      if (error === undefined) break;
      if (attempt === 100) throw error as Error;
      await new Promise((done) => setTimeout(done, 50));
    }
    expect(await received).toBe('through');
    expect(lstatSync(at('pipe')).isFIFO()).toBe(true);
    await expect(writeOutput(at('pipe'), 'x', '--output')).rejects.toThrow(
      'is a named pipe that nobody reads from. Name a file.',
    );
  });

  test.each([
    ['a folder', () => mkdirSync(at('it')), 'it is a folder. Name a file.'],
    ['a link to nothing', () => symlinkSync('gone', at('it')), 'it is a link that leads nowhere.'],
  ])('rejects %s', async (_, make, message) => {
    make();
    await expect(writeOutput(at('it'), 'x', '--output')).rejects.toThrow(UsageError);
    await expect(writeOutput(at('it'), 'x', '--output')).rejects.toThrow(message);
    expect(readdirSync(folder)).toEqual(['it']);
  });
});

describe('writeFolder', () => {
  const about = JSON.stringify({ record: 'demo', classes: [] });
  const first = new Map([
    ['model.json', '{}'],
    ['group1-shard1of2.bin', 'a'],
    ['group1-shard2of2.bin', 'b'],
    ['about.json', about],
  ]);
  const second = new Map([
    ['saved_model.pb', 'c'],
    ['about.json', about],
  ]);
  const write = (files: ReadonlyMap<string, string>, isForced = false): Promise<void> =>
    writeFolder(at('out'), files, { flag: '--output', isForced });

  test('creates a folder, and replaces an earlier export', async () => {
    await write(first);
    expect(readdirSync(at('out')).toSorted()).toEqual([...first.keys()].toSorted());
    await write(second);
    expect(readdirSync(at('out')).toSorted()).toEqual(['about.json', 'saved_model.pb']);
  });

  test.each([
    ['a model of somebody else', 'model.json', '{}'],
    ['notes beside an earlier export', 'notes.txt', 'mine'],
  ])('rejects %s, unless forced', async (_, name, content) => {
    if (name === 'notes.txt') await write(first);
    mkdirSync(at('out'), { recursive: true });
    writeFileSync(join(at('out'), name), content);
    const before = readdirSync(at('out'));
    await expect(write(second)).rejects.toThrow(`${at('out')} holds other files: `);
    expect(readdirSync(at('out'))).toEqual(before);
    await write(second, true);
    expect(readFileSync(join(at('out'), name), 'utf8')).toBe(content);
    expect(existsSync(join(at('out'), 'saved_model.pb'))).toBe(true);
  });

  test('rejects a file or a device instead of a folder', async () => {
    writeFileSync(at('out'), 'x');
    await expect(write(first)).rejects.toThrow(`--output ${at('out')} is a file. Name a folder.`);
    await expect(
      writeFolder('/dev/null', first, { flag: '--output', isForced: true }),
    ).rejects.toThrow('--output /dev/null is a device. Name a folder.');
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });
});

describe('createFree', () => {
  const create = (): Promise<string> => createFree(folder, 'logs', '.tsv', '--log-dir');

  test('gives each of several callers a file of its own, and keeps those that exist', async () => {
    writeFileSync(join(folder, 'logs.tsv'), 'earlier');
    symlinkSync('nowhere', join(folder, 'logs-3.tsv'));
    const paths = await Promise.all([create(), create(), create()]);
    const names = ['logs-2.tsv', 'logs-4.tsv', 'logs-5.tsv'];
    expect(paths.toSorted()).toEqual(names.map((name) => join(folder, name)));
    expect(readFileSync(join(folder, 'logs.tsv'), 'utf8')).toBe('earlier');
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });

  test('names a folder in which nothing can be created', async () => {
    folder = join(folder, 'none');
    await expect(create()).rejects.toThrow(RunError);
    await expect(create()).rejects.toThrow('logs.tsv');
  });
});
