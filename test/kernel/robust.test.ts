import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Dealer } from 'zeromq';
import type { Client, Outcome } from './client';
import { compileLibrary } from './library';

const library = compileLibrary();
let kernel: Client;

beforeAll(async () => {
  kernel = await library.start();
}, 60_000);

afterAll(async () => {
  await kernel.stop();
  library.remove();
});

interface ConnectionFile {
  readonly key: string;
  readonly hb_port: number;
  readonly shell_port: number;
  readonly control_port: number;
  readonly iopub_port: number;
  readonly stdin_port: number;
}

const connectionOf = ({ connectionFile }: Client): ConnectionFile =>
  JSON.parse(readFileSync(connectionFile, 'utf8')) as ConnectionFile;

/** Sends a raw message with these parts, signed, to one of the kernel's sockets. */
async function sendRaw(port: number, parts: readonly string[], key?: string): Promise<void> {
  const socket = new Dealer({ linger: 500 });
  socket.connect(`tcp://127.0.0.1:${port}`);
  const hmac = createHmac('sha256', key ?? connectionOf(kernel).key);
  for (const part of parts) hmac.update(part);
  await socket.send(['<IDS|MSG>', hmac.digest('hex'), ...parts]);
  await sleep(100);
  socket.close();
}

const headerOf = (type: string): string =>
  JSON.stringify({ msg_id: randomUUID(), msg_type: type, session: 'x', username: 'x' });

async function expectAlive(): Promise<void> {
  expect((await kernel.run('6 * 7')).result).toBe('42');
}

describe('any thrown value becomes an error that can be saved', () => {
  test.each([
    ['throw { get message() { throw 1 } }', 'Error', '{ message: [Getter] }'],
    [
      "const a = new Error('x'); Object.defineProperty(a, 'message', { get() { throw 1 } }); throw a",
      'Error',
      '',
    ],
    [
      "const b = new Error('x'); Object.defineProperty(b, 'stack', { get() { throw 1 } }); throw b",
      'Error',
      'x',
    ],
    [
      "const c = new Error('x'); Object.defineProperty(c, 'cause', { get() { throw 1 } }); throw c",
      'Error',
      'x',
    ],
    [
      "const c2 = new Error('x'); Object.defineProperty(c2, 'name', { get() { throw 1 } }); throw c2",
      'Error',
      'x',
    ],
    ["const d = new Error('x'); d.message = 10n as any; throw d", 'Error', '10n'],
    ["const e = new Error('x'); e.name = Symbol('n') as any; throw e", 'Error', 'x'],
    ["const e2 = new TypeError('x'); e2.stack = 5 as any; throw e2", 'TypeError', 'x'],
    ['const f = Proxy.revocable({}, {}); f.revoke(); throw f.proxy', 'Error', '<Revoked Proxy>'],
    [
      "throw new Proxy(new Error('p'), { get() { throw 1 }, getPrototypeOf() { throw 2 } })",
      'Error',
      expect.any(String) as string,
    ],
    [
      "throw { [Symbol.for('nodejs.util.inspect.custom')]() { throw 1 } }",
      'Error',
      expect.stringContaining('inspect.custom') as string,
    ],
    ["throw Symbol('s')", 'Error', 'Symbol(s)'],
    ['throw 10n', 'Error', '10n'],
    ['throw undefined', 'Error', 'undefined'],
    ['throw Object.create(null)', 'Error', '[Object: null prototype] {}'],
  ])('%s', async (code, ename, evalue) => {
    const { reply, published } = await kernel.run(code);
    expect(reply).toMatchObject({ status: 'error', ename, evalue });
    const error = published.find(({ type }) => type === 'error');
    expect(error?.content).toMatchObject({ ename, evalue });
    expect(error?.content.traceback.every((line: unknown) => typeof line === 'string')).toBe(true);
    await expectAlive();
  });

  test('also in a timer, in a promise and in an expression of the client', async () => {
    const odd =
      "(() => { const o = new Error('x'); Object.defineProperty(o, 'message', { get() { throw 1 } }); return o })()";
    const { stderr } = await kernel.run(
      `setTimeout(() => { throw ${odd} }, 1); void Promise.reject(${odd}); await new Promise((go) => setTimeout(go, 100));`,
    );
    expect(stderr.match(/Uncaught error in background work of a cell:/g)).toHaveLength(2);
    const { reply } = await kernel.run('1', {
      user_expressions: { odd: `(() => { throw ${odd} })()` },
    });
    expect(reply.user_expressions.odd).toMatchObject({ status: 'error', ename: 'Error' });
    await expectAlive();
  });

  test('nested errors are shown', async () => {
    const text = async (code: string): Promise<string> =>
      ((await kernel.run(code)).reply.traceback as string[]).join('\n');
    const many = await text(
      "throw new AggregateError([new TypeError('first'), 'second', new AggregateError([new Error('deep')], 'third')], 'many')",
    );
    for (const line of ['error 1 of 3: TypeError: first', "error 2 of 3: 'second'"]) {
      expect(many).toContain(line);
    }
    expect(many).toMatch(/error 3 of 3: AggregateError: third[\s\S]*error 1 of 1: Error: deep/);
    expect(await text("throw new Error('top', { cause: { code: 5 } })")).toContain(
      'caused by: { code: 5 }',
    );
  });
});

