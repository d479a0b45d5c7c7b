import { DataError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { readRegularFileSync } from '../base/read-file';

/** A tensor as stored in a file; `data` holds the product of `shape` elements in C order. `BOOL` is 0 or 1. */
export type StoredTensor =
  | { readonly dtype: 'F32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: 'F64'; readonly shape: readonly number[]; readonly data: Float64Array }
  | { readonly dtype: 'I32'; readonly shape: readonly number[]; readonly data: Int32Array }
  | { readonly dtype: 'I64'; readonly shape: readonly number[]; readonly data: BigInt64Array }
  | { readonly dtype: 'U8'; readonly shape: readonly number[]; readonly data: Uint8Array }
  | { readonly dtype: 'BOOL'; readonly shape: readonly number[]; readonly data: Uint8Array };

/** A file's tensors in the order of their bytes, and its metadata by key. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const arrays = {
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

type Dtype = keyof typeof arrays;

const alignment = 8;

/** The limit of the reference reader. */
const mostHeaderBytes = 100_000_000;

/** NumPy's limit. */
const mostAxes = 64;

/** Larger than any checkpoint or exported network; Node reads no more at once. */
const mostFileBytes = 2 ** 31;

/**
 * Reads the safetensors format: an 8-byte little-endian length, a JSON header of that length, then the bytes of all
 * tensors without a gap.
 *
 * `source` is a path, or the bytes of a file. The tensors are views of one buffer where alignment allows, so writing
 * to one writes to `source` if bytes were given. Assumes a little-endian machine, such as x86-64 or ARM.
 *
 * @throws DataError, naming file and tensor, if the file cannot be read, its header is invalid, a dtype is not one of
 *   F32, F64, I32, I64, U8 and BOOL, or offsets do not match shapes, overlap, leave gaps or exceed the file.
 * @see Hugging Face, safetensors: format description.
 */
export function readSafetensors(source: string | Uint8Array): Safetensors {
  const file = typeof source === 'string' ? source : 'bytes';
  const bytes = typeof source === 'string' ? readFile(source) : source;
  const { header, start } = readHeader(bytes, file);
  const body = bytes.subarray(start);

  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  const placed = entries.map(([name, value]) =>
    place(value, body.length, `${file}: tensor ${brief(name)}`, name),
  );
  placed.sort((a, b) => a.begin - b.begin || a.end - b.end);

  let end = 0;
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end: next } of placed) {
    if (begin !== end) {
      const fault =
        begin < end ? 'overlaps the one before it, which ends at' : 'leaves a gap after';
      throw damaged(`${file}: tensor ${brief(name)} begins at byte ${begin} and ${fault} ${end}`);
    }
    end = next;
    const view = viewOf(dtype, body.subarray(begin, next));
    tensors.set(name, { dtype, shape, data: view } as StoredTensor);
  }
  if (end !== body.length) {
    throw damaged(`${file}: ${body.length} bytes follow the header, but its tensors hold ${end}`);
  }
  return { tensors, metadata: readMetadata(header['__metadata__'], file) };
}

/**
 * Writes the safetensors format and returns the bytes of the file.
 *
 * The same tensors and metadata give the same bytes, whatever their order: tensors are sorted by element size, largest
 * first, then by the UTF-16 code units of their names. The header is padded with spaces, so every tensor is aligned.
 *
 * @throws DataError, naming the tensor, if its shape does not match its data, or its array does not match its dtype.
 */
