import childProcess from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Readable } from 'node:stream';

type StreamName = 'stdout' | 'stderr';
// A function of Node that is wrapped, with any arguments.
type AnyFunction = (this: unknown, ...given: unknown[]) => unknown;

/**
 * Redirects what code and its child processes write to the file descriptors 1 and 2 into `process.stdout` and
 * `process.stderr`, so that it reaches the cell in order. Output of native code cannot be captured.
 */
export function captureDescriptors(): void {
  captureFiles();
  captureFilePromises();
  captureChildren();
  captureSyncChildren();
  syncBuiltinESMExports();
}

/** The stream that a descriptor, or a path such as `/dev/stdout`, refers to. */
function streamOf(target: unknown): StreamName | undefined {
  if (target === 1 || target === process.stdout) return 'stdout';
  if (target === 2 || target === process.stderr) return 'stderr';
  if (typeof target !== 'string') return undefined;
  const [, name, number] =
    /^\/(?:dev\/(stdout|stderr)|(?:dev|proc\/self)\/fd\/([12]))$/.exec(target) ?? [];
  if (name !== undefined) return name as StreamName;
  return number === undefined ? undefined : number === '1' ? 'stdout' : 'stderr';
}

function captureFiles(): void {
  const original = { ...fs } as unknown as Record<string, AnyFunction>;
  const replace = (
    name: string,
    write: (stream: StreamName, ...given: unknown[]) => unknown,
  ): void => {
    const before = original[name];
    (fs as unknown as Record<string, AnyFunction>)[name] = Object.defineProperty(
      function (this: unknown, target: unknown, ...given: unknown[]): unknown {
        const stream = streamOf(target);
        if (stream === undefined) return Reflect.apply(before, this, [target, ...given]);
        return write(stream, ...given);
      },
      'name',
      { value: name },
    );
  };
  const put = (stream: StreamName, data: unknown, ...where: unknown[]): number => {
    const bytes = bytesOf(data, where);
    process[stream].write(bytes);
    return bytes.length;
  };
  const callbackOf = (given: unknown[]): ((...results: unknown[]) => void) => {
    const last = given.at(-1);
    return typeof last === 'function' ? (last as () => void) : () => undefined;
  };
  replace('writeSync', put);
  replace('writevSync', (stream, buffers) => putAll(stream, buffers));
  replace('write', (stream, data, ...rest) => {
    const count = put(stream, data, ...rest);
    const done = callbackOf(rest);
    process.nextTick(() => done(null, count, data));
  });
  replace('writev', (stream, buffers, ...rest) => {
    const count = putAll(stream, buffers);
    const done = callbackOf(rest);
    process.nextTick(() => done(null, count, buffers));
  });
  for (const name of ['writeFileSync', 'appendFileSync']) {
    replace(name, (stream, data, options) => void put(stream, data, encodingOf(options)));
  }
  for (const name of ['writeFile', 'appendFile']) {
    replace(name, (stream, data, ...rest) => {
      put(stream, data, encodingOf(rest[0]));
      const done = callbackOf(rest);
      process.nextTick(() => done(null));
    });
  }
}

/** The same for `fs.promises`. */
function captureFilePromises(): void {
  const files = fs.promises as unknown as Record<string, AnyFunction>;
  for (const name of ['writeFile', 'appendFile']) {
    const before = files[name];
    files[name] = async (target: unknown, data: unknown, options: unknown): Promise<unknown> => {
      const stream = streamOf(target);
      if (stream === undefined) return Reflect.apply(before, files, [target, data, options]);
      process[stream].write(bytesOf(data, [encodingOf(options)]));
      return undefined;
    };
  }
}

function putAll(stream: StreamName, buffers: unknown): number {
  const bytes = (buffers as NodeJS.ArrayBufferView[]).map((one) => bytesOf(one, []));
  for (const one of bytes) process[stream].write(one);
  return bytes.reduce((sum, one) => sum + one.length, 0);
}

function encodingOf(options: unknown): unknown {
  if (typeof options === 'string') return options;
  return (options as { encoding?: unknown } | null | undefined)?.encoding;
}