test('half of a surrogate pair becomes U+FFFD in everything that is sent', async () => {
  const sent = async (code: string): Promise<Outcome> => {
    const outcome = await kernel.run(code);
    const { published } = outcome;
    const texts: string[] = [];
    JSON.stringify(published.slice(2), (_, value: unknown) => {
      if (typeof value === 'string') texts.push(value);
      return value;
    });
    // With this flag, only lone surrogates match.
    expect(texts.filter((text) => /[\ud800-\udfff]/u.test(text))).toEqual([]);
    return outcome;
  };
  const { stdout, stderr, reply } = await sent(
    "console.log('a\\ud83d', '\\\\ud83d', '😀'); console.error('\\udc00'); throw new Error('b\\udc00c')",
  );
  expect([stdout, stderr, reply.evalue]).toEqual(['a\ufffd \\ud83d 😀\n', '\ufffd\n', 'b\ufffdc']);
  const { published } = await sent(
    "({ [Symbol.for('Jupyter.display')]: () => ({ 'text/plain': 'x\\ud800', 'application/json': { '\\ud800k': ['\\udfff'] } }) })",
  );
  expect(published[2].content.data).toEqual({
    'text/plain': 'x\ufffd',
    'application/json': { '\ufffdk': ['\ufffd'] },
  });
});

describe('results', () => {
  test('promises and timers do not expose the kernel', async () => {
    expect((await kernel.run('Promise.resolve(3)')).result).toBe('Promise { 3 }');
    expect((await kernel.run('[{ p: Promise.resolve(1) }]')).result).toBe(
      '[ { p: Promise { 1 } } ]',
    );
    for (const code of [
      'setTimeout(() => {}, 0)',
      'setImmediate(() => {})',
      "new (await import('node:async_hooks')).AsyncResource('x')",
      'console.log(new Promise(() => {}), setInterval(() => {}, 1e6).unref())',
    ]) {
      const { result = '', stdout } = await kernel.run(code);
      expect(result + stdout).not.toMatch(/msg_id|session|header|kResourceStore\)\]: \{/);
    }
  });

  test('text that is too long is truncated, with a note', async () => {
    const { result = '' } = await kernel.run("'x\\n'.repeat(1_500_000)");
    expect(result).toHaveLength(100_000 + '\n... 2,900,000 more characters'.length);
    expect(result.endsWith('\n... 2,900,000 more characters')).toBe(true);
  });

  test("errors that are results or printed have positions in cells, and none of the kernel's frames", async () => {
    const { result, reply } = await kernel.run("const make = () => new RangeError('r');\nmake()");
    const label = `[${reply.execution_count}]`;
    expect(result).toBe(`RangeError: r\n    at make (${label}:1:20)\n    at ${label}:2:1`);
    const printed = await kernel.run("await null;\nconsole.error(new TypeError('t'))");
    expect(printed.stderr).toBe(`TypeError: t\n    at [${printed.reply.execution_count}]:2:15\n`);
  });

  test('errors from files beside the notebook have positions in those files', async () => {
    writeFileSync(
      join(library.notebooks, 'thrower.ts'),
      'interface A { a: number }\nexport function thrown(): Error {\n  return new Error("in a file");\n}\n',
    );
    const { result } = await kernel.run("import { thrown } from './thrower';\nthrown().stack");
    expect(result).toContain('at thrown (thrower.ts:3:10)');
  });
});

