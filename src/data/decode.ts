import { PNG } from 'pngjs';
import { BufferReader, Parser } from 'pickleparser';
import { DataError } from '../base/errors';

const side = 32;
const pixels = side * side;

/** Bytes of one image, in any layout: 32 x 32 pixels, three channels. */
export const imageBytes: number = 3 * pixels;

/** Bytes of one record of the official binary layout: a label, then the planes R, G and B, each row by row. */
export const recordBytes: number = 1 + imageBytes;

/**
 * Reads records of the official binary layout into images and labels.
 *
 * `images` is `[N,32,32,3]` and `labels` `[N]`, both written in full; `records` holds `N` records.
 *
 * @throws DataError if the three sizes do not fit each other.
 */
export function decodeRecords(records: Uint8Array, images: Uint8Array, labels: Uint8Array): void {
  const count = labels.length;
  if (records.length !== count * recordBytes || images.length !== count * imageBytes) {
    throw new DataError(
      `decode: ${count} labels want ${count * recordBytes} bytes of records and ${count * imageBytes} of images, ` +
        `but there are ${records.length} and ${images.length}.`,
    );
  }
  let to = 0;
  for (let n = 0; n < count; n++) {
    const from = n * recordBytes;
    labels[n] = records[from];
    for (let red = from + 1; red <= from + pixels; red++) {
      images[to] = records[red];
      images[to + 1] = records[red + pixels];
      images[to + 2] = records[red + 2 * pixels];
      to += 3;
    }
  }
}

/**
 * Writes images as records of the official binary layout, the inverse of {@link decodeRecords}.
 *
 * `images` is `[N,32,32,channels]`; of four channels the last, an alpha, is dropped.
 *
 * @throws DataError if images and labels do not fit each other.
 */
export function encodeRecords(images: Uint8Array, labels: Uint8Array, channels: 3 | 4 = 3): Buffer {
  const count = labels.length;
  if (images.length !== count * pixels * channels) {
    throw new DataError(
      `encode: ${count} labels want images of ${count * pixels * channels} bytes (32 x 32 x ${channels} each), ` +
        `but there are ${images.length}.`,
    );
  }
  const records = Buffer.allocUnsafe(count * recordBytes);
  let from = 0;
  for (let n = 0; n < count; n++) {
    const to = n * recordBytes;
    records[to] = labels[n];
    for (let red = to + 1; red <= to + pixels; red++) {
      records[red] = images[from];
      records[red + pixels] = images[from + 1];
      records[red + 2 * pixels] = images[from + 2];
      from += channels;
    }
  }
  return records;
}

/**
 * Records of the official binary layout from a PNG that holds one image a row, 1024 pixels wide.
 *
 * `labels` `[N]` gives the height that the PNG must have.
 *
 * @throws DataError if it is no PNG, is damaged, or has another size.
 */
export function decodePng(png: Uint8Array, labels: Uint8Array): Buffer {
  let image;
  try {
    image = PNG.sync.read(Buffer.from(png.buffer, png.byteOffset, png.byteLength));
  } catch (cause) {
    throw new DataError(`png: it cannot be decoded (${(cause as Error).message}).`, { cause });
  }
  if (image.width !== pixels || image.height !== labels.length) {
    throw new DataError(
      `png: it is ${image.width} x ${image.height}, expected ${pixels} x ${labels.length}: one image a row.`,
    );
  }
  return encodeRecords(image.data, labels, 4);
}

/**
 * Records of the official binary layout from a batch of the Python version: a pickled dictionary whose `data` is a
 * uint8 array `[N,3072]` of planes and whose `labels` is a list of `N` numbers.
 *
 * Only what such a file needs is built: any other Python class is an error, and nothing is ever executed.
 *
 * @throws DataError if it is no such pickle.
 */
export function decodePickle(pickle: Uint8Array): Buffer {
  let batch: unknown;
  try {
    batch = new Parser({
      nameResolver: { resolve: (module, name) => pythonName(module, name) },
      unpicklingTypeOfDictionary: 'Map',
    }).read(new PythonReader(pickle));
  } catch (cause) {
    throw new DataError(`pickle: it cannot be decoded (${(cause as Error).message}).`, { cause });
  }
  const labels: unknown = batch instanceof Map ? batch.get('labels') : undefined;
  const data: unknown = batch instanceof Map ? batch.get('data') : undefined;
  if (!Array.isArray(labels) || !isNumpyArray(data)) {
    throw new DataError('pickle: no dictionary with an array "data" and a list "labels".');
  }
  const planes = data.bytes;
  if (planes?.length !== labels.length * imageBytes) {
    throw new DataError(
      `pickle: "data" is no uint8 array [${labels.length},${imageBytes}], as its ${labels.length} labels want.`,
    );
  }
  const records = Buffer.allocUnsafe(labels.length * recordBytes);
  for (let n = 0; n < labels.length; n++) {
    records[n * recordBytes] = labels[n] as number;
    records.set(planes.subarray(n * imageBytes, (n + 1) * imageBytes), n * recordBytes + 1);
  }
  return records;
}

/** Python 2 stores bytes as text; every byte must survive, so that text is read as Latin-1, one character a byte. */
class PythonReader extends BufferReader {
  override string(size: number, encoding: 'ascii' | 'utf-8'): string {
    if (encoding === 'utf-8') return super.string(size, encoding);
    const bytes = this.bytes(size);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  }
}

/** What NumPy's array is to the unpickler: it is handed its state after it is made. */
interface NumpyArray {
  /** The elements, or nothing where they are no bytes in C order. */
  bytes: Uint8Array | undefined;
  __setstate__(state: readonly unknown[]): void;
}

function isNumpyArray(value: unknown): value is NumpyArray {
  return typeof value === 'object' && value !== null && '__setstate__' in value;
}

function numpyArray(): NumpyArray {
  return {
    bytes: undefined,
    __setstate__([, , dtype, isFortran, raw]): void {
      if ((dtype as { code?: unknown }).code !== 'u1' || isFortran === true) return;
      this.bytes = typeof raw === 'string' ? Buffer.from(raw, 'latin1') : (raw as Uint8Array);
    },
  };
}

type PythonFunction = (...args: unknown[]) => unknown;

const pythonNames: ReadonlyMap<string, PythonFunction> = new Map<string, PythonFunction>([
  ['numpy.core.multiarray._reconstruct', numpyArray],
  ['numpy._core.multiarray._reconstruct', numpyArray],
  ['numpy.ndarray', numpyArray],
  ['numpy.dtype', (code) => ({ code })],
  ['_codecs.encode', (text) => Buffer.from(text as string, 'latin1')],
]);

function pythonName(module: string, name: string): PythonFunction {
  const found = pythonNames.get(`${module}.${name}`);
  if (found === undefined) throw new Error(`it asks for ${module}.${name}`);
  return found;
}