/** The bytes that `fs.write` gets: text with a position and an encoding, or bytes with an offset and a length. */
function bytesOf(data: unknown, where: readonly unknown[]): Buffer {
  if (ArrayBuffer.isView(data)) {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const [first, second] = where;
    const options = typeof first === 'object' && first !== null ? first : undefined;
    const { offset = 0, length } = (options ?? { offset: first, length: second }) as {
      offset?: unknown;
      length?: unknown;
    };
    const start = typeof offset === 'number' ? offset : 0;
    return bytes.subarray(start, typeof length === 'number' ? start + length : undefined);
  }
  const encoding = where.find((one) => typeof one === 'string' && Buffer.isEncoding(one));
  return Buffer.from(String(data), encoding ?? 'utf8');
}

/** The `stdio` of a child with pipes in place of the terminal, and the streams that the pipes feed. */
interface Piped {
  readonly stdio: unknown[];
  /** The streams to read, by the child's descriptor. */
  readonly from: ReadonlyMap<number, StreamName>;
}

function pipe(stdio: unknown, byDefault: string): Piped {
  const given: unknown[] = Array.isArray(stdio)
    ? [...(stdio as unknown[])]
    : Array.from({ length: 3 }, () => stdio ?? byDefault);
  while (given.length < 3) given.push(byDefault);
  const from = new Map<number, StreamName>();
  for (const [index, entry] of given.entries()) {
    const own = index === 1 ? 'stdout' : index === 2 ? 'stderr' : undefined;
    const stream = entry === 'inherit' ? own : index === 0 ? undefined : streamOf(entry);
    if (stream === undefined) continue;
    given[index] = 'pipe';
    from.set(index, stream);
  }
  return { stdio: given, from };
}

interface SpawnOptions {
  stdio?: StdioOptions;
}

/** Every asynchronous spawn, also by `exec` and `fork`, goes through this method. */
function captureChildren(): void {
  const { prototype } = childProcess.ChildProcess as unknown as {
    prototype: ChildProcess & { spawn: AnyFunction };
  };
  const { spawn } = prototype;
  prototype.spawn = function (this: unknown, options: unknown): unknown {
    const child = this as ChildProcess;
    const { stdio, from } = pipe((options as SpawnOptions).stdio, 'pipe');
    if (from.size === 0) return Reflect.apply(spawn, this, [options]);
    const result: unknown = Reflect.apply(spawn, this, [{ ...(options as object), stdio }]);
    for (const [index, stream] of from) {
      const source = child.stdio?.[index] as Readable | null | undefined;
      source?.on('data', (chunk: Buffer) => process[stream].write(chunk));
      // As with a child that has the terminal, there is nothing to read.
      (child.stdio as unknown[])[index] = null;
      if (index === 1) child.stdout = null;
      if (index === 2) child.stderr = null;
    }
    return result;
  };
}

/** The options that Node passes to its binding for synchronous children. */
interface SyncOptions {
  readonly stdio: readonly { readonly type: string; readonly fd?: number }[];
}

/** `spawnSync`, `execSync` and `execFileSync` all call this function, with the descriptors spelt out. */
function captureSyncChildren(): void {
  const { binding } = process as unknown as { binding: (name: string) => { spawn: AnyFunction } };
  const native = binding('spawn_sync');
  const { spawn } = native;
  native.spawn = function (this: unknown, options: unknown): unknown {
    const { stdio } = options as SyncOptions;
    const streams = stdio.map(({ type, fd }, index) => {
      const from = type === 'inherit' ? index : type === 'fd' ? fd : undefined;
      return index > 0 ? streamOf(from) : undefined;
    });
    if (streams.every((stream) => stream === undefined)) {
      return Reflect.apply(spawn, this, [options]);
    }
    const piped = stdio.map((entry, index) =>
      streams[index] === undefined ? entry : { type: 'pipe', readable: false, writable: true },
    );
    // Output to a terminal has no limit.
    const changed = { ...(options as object), stdio: piped, maxBuffer: Infinity };
    const result = Reflect.apply(spawn, this, [changed]) as { output: (Buffer | null)[] | null };
    for (const [index, stream] of streams.entries()) {
      const output = stream === undefined ? undefined : result.output?.[index];
      if (stream === undefined || !output) continue;
      process[stream].write(output);
      if (result.output !== null) result.output[index] = null;
    }
    return result;
  };
}
