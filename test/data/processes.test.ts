import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RequestListener, ServerResponse } from 'node:http';
import { afterAll, afterEach, expect, test } from 'vitest';
import { batchFolder } from '../../src/data/cache';
import { verifyCifar10 } from '../../src/data/cifar10';
import { fetchCifar10 } from '../../src/data/download';
import type { Edition } from '../../src/data/edition';
import { compileRoom, fakeNpm, makeFakeSet, serve } from './fake';

const home = mkdtempSync(join(tmpdir(), 'processes-'));
const set = makeFakeSet(join(home, 'made'));
const archive = set.archives.get('cifar-10-binary.tar.gz')!;
const room = compileRoom(join(home, 'room'));
const bin = fakeNpm(home, 'exit 1');
const script = join(home, 'fetch.js');
// Prints "fetching" at the first byte, and finally the result or the error.
writeFileSync(
  script,
  `const { fetchCifar10 } = require(${JSON.stringify(join(room, 'download.js'))});
   const options = JSON.parse(process.argv[2]);
   const onProgress = ({ phase }) => phase === 'fetch' && process.stdout.write('fetching\\n');
   fetchCifar10({ ...options, onProgress }).then(
     ({ sources }) => console.log('done', sources.length),
     (error) => console.log(error.name + ': ' + error.message),
   );`,
);

let closers: (() => Promise<void>)[] = [];
let children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  await Promise.all(closers.map((close) => close()));
  closers = [];
});
afterAll(() => rmSync(home, { recursive: true }));

async function editionAt(listener: RequestListener): Promise<Edition> {
  const { url, close } = await serve(listener);
  closers.push(close);
  return { ...set.edition, archive: { ...set.edition.archive, url } };
}

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves to everything it printed, when it has ended. */
  readonly ended: Promise<string>;
}

function start(cacheDir: string, edition: Edition, before: readonly string[] = []): Running {
  const argument = JSON.stringify({ cacheDir, edition });
  const [command, ...args] = [...before, process.execPath, script, argument];
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin` },
  });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  return { child, output: () => said, ended: once(child, 'close').then(() => said) };
}

async function expectGood(cacheDir: string): Promise<void> {
  const checks = await verifyCifar10({ cacheDir, edition: set.edition });
  expect(checks.map(({ problem }) => problem)).toEqual(Array(6).fill(''));
  expect(new Set(readdirSync(batchFolder(cacheDir)))).toEqual(new Set(set.records.keys()));
}

test('two processes at once both succeed, and leave one good set', async () => {
  const cacheDir = join(home, 'race');
  const waiting: ServerResponse[] = [];
  // Answers only after both requests, so that neither process can find the other's work done.
  const edition = await editionAt((_, response) => {
    waiting.push(response);
    if (waiting.length === 2) for (const each of waiting) each.end(archive);
  });
  const both = [start(cacheDir, edition), start(cacheDir, edition)];
  const said = await Promise.all(both.map(({ ended }) => ended));
  expect(said.map((text) => text.trim().split('\n').at(-1))).toEqual(['done 1', 'done 1']);
  expect(waiting).toHaveLength(2);
  await expectGood(cacheDir);
});

test('a process killed in the middle of a download leaves nothing that disturbs the next one', async () => {
  const cacheDir = join(home, 'killed');
  const half = await editionAt((_, response) => {
    response.write(archive.subarray(0, archive.length >> 1));
  });
  const first = start(cacheDir, half);
  await once(first.child.stdout!, 'data');
  expect(first.output()).toContain('fetching');
  first.child.kill('SIGKILL');
  await first.ended;
  const left = readdirSync(batchFolder(cacheDir));
  expect(left).toHaveLength(1);
  expect(left[0]).toMatch(/^\.fetch-/);

  const whole = await editionAt((_, response) => response.end(archive));
  expect((await fetchCifar10({ cacheDir, edition: whole })).files).toHaveLength(6);
  await expectGood(cacheDir);
});

/** A disk of 64 kB, in its own mount namespace: needs no root, but a kernel that allows user namespaces. */
const smallDisk = (folder: string): readonly string[] => [
  'unshare',
  '-rm',
  'sh',
  '-c',
  'mount -t tmpfs -o size=64k none "$0" && "$@"; code=$?; find "$0" -type f; exit $code',
  folder,
];
const canMount = spawnSync('unshare', [...smallDisk(tmpdir()), 'true'].slice(1)).status === 0;

test.skipIf(!canMount)(
  `a full disk is an error that says what to do${canMount ? '' : ' (SKIPPED: no user namespaces here)'}`,
  async () => {
    const cacheDir = join(home, 'full');
    mkdirSync(cacheDir);
    // The archive fits on the disk, but not the archive and its files.
    const edition = await editionAt((_, response) => response.end(archive));
    const said = await start(cacheDir, edition, smallDisk(cacheDir)).ended;
    expect(said).toMatch(
      new RegExp(
        `DataError: cifar10: no space left in ${batchFolder(cacheDir)} \\(free: [0-9,]+ bytes\\)\\. .*` +
          `Free some space, or set CIFAR10_FAST_CACHE to a folder on another disk\\.`,
      ),
    );
    // No partial file is left on it.
    expect(said.split('\n').filter((line) => line.includes('.fetch-'))).toEqual([]);
  },
);