test.each([
  ['%%time\n1 + 1', '"%%time" is an IPython magic'],
  ['%matplotlib inline', '"%matplotlib" is an IPython magic'],
  ['!ls -la', "execSync('ls -la'"],
  ['!ls', '"!ls" is an IPython magic'],
])('%j is an error that says what to do instead', async (code, message) => {
  const { reply } = await kernel.run(code);
  expect(reply.ename).toBe('CompileError');
  expect(reply.evalue).toContain(message);
  expect(reply.traceback.join('\n').split('IPython magic')).toHaveLength(2);
});

describe('output that bypasses process.stdout', () => {
  test('of file descriptors and child processes appears in the cell, in order', async () => {
    const { stdout, stderr } = await kernel.run(
      "import fs, { writeSync, writeFileSync } from 'node:fs'; import { execSync, spawnSync } from 'node:child_process';\n" +
        "writeSync(1, 'a'); console.log('b'); execSync('echo c; echo e >&2', { stdio: 'inherit' });\n" +
        "process.stdout.write('d\\n'); writeFileSync('/dev/stdout', 'f\\n'); spawnSync('echo', ['g'], { stdio: ['ignore', 1, 2] });\n" +
        "fs.writeSync(2, 'h'); fs.writeSync(1, new Uint8Array([88, 104, 105, 10]), 1, 3); fs.appendFileSync('/dev/fd/2', 'i'); await fs.promises.writeFile('/dev/stdout', 'j\\n');",
    );
    expect([stdout, stderr]).toEqual(['ab\nc\nd\nf\ng\nhi\nj\n', 'e\nhi']);
  });

  test('of child processes that run in parallel appears, too', async () => {
    writeFileSync(join(library.notebooks, 'child.js'), "console.log('forked');");
    const { stdout, stderr, result } = await kernel.run(
      "import { spawn, fork } from 'node:child_process'; import { once } from 'node:events';\n" +
        "const child = spawn('sh', ['-c', 'echo out; echo err >&2'], { stdio: 'inherit' }); const nothing = child.stdout;\n" +
        "await once(child, 'close'); await once(fork('./child.js'), 'close'); nothing",
    );
    expect([stdout, stderr, result]).toEqual(['out\nforked\n', 'err\n', 'null']);
  });

  test('that the cell reads itself does not appear', async () => {
    const { stdout, result } = await kernel.run(
      "import { execSync, spawnSync } from 'node:child_process'; [execSync('echo x').toString(), spawnSync('echo', ['y']).stdout.toString()]",
    );
    expect([stdout, result]).toEqual(['', "[ 'x\\n', 'y\\n' ]"]);
  });
});

