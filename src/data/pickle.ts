/** A Python function or class that a pickle may call, in TypeScript. */
export type PythonFunction = (...args: readonly unknown[]) => unknown;

/** An object whose state is set after it is created, as with Python's `__setstate__`. */
export interface Stateful {
  setState(state: unknown): void;
}

/** Limits on what a pickle may do. */
export interface PickleLimits {
  /** By `module.name`, as in `numpy.dtype`. A pickle that names anything else is an error. */
  readonly functions: ReadonlyMap<string, PythonFunction>;
  /** The maximum number of opcodes; bounds the memory that a small file can take. */
  readonly mostOpcodes: number;
}

/**
 * Reads a Python pickle of protocol 0 to 5.
 *
 * Dictionaries become maps, lists and tuples arrays, integers and floats numbers. Python's `bytes` become views of
 * `pickle`, `str` a string. Python 2's `str`, which holds bytes, becomes a string of one character per byte. Nothing but
 * `functions` is executed.
 *
 * @throws Error if the pickle is damaged, names another function, or exceeds `mostOpcodes`
 * @see Python, Lib/pickletools.py, for the opcodes
 */
export function readPickle(pickle: Uint8Array, limits: PickleLimits): unknown {
  return new Unpickler(pickle, limits).run();
}

class Unpickler {
  private readonly bytes: Buffer;
  private at = 0;
  private readonly stack: unknown[] = [];
  /** Heights of the stack at the marks. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, unknown>();
  private readonly limits: PickleLimits;

  constructor(pickle: Uint8Array, limits: PickleLimits) {
    this.bytes = Buffer.from(pickle.buffer, pickle.byteOffset, pickle.byteLength);
    this.limits = limits;
  }

  run(): unknown {
    for (let count = 0; count < this.limits.mostOpcodes; count++) {
      const code = this.uint(1);
      if (code === 0x2e) return this.pop();
      const opcode = opcodes.get(code);
      if (opcode === undefined) {
        throw new Error(`it has the unsupported opcode 0x${code.toString(16)}`);
      }
      opcode(this);
    }
    throw new Error(`it has more than ${this.limits.mostOpcodes} opcodes`);
  }

  take(count: number): Buffer {
    if (count > this.bytes.length - this.at) throw new Error('it is cut short');
    return this.bytes.subarray(this.at, (this.at += count));
  }

  uint(size: number): number {
    const bytes = this.take(size);
    return size === 8 ? Number(bytes.readBigUInt64LE()) : bytes.readUIntLE(0, size);
  }

  /** A line without its line break. */
  lineBytes(): Buffer {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw new Error('it is cut short');
    return this.take(end + 1 - this.at).subarray(0, -1);
  }

  line(): string {
    return this.lineBytes().toString('latin1');
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  top(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw new Error('its stack is empty');
    return this.stack.at(-1);
  }

  pop(): unknown {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  popAll(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).toReversed();
  }

  mark(): void {
    this.marks.push(this.stack.length);
  }

  popMark(): unknown[] {
    const height = this.marks.pop();
    if (height === undefined) throw new Error('a mark is missing');
    return this.stack.splice(height);
  }

  store(index: number): void {
    this.memo.set(index, this.top());
  }

  memoize(): void {
    this.store(this.memo.size);
  }

  load(index: number): void {
    if (!this.memo.has(index)) throw new Error(`it reads memo ${index}, which it did not write`);
    this.push(this.memo.get(index));
  }

  extend(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw new Error('it appends to a value that is not a list');
    for (const item of items) list.push(item);
  }

  setItems(items: readonly unknown[]): void {
    const dictionary = this.top();
    if (!(dictionary instanceof Map) || items.length % 2 !== 0) {
      throw new Error('it sets items of a value that is not a dictionary');
    }
    for (let i = 0; i < items.length; i += 2) dictionary.set(items[i], items[i + 1]);
  }

  global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string') {
      throw new Error('it refers to a global whose name is not a string');
    }
    const path = `${module}.${name}`;
    const found = this.limits.functions.get(path);
    if (found === undefined)
      throw new Error(`it refers to ${path.slice(0, 200)}, which is not allowed`);
    this.push(found);
  }

  reduce(): void {
    const [callee, args] = this.popAll(2);
    if (typeof callee !== 'function' || !Array.isArray(args)) {
      throw new Error('it calls a value that is not a function');
    }
    this.push((callee as PythonFunction)(...(args as unknown[])));
  }

  build(): void {
    const state = this.pop();
    const object = this.top();
    if (typeof object !== 'object' || object === null || !('setState' in object)) {
      throw new Error('it sets the state of an object that has no state');
    }
    (object as Stateful).setState(state);
  }
}

