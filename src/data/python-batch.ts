import { DataError } from '../base/errors';
import { imageBytes, recordBytes } from './decode';
import { readPickle } from './pickle';
import type { PythonFunction, Stateful } from './pickle';

/**
 * Converts a batch of the Python version to records of the official binary layout. The batch is a pickled dictionary with
 * `data`, a uint8 array `[N,3072]` or `[N,3,32,32]` of planes, and `labels`, `N` integers in a list, a tuple or an array.
 *
 * Reads what Python 2 and 3 and NumPy 1 and 2 write in any protocol, with text or bytes as keys and the array in any
 * memory order. Supports only the classes that such a file needs: any other Python class is an error, and no code of the
 * pickle is executed.
 *
 * @param count the number of images in the batch
 * @throws DataError if it is not such a pickle
 */
export function decodePickle(pickle: Uint8Array, count: number): Buffer {
  const most = mostPickleBytes(count);
  if (pickle.length > most) {
    throw new DataError(
      `pickle: it has ${pickle.length} bytes; ${count} images take at most ${most}.`,
    );
  }
  let batch: unknown;
  try {
    batch = readPickle(pickle, { functions: pythonFunctions, mostOpcodes: 100 * count + 1000 });
    if (!(batch instanceof Map)) throw new Error('it does not hold a dictionary');
    const entries = new Map([...batch].map(([key, value]) => [latin1(key), value] as const));
    return records(planesOf(entries.get('data'), count), labelsOf(entries.get('labels'), count));
  } catch (cause) {
    throw new DataError(`pickle: ${(cause as Error).message}.`, { cause });
  }
}

/** The size limit of a pickle of `count` images: Python 2's protocol 0 writes up to four characters per byte. */
export function mostPickleBytes(count: number): number {
  return 4 * count * recordBytes + 2 ** 20;
}

function records(planes: Uint8Array, labels: readonly number[]): Buffer {
  const out = Buffer.allocUnsafe(labels.length * recordBytes);
  for (const [n, label] of labels.entries()) {
    out[n * recordBytes] = label;
    out.set(planes.subarray(n * imageBytes, (n + 1) * imageBytes), n * recordBytes + 1);
  }
  return out;
}

function planesOf(data: unknown, count: number): Uint8Array {
  if (!(data instanceof NumpyArray)) throw new Error('its dictionary has no array "data"');
  const { shape, dtype } = data;
  const fits = [`${count},${imageBytes}`, `${count},3,32,32`].includes(shape.join());
  if (dtype.code !== 'u1' || !fits) {
    throw new Error(
      `"data" is ${dtype.code} [${shape.join()}], expected u1 [${count},${imageBytes}]`,
    );
  }
  return data.elements();
}

function labelsOf(labels: unknown, count: number): number[] {
  const list = labels instanceof NumpyArray ? labels.integers() : labels;
  if (!Array.isArray(list)) throw new Error('its dictionary has no list "labels"');
  if (list.length !== count) {
    throw new Error(`"labels" has ${list.length} entries, expected ${count}`);
  }
  const wrong = list.findIndex((label) => !Number.isInteger(label) || label < 0 || label > 9);
  if (wrong >= 0) {
    const found: unknown = list[wrong];
    const text = typeof found === 'number' ? String(found) : 'not a number';
    throw new Error(`label ${wrong} is ${text}, expected an integer from 0 to 9`);
  }
  return list as number[];
}

/** `numpy.dtype`: a kind and a size as in `i8`, and the byte order. */
class NumpyDtype implements Stateful {
  readonly code: string;
  isBigEndian = false;

  constructor(code: string) {
    this.code = code;
  }

  setState(state: unknown): void {
    this.isBigEndian = Array.isArray(state) && latin1(state[1]) === '>';
  }
}

/** `numpy.ndarray`: bytes and their layout. */
class NumpyArray implements Stateful {
  shape: readonly number[] = [];
  dtype: NumpyDtype = new NumpyDtype('u1');
  /** In elements, by axis. */
  private strides: readonly number[] = [];
  private raw: unknown = '';

  setState(state: unknown): void {
    const [, shape, dtype, isFortran, raw] = list(state);
    this.place(raw, dtype, shape, isFortran === true ? 'F' : 'C');
  }

  /** As `numpy._core.numeric._frombuffer`; `axes` names the axis of `shape` for each axis of the array. */
  place(raw: unknown, dtype: unknown, shape: unknown, order: unknown, axes?: unknown): this {
    if (!(dtype instanceof NumpyDtype)) throw new Error('an array has no dtype');
    const stored = counts(shape);
    const outward = order === 'F' ? [...stored.keys()] : [...stored.keys()].toReversed();
    const strides: number[] = [];
    let step = 1;
    for (const axis of outward) {
      strides[axis] = step;
      step *= stored[axis];
    }
    const permutation = axes === undefined ? [...stored.keys()] : counts(axes);
    if (permutation.toSorted((a, b) => a - b).join() !== [...stored.keys()].join()) {
      throw new Error('an array has an invalid order of axes');
    }
    this.shape = permutation.map((axis) => stored[axis]);
    this.strides = permutation.map((axis) => strides[axis]);
    this.dtype = dtype;
    this.raw = raw;
    return this;
  }

