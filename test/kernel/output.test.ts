import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Subscriber } from 'zeromq';
import type { Client, Message } from './client';
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

const typesOf = (published: readonly Message[]): string[] =>
  published.map(({ type, content }) =>
    type === 'status' ? (content.execution_state as string) : type,
  );

/** Peak memory of the process, in MB. */
function peakOf({ process: { pid } }: Client): number {
  const [, kB] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kB) / 1024;
}

/** A cell that computes without a pause until `end` is called, and now and then runs `sometimes`. */
function computing(sometimes = ''): { readonly code: string; readonly end: () => void } {
  const file = join(library.folder, 'end-of-cell');
  rmSync(file, { force: true });
  const loop = `while (!fs.existsSync(${JSON.stringify(file)})) if (Math.random() > 0.99) { ${sometimes} }`;
  return {
    code: `{ const fs = await import('node:fs'); ${loop} }`,
    end: () => writeFileSync(file, ''),
  };
}
describe('output', () => {
  test('consecutive pieces of text are sent as one, in order with other messages', async () => {
    const { published, stdout } = await kernel.run(
      "import { display } from 'cifar10-fast'; for (let i = 0; i < 500; i++) console.log(i);\n" +
        "console.error('e'); display({ 'text/plain': 'd' }); process.stdout.write('é'); console.log();",
    );
    const streams = published.filter(({ type }) => type === 'stream');
    expect(streams.length).toBeLessThan(50);
    expect(
      typesOf(published).filter((type, i, all) => type !== 'stream' || type !== all[i - 1]),
    ).toEqual('busy execute_input stream display_data stream idle'.split(' '));
    expect(stdout).toBe(`${Array.from({ length: 500 }, (_, i) => `${i}\n`).join('')}é\n`);
  });

  test('text appears while a cell computes', async () => {
    const { code, end } = computing("process.stdout.write('.');");
    const { id, done } = kernel.begin(`console.log('now'); ${code}`);
    await kernel.seen(({ about, type }) => about === id && type === 'stream');
    end();
    expect((await done).reply.status).toBe('ok');
  });

  test('bytes of a split character are joined', async () => {
    const { stdout } = await kernel.run(
      "const bytes = Buffer.from('ä€😀'); for (const byte of bytes) process.stdout.write(new Uint8Array([byte]));",
    );
    expect(stdout).toBe('ä€😀');
  });

  test('late output of a cell goes to that cell', async () => {
    const first = kernel.begin("setTimeout(() => console.log('from the first'), 150);");
    await first.done;
    const second = await kernel.run('await new Promise((go) => setTimeout(go, 400)); 2');
    expect(second.stdout).toBe('');
    const late = await kernel.seen(({ about, type }) => about === first.id && type === 'stream');
    expect(late.content.text).toBe('from the first\n');
  });

  test('bundles, their updates and clear_output', async () => {
    const { published, result } = await kernel.run(
      "import { clearOutput, display } from 'cifar10-fast';\n" +
        "const view = display({ 'image/png': new Uint8Array([1, 2]), 'application/json': { a: 1 }, 'text/plain': 'p' }, { metadata: { 'image/png': { width: 5 } } });\n" +
        "clearOutput({ wait: true });\ndisplay({ 'text/plain': 'q' }, { update: view })",
    );
    const [shown, cleared, updated] = published.slice(2);
    expect(shown).toMatchObject({
      type: 'display_data',
      content: {
        data: { 'image/png': 'AQI=', 'application/json': { a: 1 }, 'text/plain': 'p' },
        metadata: { 'image/png': { width: 5 } },
      },
    });
    expect(cleared).toMatchObject({ type: 'clear_output', content: { wait: true } });
    expect(updated).toMatchObject({
      type: 'update_display_data',
      content: { data: { 'text/plain': 'q' } },
    });
    expect(updated.content.transient).toEqual(shown.content.transient);
    // The handle is not shown at the end of the cell.
    expect(result).toBeUndefined();
    const wrong = await kernel.run("display({ 'text/plain': 5 })");
    expect(wrong.reply.evalue).toBe("Type 'number' is not assignable to type 'string'.");
    const circular = await kernel.run(
      "const ring: { own?: object } = {}; ring.own = ring; display({ 'application/json': ring })",
    );
    expect(circular.reply.evalue).toContain('circular');
  });

  test("tslab's own display still works", async () => {
    const { published } = await kernel.run(
      "import { display as show, newDisplay } from 'tslab'; show.html('<b>b</b>'); const d = newDisplay(); d.text('1'); d.text('2');",
    );
    expect(typesOf(published).slice(2, -1)).toEqual([
      'display_data',
      'display_data',
      'update_display_data',
    ]);
  });
});

