import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from './client';
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

describe('from start to end', () => {
  test('history: tail, range and search, kept across restarts of the kernel', async () => {
    const env = { CIFAR10_FAST_CACHE: join(library.folder, 'history') };
    const ask = async (client: Client, content: object): Promise<unknown> =>
      (await client.ask('history_request', { output: false, raw: true, ...content })).history;
    const first = await library.start({ env });
    await first.run('const one = 1');
    await first.run('one + 1');
    await first.run('one + 1');
    await first.run('silently', { silent: true });
    await first.stop();

    const second = await library.start({ env });
    expect(await ask(second, { hist_access_type: 'tail', n: 2 })).toEqual([
      [1, 2, 'one + 1'],
      [1, 3, 'one + 1'],
    ]);
    const range = { hist_access_type: 'range', start: 1, stop: 3 };
    expect(await ask(second, { ...range, session: 0 })).toEqual([]);
    expect(await ask(second, { ...range, session: -1 })).toHaveLength(2);
    await second.run("'b'");
    expect(await ask(second, { hist_access_type: 'tail', n: 2 })).toEqual([
      [1, 3, 'one + 1'],
      [2, 1, "'b'"],
    ]);
    expect(await ask(second, { ...range, session: 0 })).toEqual([[2, 1, "'b'"]]);
    expect(await ask(second, { ...range, session: -1 })).toEqual([
      [1, 1, 'const one = 1'],
      [1, 2, 'one + 1'],
    ]);
    const search = { hist_access_type: 'search', pattern: '*one*', n: 10 };
    expect(await ask(second, search)).toHaveLength(3);
    expect(await ask(second, { ...search, unique: true })).toEqual([
      [1, 1, 'const one = 1'],
      [1, 3, 'one + 1'],
    ]);
    expect(await ask(second, { ...search, output: true, n: 1 })).toEqual([
      [1, 3, ['one + 1', null]],
    ]);
    await second.stop();
  });

  test.each([
    ['nothing runs', '1'],
    ['a timer runs', 'setInterval(() => undefined, 1000)'],
    ['a cell awaits', 'await new Promise(() => undefined)'],
    ['a cell computes', 'for (;;);'],
  ])('shutdown while %s', async (_, code) => {
    const client = await library.start();
    client.begin(code);
    await sleep(code === '1' ? 300 : 800);
    const ended = once(client.process, 'exit');
    const reply = await client.ask('shutdown_request', { restart: true }, 'control');
    expect(reply).toEqual({ status: 'ok', restart: true });
    await ended;
    client.disconnect();
  });

  test('output of a cell that ends the process arrives', async () => {
    const client = await library.start();
    const { id } = client.begin("console.log('last words'); process.exit(3)");
    const [code] = (await once(client.process, 'exit')) as [number];
    const { content } = await client.seen(({ about, type }) => about === id && type === 'stream');
    expect([code, content.text]).toEqual([3, 'last words\n']);
    client.disconnect();
  });

  test.each([
    ['works', 2500],
    ['starts', 0],
  ])('a kernel dies with the client that started it, also while it %s', async (what, wait) => {
    const pidFile = join(library.folder, `pid-${what}`);
    const connection = join(library.folder, `connection-${what}.json`);
    writeFileSync(
      connection,
      readFileSync(kernel.connectionFile, 'utf8').replaceAll(
        /_port": ?\d+/g,
        (text) => `${text.replace(/\d+$/, '')}0`,
      ),
    );
    const program = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, [${JSON.stringify(library.main)}, ${JSON.stringify(connection)}], {
        stdio: 'ignore', detached: true, env: { ...process.env, JPY_PARENT_PID: String(process.pid) },
      });
      require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['-e', program]);
    while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await sleep(50);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await sleep(wait);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    parent.kill('SIGKILL');
    for (let tries = 0; existsSync(`/proc/${pid}`) && tries < 150; tries++) await sleep(100);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  test('a connection file that cannot be read is an error', async () => {
    const child = spawn(process.execPath, [library.cli, 'kernel', 'run', '/nowhere.json']);
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(1);
    expect(said).toMatch(
      /^cifar10-fast: kernel: the connection file \/nowhere\.json cannot be read: .*ENOENT/,
    );
  });
});