  /** The bytes in C order. */
  elements(): Uint8Array {
    const size = Number(this.dtype.code.slice(1));
    const bytes = bytesOf(this.raw);
    const length = this.shape.reduce((product, each) => product * each, size);
    if (bytes.length !== length) {
      throw new Error(`an array [${this.shape.join()}] needs ${length} bytes; got ${bytes.length}`);
    }
    if (this.isDense()) return bytes;
    const out = new Uint8Array(length);
    let to = 0;
    const last = this.shape.length - 1;
    const copy = (axis: number, from: number): void => {
      const [count, stride] = [this.shape[axis], this.strides[axis]];
      for (let i = 0; i < count; i++) {
        const at = from + i * stride;
        if (axis < last) copy(axis + 1, at);
        else for (let byte = 0; byte < size; byte++) out[to++] = bytes[at * size + byte];
      }
    };
    copy(0, 0);
    return out;
  }

  /** The elements of an array of integers with one axis. */
  integers(): number[] {
    const axes = this.shape.filter((size) => size !== 1).length;
    if (axes > 1) throw new Error(`an array of labels has the shape [${this.shape.join()}]`);
    return integersOf(this.elements(), this.dtype);
  }

  private isDense(): boolean {
    let step = 1;
    return this.shape.toReversed().every((size, i) => {
      const fits = size === 1 || this.strides[this.shape.length - 1 - i] === step;
      step *= size;
      return fits;
    });
  }
}

function integersOf(bytes: Uint8Array, { code, isBigEndian }: NumpyDtype): number[] {
  if (!/^[iu][1248]$/.test(code)) throw new Error(`numbers of dtype ${code} are not integers`);
  const size = Number(code[1]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, i) => {
    const at = i * size;
    switch (code) {
      case 'i1':
        return view.getInt8(at);
      case 'u1':
        return view.getUint8(at);
      case 'i2':
        return view.getInt16(at, !isBigEndian);
      case 'u2':
        return view.getUint16(at, !isBigEndian);
      case 'i4':
        return view.getInt32(at, !isBigEndian);
      case 'u4':
        return view.getUint32(at, !isBigEndian);
      default:
        return Number(view.getBigInt64(at, !isBigEndian));
    }
  });
}

/** Bytes encoded as Latin-1 text, as in protocols without a bytes type. */
class EncodedText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const text = value instanceof EncodedText ? value.text : value;
  if (typeof text !== 'string') throw new Error('an array has no bytes');
  return Buffer.from(text, 'latin1');
}

/** A key or a NumPy name: text in Python 3, bytes in Python 2. */
function latin1(value: unknown): string {
  if (value instanceof EncodedText) return value.text;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  return typeof value === 'string' ? value : '';
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('a state is not a tuple');
  return value as unknown[];
}

function counts(value: unknown): number[] {
  const found = list(value);
  if (found.length > 4 || found.some((n) => !Number.isInteger(n) || (n as number) < 0)) {
    throw new Error('an array has an invalid shape');
  }
  return found as number[];
}

function encodedText(text: unknown = ''): EncodedText | Uint8Array {
  if (text instanceof Uint8Array) return text;
  return new EncodedText(latin1(text));
}

/** Python 2 passes the items; Python 3 sets them afterwards. */
function orderedDict(items: unknown = []): Map<unknown, unknown> {
  const isPair = (item: unknown): item is [unknown, unknown] =>
    Array.isArray(item) && item.length === 2;
  if (!Array.isArray(items) || !items.every(isPair)) {
    throw new Error('an OrderedDict has no list of pairs');
  }
  return new Map(items);
}

const numpyFunctions: Readonly<Record<string, PythonFunction>> = {
  'multiarray._reconstruct': () => new NumpyArray(),
  'multiarray.scalar': (dtype, raw) => {
    if (!(dtype instanceof NumpyDtype)) throw new Error('a number has no dtype');
    return integersOf(bytesOf(raw), dtype)[0];
  },
  'numeric._frombuffer': (raw, dtype, shape, order, axes) =>
    new NumpyArray().place(raw, dtype, shape, order, axes),
};

/** By module and name. NumPy 2 moved `numpy.core` to `numpy._core`; Python 3 writes `__builtin__` up to protocol 2. */
const pythonFunctions: ReadonlyMap<string, PythonFunction> = new Map<string, PythonFunction>([
  ...Object.entries(numpyFunctions).flatMap(([name, made]) =>
    ['numpy.core', 'numpy._core'].map((module) => [`${module}.${name}`, made] as const),
  ),
  ['numpy.ndarray', () => new NumpyArray()],
  ['numpy.dtype', (code) => new NumpyDtype(latin1(code))],
  ['_codecs.encode', encodedText],
  ...['__builtin__', 'builtins'].flatMap((module) =>
    ['bytes', 'bytearray'].map((name) => [`${module}.${name}`, encodedText] as const),
  ),
  ['collections.OrderedDict', orderedDict],
]);