/** By opcode byte; {@link Unpickler.run} handles STOP. */
const opcodes: ReadonlyMap<number, (on: Unpickler) => void> = new Map(
  Object.entries<(on: Unpickler) => void>({
    '\x80': (on) => {
      const protocol = on.uint(1);
      if (protocol > 5) throw new Error(`it has protocol ${protocol}; the highest supported is 5`);
    },
    '\x95': (on) => void on.take(8), // FRAME
    '(': (on) => on.mark(),
    '0': (on) => void on.pop(),
    '1': (on) => void on.popMark(),
    '2': (on) => on.push(on.top()),
    p: (on) => on.store(integer(on.line())),
    q: (on) => on.store(on.uint(1)),
    r: (on) => on.store(on.uint(4)),
    '\x94': (on) => on.memoize(),
    g: (on) => on.load(integer(on.line())),
    h: (on) => on.load(on.uint(1)),
    j: (on) => on.load(on.uint(4)),
    N: (on) => on.push(null),
    '\x88': (on) => on.push(true),
    '\x89': (on) => on.push(false),
    I: (on) => {
      const line = on.line();
      on.push(line === '01' ? true : line === '00' ? false : integer(line));
    },
    L: (on) => on.push(integer(on.line().replace(/L$/, ''))),
    F: (on) => on.push(Number(on.line())),
    G: (on) => on.push(on.take(8).readDoubleBE()),
    J: (on) => on.push(on.take(4).readInt32LE()),
    K: (on) => on.push(on.uint(1)),
    M: (on) => on.push(on.uint(2)),
    '\x8a': (on) => on.push(long(on.take(on.uint(1)))),
    S: (on) => on.push(unquoted(on.lineBytes())),
    V: (on) => on.push(unescaped(on.line())),
    T: (on) => on.push(on.take(on.uint(4)).toString('latin1')),
    U: (on) => on.push(on.take(on.uint(1)).toString('latin1')),
    X: (on) => on.push(on.take(on.uint(4)).toString('utf8')),
    '\x8c': (on) => on.push(on.take(on.uint(1)).toString('utf8')),
    '\x8d': (on) => on.push(on.take(on.uint(8)).toString('utf8')),
    B: (on) => on.push(on.take(on.uint(4))),
    C: (on) => on.push(on.take(on.uint(1))),
    '\x8e': (on) => on.push(on.take(on.uint(8))),
    '\x96': (on) => on.push(on.take(on.uint(8))), // BYTEARRAY8
    '\x98': () => undefined, // READONLY_BUFFER
    ')': (on) => on.push([]),
    t: (on) => on.push(on.popMark()),
    '\x85': (on) => on.push(on.popAll(1)),
    '\x86': (on) => on.push(on.popAll(2)),
    '\x87': (on) => on.push(on.popAll(3)),
    ']': (on) => on.push([]),
    l: (on) => on.push(on.popMark()),
    a: (on) => on.extend([on.pop()]),
    e: (on) => on.extend(on.popMark()),
    '}': (on) => on.push(new Map()),
    d: (on) => {
      const items = on.popMark();
      on.push(new Map());
      on.setItems(items);
    },
    s: (on) => on.setItems(on.popAll(2)),
    u: (on) => on.setItems(on.popMark()),
    c: (on) => on.global(on.line(), on.line()),
    '\x93': (on) => on.global(...(on.popAll(2) as [unknown, unknown])),
    R: (on) => on.reduce(),
    b: (on) => on.build(),
  }).map(([character, run]) => [character.charCodeAt(0), run]),
);

function integer(text: string): number {
  const value = /^-?\d{1,20}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw new Error(`"${text.slice(0, 40)}" is not an integer`);
  return value;
}

/** A little-endian integer in two's complement. */
function long(bytes: Buffer): number {
  if (bytes.length === 0) return 0;
  const unsigned = bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return Number(BigInt.asIntN(8 * bytes.length, unsigned));
}

/** Python's `raw-unicode-escape`. */
function unescaped(line: string): string {
  return line.replace(/\\u([\da-f]{4})|\\U([\da-f]{8})/gi, (_, short?: string, wide?: string) =>
    String.fromCodePoint(parseInt(short ?? wide ?? '', 16)),
  );
}

const escapes: ReadonlyMap<string, number> = new Map([
  ['n', 10],
  ['r', 13],
  ['t', 9],
]);

/** The string that a Python 2 `repr` represents, one character per byte. */
function unquoted(line: Buffer): string {
  const quote = line.at(0);
  if (line.length < 2 || (quote !== 0x22 && quote !== 0x27) || line.at(-1) !== quote) {
    throw new Error('a string has no quotes');
  }
  const out = Buffer.allocUnsafe(line.length);
  let length = 0;
  for (let at = 1; at < line.length - 1; at++) {
    if (line[at] !== 0x5c) {
      out[length++] = line[at];
      continue;
    }
    const escape = String.fromCharCode(line[++at]);
    if (escape === 'x') {
      const hex = line.toString('latin1', at + 1, at + 3);
      if (!/^[\da-f]{2}$/i.test(hex)) throw new Error('a string has an invalid escape');
      out[length++] = parseInt(hex, 16);
      at += 2;
    } else {
      out[length++] = escapes.get(escape) ?? line[at];
    }
  }
  return out.toString('latin1', 0, length);
}
