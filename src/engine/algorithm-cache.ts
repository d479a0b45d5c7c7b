import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolders } from '../base/make-folders';
import { cacheRoot } from '../base/cache-root';
import { readRegularFileSync } from '../base/read-file';
import type { AlgorithmRow } from './conv-algorithm';
import { readProcessor } from './hardware';
import { loadTensorflow } from './tensorflow';

/** Increment this when a kernel of `native/` or the way of measuring changes. */
const edition = 12;

/** Upper limit for reading the file. A row takes 200 bytes; nobody measures a million. */
const mostCacheBytes = 2 ** 27;

type Cache = Readonly<Record<string, readonly AlgorithmRow[]>>;

/** The rows measured on this machine so far; empty if the file is missing, unreadable or damaged. */
export function readCachedRows(): readonly AlgorithmRow[] {
  return readCache()[machine()] ?? [];
}

/**
 * Adds a row to the file in the cache folder, in place of an older one for the same pass and shape, and returns the row.
 * Warns once if the file cannot be written.
 */
export function keepRow(measured: AlgorithmRow): AlgorithmRow {
  const whole = readCache();
  const { pass, shape } = measured;
  const others = readCachedRows().filter((row) => row.pass !== pass || row.shape !== shape);
  const rows = [...others, measured];
  const path = cacheFile();
  const draft = `${path}.${process.pid}.part`;
  try {
    makeFolders(dirname(path));
    try {
      writeFileSync(draft, `${JSON.stringify({ ...whole, [machine()]: rows }, null, 1)}\n`);
      renameSync(draft, path);
    } finally {
      rmSync(draft, { force: true });
    }
  } catch (cause) {
    warnOnce(path, cause);
  }
  return measured;
}

function cacheFile(): string {
  return join(cacheRoot(), 'algorithms.json');
}

/** Environment variables that decide how TensorFlow's own convolution computes; other candidates compete with that. */
const switches = ['TF_ENABLE_ONEDNN_OPTS', 'ONEDNN_MAX_CPU_ISA'];

/**
 * The key of the measurements: another processor, thread count, TensorFlow, setting of oneDNN or edition of the kernels
 * measures again.
 */
function machine(): string {
  const { intraOpThreads, version } = loadTensorflow();
  const set = switches.flatMap((name) =>
    process.env[name] === undefined ? [] : [`${name}=${process.env[name]}`],
  );
  return [readProcessor(), intraOpThreads, version, ...set, edition].join(' | ');
}

/** The last cache that was read, and which file it came from: a network looks up dozens of shapes. */
let last: { readonly file: string; readonly cache: Cache } | undefined;

function readCache(): Cache {
  let file: string;
  let text: string;
  try {
    const { ino, mtimeNs, size } = statSync(cacheFile(), { bigint: true });
    file = [cacheFile(), ino, mtimeNs, size].join(' ');
    if (file === last?.file) return last.cache;
    text = readRegularFileSync(cacheFile(), mostCacheBytes).toString();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') warnOnce(cacheFile(), cause);
    return {};
  }
  try {
    const found: unknown = JSON.parse(text);
    const cache = isCache(found) ? found : {};
    last = { file, cache };
    return cache;
  } catch {
    return {}; // Truncated, for example by a full disk: measure again.
  }
}

function isCache(found: unknown): found is Cache {
  return (
    typeof found === 'object' &&
    found !== null &&
    Object.values(found).every((rows) => Array.isArray(rows) && rows.every(isRow))
  );
}

function isRow(found: unknown): found is AlgorithmRow {
  const { pass, shape, candidates, chosen } = (found ?? {}) as Partial<AlgorithmRow>;
  return (
    [pass, shape, chosen].every((text) => typeof text === 'string') && Array.isArray(candidates)
  );
}

const warned = new Set<string>();

/** Without a cache, every run spends some seconds on measuring; nothing else changes. */
function warnOnce(path: string, cause: unknown): void {
  if (warned.has(path)) return;
  warned.add(path);
  const reason = cause instanceof Error ? cause.message : String(cause);
  process.emitWarning(
    `engine: cannot read or write the cache of convolution algorithms ${path} (${reason}); this run measures them again. ` +
      'Make the folder writable, or set CIFAR10_FAST_CACHE to another one.',
  );
}