describe('many messages', () => {
  test('20,000 lines and 5,000 updates of one loop all arrive, in bounded memory', async () => {
    await kernel.run("import { display } from 'cifar10-fast';");
    const before = peakOf(kernel);
    const { published, stdout, reply } = await kernel.run(
      "const view = display({ 'text/plain': 'begin' });\n" +
        'for (let i = 0; i < 20_000; i++) {\n' +
        "  console.log('line', i);\n" +
        "  if (i % 4 === 0) display({ 'text/plain': String(i), 'text/html': '<p>'.repeat(500) }, { update: view });\n" +
        '}',
    );
    expect(reply.status).toBe('ok');
    expect(stdout).toBe(Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join(''));
    const updates = published.filter(({ type }) => type === 'update_display_data');
    expect(updates.map(({ content }) => content.data['text/plain'] as string)).toEqual(
      Array.from({ length: 5000 }, (_, i) => String(4 * i)),
    );
    // The garbage collectors of Node 24 and 26 run later: 149 and 227 MB there.
    const isOld = Number.parseInt(process.versions.node, 10) < 24;
    expect(peakOf(kernel) - before).toBeLessThan(isOld ? 120 : 300);
  });

  test('the kernel waits for a slow client, which receives everything; memory stays below the data', async () => {
    const address = kernel.address('iopub');
    const slow = new Subscriber({ receiveHighWaterMark: 20, linger: 0 });
    slow.connect(address);
    slow.subscribe();
    await kernel.run('1');
    await sleep(300);
    const before = peakOf(kernel);
    const { id, done } = kernel.begin(
      "const big = 'x'.repeat(100_000); for (let i = 0; i < 5000; i++) display({ 'text/plain': big }, { update: view });",
    );
    let isDone = false;
    void done.then(() => {
      isDone = true;
    });
    await sleep(2500);
    expect(isDone).toBe(false);
    let count = 0;
    for await (const frames of slow) {
      const [, header, parent] = frames.slice(frames.findIndex((frame) => frame.length === 9) + 1);
      if (!String(parent).includes(id)) continue;
      if (String(header).includes('"update_display_data"')) count += 1;
      if (String(frames.at(-1)).includes('idle')) break;
    }
    slow.close();
    expect(count).toBe(5000);
    expect((await done).reply.status).toBe('ok');
    // 500 MB were sent.
    expect(peakOf(kernel) - before).toBeLessThan(200);
  });

  test('a client that never reads does not block others for long', async () => {
    const deaf = new Subscriber({ receiveHighWaterMark: 20, linger: 0 });
    deaf.connect(kernel.address('iopub'));
    deaf.subscribe();
    await kernel.run('1');
    await sleep(300);
    const { reply, published } = await kernel.run(
      "for (let i = 0; i < 4000; i++) display({ 'text/plain': big }, { update: view });",
    );
    deaf.close();
    expect(reply.status).toBe('ok');
    expect(published.filter(({ type }) => type === 'update_display_data')).toHaveLength(4000);
    // A busy machine takes five times as long.
  }, 180_000);
});