export function writeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: StoredTensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Buffer {
  const sorted = [...tensors];
  sorted.sort(([a, x], [b, y]) => {
    const wider = arrays[y.dtype].BYTES_PER_ELEMENT - arrays[x.dtype].BYTES_PER_ELEMENT;
    return wider || (a < b ? -1 : 1);
  });
  // Without a prototype, so that a tensor can be called "__proto__".
  const header = Object.create(null) as Record<string, unknown>;
  const keys = Object.keys(metadata);
  keys.sort();
  if (keys.length > 0) {
    header['__metadata__'] = Object.fromEntries(keys.map((key) => [key, metadata[key]]));
  }
  let end = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    if (name === '__metadata__' || name in header) {
      throw fail(`a tensor cannot be called "${name}": the name is taken`);
    }
    if (!(data instanceof arrays[dtype]) || elements(shape) !== data.length) {
      throw fail(
        `tensor "${name}" is declared as ${dtype} [${shape.join(',')}], ` +
          `but its data is a ${data.constructor.name} of ${data.length} elements`,
      );
    }
    header[name] = { dtype, shape, data_offsets: [end, (end += data.byteLength)] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const start = Math.ceil((8 + text.length) / alignment) * alignment;
  const out = Buffer.alloc(start + end, ' ');
  out.writeBigUInt64LE(BigInt(start - 8));
  text.copy(out, 8);
  let at = start;
  for (const [, { data }] of sorted) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}

function readFile(path: string): Uint8Array {
  try {
    return readRegularFileSync(path, mostFileBytes);
  } catch (cause) {
    throw fail(`${path} cannot be read (${(cause as Error).message})`, { cause });
  }
}

function readHeader(
  bytes: Uint8Array,
  file: string,
): { header: Record<string, unknown>; start: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < 8 ? Infinity : Number(view.getBigUint64(0, true));
  const start = 8 + length;
  if (length > mostHeaderBytes && bytes.length >= 8) {
    throw damaged(`${file}: its header has ${length} bytes, more than the format allows`);
  }
  if (start > bytes.length) {
    throw damaged(`${file}: it has ${bytes.length} bytes, too few for its header`);
  }
  let header: unknown;
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    header = JSON.parse(decoder.decode(bytes.subarray(8, start)));
  } catch (cause) {
    throw damaged(`${file}: its header is not JSON (${(cause as Error).message})`, { cause });
  }
  if (!isRecord(header)) throw damaged(`${file}: its header is not a JSON object`);
  return { header, start };
}

function readMetadata(value: unknown, file: string): Record<string, string> {
  // The reference reader treats null as a missing map.
  if (value === undefined || value === null) return {};
  if (!isRecord(value) || Object.values(value).some((text) => typeof text !== 'string')) {
    throw damaged(`${file}: "__metadata__" is not an object of strings`);
  }
  return value as Record<string, string>;
}

interface Placed {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Checks one entry of the header against the `available` bytes after it. */
function place(value: unknown, available: number, where: string, name: string): Placed {
  const { dtype, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  if (typeof dtype !== 'string' || !Object.hasOwn(arrays, dtype)) {
    const known = Object.keys(arrays);
    throw damaged(
      `${where} has dtype ${brief(dtype)}, expected one of ${known.join(', ')}.` +
        nearestHint(brief(dtype).slice(1, 9), known),
    );
  }
  if (!isCounts(shape) || shape.length > mostAxes) {
    throw damaged(`${where} has shape ${brief(shape)}, expected a list of whole numbers`);
  }
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw damaged(`${where} has data_offsets ${brief(offsets)}, expected two whole numbers`);
  }
  const [begin, end] = offsets;
  if (begin > end || end > available) {
    throw damaged(
      `${where} lies at [${begin},${end}], outside the ${available} bytes of the file's data`,
    );
  }
  const size = arrays[dtype as Dtype].BYTES_PER_ELEMENT;
  const wanted = elements(shape) * size;
  if (Number.isNaN(wanted)) {
    throw damaged(`${where} has shape ${brief(shape)}, more elements than can be counted`);
  }
  if (end - begin !== wanted) {
    throw damaged(
      `${where} is ${dtype} [${shape.join(',')}], ${wanted} bytes, but lies at [${begin},${end}]`,
    );
  }
  return { name, dtype: dtype as Dtype, shape, begin, end };
}

/** A typed array over `bytes`, or over a copy if they are not aligned to the element size. */
function viewOf(dtype: Dtype, bytes: Uint8Array): StoredTensor['data'] {
  const size = arrays[dtype].BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new arrays[dtype](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.length / size,
  );
}

/** The product of the sizes, or `NaN` if it or a partial product is too large to be exact. */
function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => {
    return Number.isSafeInteger(product * size) ? product * size : NaN;
  }, 1);
}

/** A header value for an error message: escaped and truncated. */
function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
}

/** The error for a file that violates the format. */
function damaged(message: string, options?: ErrorOptions): DataError {
  return fail(`${message.replace(/\.$/, '')}. Write the file again, or use another copy`, options);
}

function fail(message: string, options?: ErrorOptions): DataError {
  return new DataError(`safetensors: ${message}.`, options);
}