describe('malformed traffic', () => {
  test('an unknown request is an error', async () => {
    const reply = await kernel.ask('debug_request', {});
    expect(reply).toMatchObject({ status: 'error', ename: 'KernelError' });
    expect(reply.evalue).toContain('"debug_request"');
    await expectAlive();
  });

  test.each(['5', 'null', '[]', '"text"', '{', '{}', '{"code": 5}', '{"code": null}'])(
    'an execute_request of %s is an error, and the kernel is idle again',
    async (content) => {
      const header = headerOf('execute_request');
      const { msg_id: id } = JSON.parse(header) as { msg_id: string };
      await sendRaw(connectionOf(kernel).shell_port, [header, '{}', '{}', content]);
      await kernel.seen(
        ({ about, content: { execution_state: state } }) => about === id && state === 'idle',
      );
      await expectAlive();
    },
  );

  test('the kernel survives other requests with odd contents', async () => {
    for (const type of ['complete_request', 'history_request', 'inspect_request']) {
      for (const content of ['5', '{"code": 5, "cursor_pos": "x"}', '{"pattern": 7}']) {
        const header = headerOf(type);
        await sendRaw(connectionOf(kernel).shell_port, [header, '{}', '{}', content]);
      }
    }
    await expectAlive();
  });

  test('the kernel and its heartbeat survive it on every port', async () => {
    const { hb_port: hb, iopub_port: iopub, stdin_port: stdin } = connectionOf(kernel);
    for (const port of [hb, iopub, stdin]) {
      for (const frames of [[''], ['', ''], ['a', 'b', 'c'], [Buffer.alloc(100_000)], ['\x02x']]) {
        const socket = new Dealer({ linger: 200 });
        socket.connect(`tcp://127.0.0.1:${port}`);
        await socket.send(frames);
        await sleep(20);
        socket.close();
      }
      const raw = connect(port, '127.0.0.1', () => raw.write('GET / HTTP/1.1\r\n\r\n'));
      raw.on('error', () => undefined);
      await sleep(50);
      raw.destroy();
    }
    expect(await kernel.beat()).toBe('ping');
    await expectAlive();
  });

  test('a repeated message is not run again', async () => {
    await kernel.run('let runs = 0;');
    const header = headerOf('execute_request');
    const parts = [header, '{}', '{}', JSON.stringify({ code: 'runs += 1', silent: true })];
    const port = connectionOf(kernel).shell_port;
    await sendRaw(port, parts);
    await sendRaw(port, parts);
    expect((await kernel.run('runs')).result).toBe('1');
    expect(kernel.log).toContain('was received twice');
  });

  test('a search of the history with many stars ends at once', async () => {
    await kernel.run(`'${'a'.repeat(20_000)}'; 0`);
    // With backtracking, it would exceed the test's timeout.
    const { history } = await kernel.ask('history_request', {
      hist_access_type: 'search',
      pattern: `${'*a'.repeat(30)}*b*c*d`,
      output: false,
      raw: true,
    });
    expect(history).toEqual([]);
  });
});

describe('connection files', () => {
  /** Starts a kernel with a changed connection file; returns its exit code and standard error. */
  async function start(change: object, waitMs = 0): Promise<{ code: number | null; log: string }> {
    const file = join(library.folder, `${randomUUID()}.json`);
    const given = JSON.parse(readFileSync(kernel.connectionFile, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...given, ...change }));
    const child = spawn(process.execPath, [library.main, file], { cwd: library.notebooks });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    const first = await Promise.race([ended, ...(waitMs > 0 ? [sleep(waitMs)] : [])]);
    if (first === undefined) child.kill('SIGKILL');
    return { code: first?.[0] ?? null, log };
  }

  test('with ports in use: exit code 1, one line', async () => {
    const { code, log } = await start({});
    expect(code).toBe(1);
    expect(log).toMatch(/^kernel: cannot open the sockets of the connection file: .*\n$/);
  });

  test('with a missing or unknown value', async () => {
    expect(await start({ key: 5 })).toMatchObject({ code: 1, log: /lacks key/ });
    expect(await start({ signature_scheme: 'hmac-nothing' })).toMatchObject({
      code: 1,
      log: /^kernel: .*"hmac-nothing"[^\n]*\n$/,
    });
  });

  test('without a key, the kernel listens to this machine only, with a warning', async () => {
    const free = { shell_port: 0, control_port: 0, stdin_port: 0, iopub_port: 0, hb_port: 0 };
    const { log } = await start({ ...free, key: '', ip: '0.0.0.0' }, 1500);
    expect(log).toContain('has no key');
    expect(log).toContain('listens on 127.0.0.1 instead of 0.0.0.0');
  });
});
