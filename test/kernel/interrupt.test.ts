import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheRoot } from '../../src/base/cache-root';
import type { Client, Message, Outcome } from './client';
import { compileLibrary } from './library';

const library = compileLibrary();
let kernel: Client;

beforeAll(async () => {
  kernel = await library.start();
  await kernel.run(
    "import { display } from 'cifar10-fast'; const begun = () => void display({ 'text/plain': 'begun' });" +
      'const kept = 41; const pause = (ms: number) => new Promise<void>((go) => setTimeout(go, ms));',
  );
}, 60_000);

afterAll(async () => {
  await kernel.stop();
  library.remove();
});

/** Starts a cell, and waits until it runs. */
async function begin(code: string): Promise<ReturnType<Client['begin']>> {
  const cell = kernel.begin(`begun(); ${code}`);
  await kernel.seen(({ about, type }) => about === cell.id && type === 'display_data');
  return cell;
}

/** Runs a cell and interrupts it after a while. */
async function interrupt(code: string, afterMs = 200, times = 1): Promise<Outcome> {
  const { done } = await begin(code);
  await sleep(afterMs);
  for (let time = 0; time < times; time++)
    expect(await kernel.interrupt()).toEqual({ status: 'ok' });
  return done;
}

/** Expects that the next cell runs, with the variables of earlier ones. */
async function expectAlive(): Promise<void> {
  expect((await kernel.run('kept + 1')).result).toBe('42');
}

describe('an interrupt stops', () => {
  test.each([
    ['a loop', 'while (true) {}'],
    ['a loop after an await', 'await null; for (;;);'],
    [
      'a loop that catches everything',
      'await null; do { try { for (const x of [1, 2]) JSON.stringify(x); } catch {} } while (true)',
    ],
    ['a loop in a function of an earlier cell', 'await null; spin()'],
    [
      'recursion after an await',
      'await null; const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2)); fib(80)',
    ],
    [
      'callbacks of an array after an await',
      'await null; const many = [...Array(1e5).keys()]; many.forEach(() => many.map((x) => x * 2))',
    ],
    ['a loop that awaits', "while (true) { console.log('tick'); await pause(20); }"],
    ['a loop that awaits what is there already', 'while (true) await null;'],
    [
      'a loop over an asynchronous generator',
      'async function* all() { while (true) { await pause(5); yield 1; } }\nfor await (const x of all()) x;',
    ],
    [
      'code of a library, at the start of a cell',
      "import { execFileSync } from 'node:child_process'; [...Array(1e9).keys()].map(String)",
    ],
    ['a promise that never resolves', 'await new Promise(() => undefined)'],
    ['an import that never ends', "await import('./never.mjs')"],
    [
      'several at once',
      'await Promise.all([1, 2, 3].map(async () => { for (;;) await pause(10); }))',
    ],
    [
      'a child process that is waited for',
      "import { execSync } from 'node:child_process'; execSync('sleep 60')",
    ],
    [
      'a child process that is awaited',
      "import { spawn } from 'node:child_process'; import { once } from 'node:events'; const child = spawn('sleep', ['60']); await once(child, 'exit')",
    ],
  ])('%s', async (name, code) => {
    if (name.includes('earlier cell')) await kernel.run('function spin(): void { for (;;); }');
    if (name.includes('import'))
      await kernel.run(
        "import { writeFileSync } from 'node:fs'; writeFileSync('never.mjs', 'await new Promise(() => {})')",
      );
    const { reply } = await interrupt(code);
    expect(reply).toMatchObject({
      status: 'error',
      ename: 'InterruptedError',
      evalue: 'Interrupted.',
    });
    await expectAlive();
  });

  test('child processes, not only the wait for them', async () => {
    await kernel.run("import { spawn } from 'node:child_process';");
    const { reply } = await interrupt(
      "const long = spawn('sleep', ['60']); await new Promise(() => undefined)",
    );
    expect(reply.status).toBe('error');
    await sleep(200);
    expect((await kernel.run('[long.exitCode, long.signalCode]')).result).toBe(
      "[ null, 'SIGINT' ]",
    );
  });
});

describe('after an interrupt', () => {
  test('the code has ended: it prints nothing more, in particular not into the next cell', async () => {
    const { reply } = await interrupt(
      "for (let i = 0; ; i++) { console.log('round', i); await pause(15); }",
    );
    expect(reply.status).toBe('error');
    await sleep(100);
    const count = kernel.published.length;
    await sleep(300);
    expect(kernel.published).toHaveLength(count);
    expect((await kernel.run('await pause(100); 5')).stdout).toBe('');
  });

  test('the cell may clean up first', async () => {
    const { published } = await interrupt(
      "try { await pause(200); await pause(60_000); } finally { await pause(50); console.log('cleaned up'); }",
      100,
    );
    expect(published.some(({ type }) => type === 'error')).toBe(true);
    const { content } = await kernel.seen(
      ({ type, content }) => type === 'stream' && /cleaned up/.test(content.text as string),
    );
    expect(content.text).toBe('cleaned up\n');
  });

  test('code that catches the interrupt is cut off after a while', async () => {
    const { reply } = await interrupt(
      'let rounds = 0; while (true) { try { await pause(20); rounds += 1; } catch { rounds += 1; } }',
    );
    expect(reply.ename).toBe('InterruptedError');
    await sleep(2600);
    const first = (await kernel.run('rounds')).result;
    await sleep(300);
    expect((await kernel.run('rounds')).result).toBe(first);
  });

  test('variables that the cell has declared so far exist', async () => {
    await interrupt('const half: number[] = [1, 2]; await pause(60_000); const other = 3;');
    expect((await kernel.run('half.length + kept')).result).toBe('43');
    expect((await kernel.run('other')).reply.evalue).toContain("Cannot find name 'other'");
  });

  test('cells queued behind it are aborted', async () => {
    const first = await begin('await pause(60_000)');
    const second = kernel.run('2');
    await sleep(300);
    await kernel.interrupt();
    expect((await first.done).reply.status).toBe('error');
    expect((await second).reply.status).toBe('aborted');
  });
});

describe('harmless', () => {
  test('two interrupts, or five', async () => {
    expect((await interrupt('while (true) {}', 300, 5)).reply.ename).toBe('InterruptedError');
    await expectAlive();
    expect((await interrupt('await pause(60_000)', 300, 2)).reply.ename).toBe('InterruptedError');
    await expectAlive();
  });

  test('one while nothing runs', async () => {
    await kernel.interrupt();
    await sleep(100);
    await kernel.interrupt();
    await expectAlive();
  });

  test('a listener for SIGINT in a cell', async () => {
    const { reply } = await interrupt("process.on('SIGINT', () => undefined); while (true) {}");
    expect(reply.ename).toBe('InterruptedError');
    await expectAlive();
    process.kill(kernel.process.pid ?? 0, 'SIGINT');
    await sleep(200);
    await expectAlive();
  });

  test('a signal of the operating system stops a cell, too', async () => {
    const { done } = await begin('await pause(60_000)');
    await sleep(600);
    process.kill(kernel.process.pid ?? 0, 'SIGINT');
    expect((await done).reply.ename).toBe('InterruptedError');
    await expectAlive();
  });
});

test('interrupts at any moment of a cell leave the kernel alive, with its variables', async () => {
  const cells = ['let y = 1', 'kept', 'for (;;);', 'await pause(60_000)', 'await null; for (;;);'];
  for (let round = 0; round < 40; round++) {
    const { done } = kernel.begin(cells[round % cells.length]);
    await sleep(Math.random() * 20);
    void kernel.interrupt();
    // An interrupt that arrives before the cell starts does not stop it.
    const again = setInterval(() => void kernel.interrupt(), 300);
    await done;
    clearInterval(again);
  }
  await expectAlive();
}, 120_000);

describe('interruptSignal', () => {
  beforeAll(async () => {
    await kernel.run("import { interruptSignal } from 'cifar10-fast';");
  });

  test('lets a cell end by itself, with a value', async () => {
    const { reply, result } = await interrupt(
      'const signal = interruptSignal(); let steps = 0; while (!signal.aborted) { await pause(30); steps += 1; }\n' +
        '[steps > 3, (signal.reason as Error).name, interruptSignal() === signal]',
    );
    expect(reply.status).toBe('ok');
    expect(result).toBe("[ true, 'InterruptedError', true ]");
    await expectAlive();
    expect((await kernel.run('interruptSignal().aborted')).result).toBe('false');
  });

  test('a cell that has shown its error fails without a traceback, another one with it', async () => {
    const mark = "{ [Symbol.for('cifar10-fast.shown')]: true }";
    const shown = await kernel.run(`throw Object.assign(new Error('stopped'), ${mark});`);
    expect(shown.reply).toMatchObject({ status: 'error', evalue: 'stopped' });
    expect(shown.published.map(({ type }) => type)).not.toContain('error');
    const plain = await kernel.run("throw new Error('stopped');");
    expect(plain.reply).toMatchObject({ status: 'error', evalue: 'stopped' });
    expect(plain.published.map(({ type }) => type)).toContain('error');
  });

  test('gives the cell time, with a message, until a second interrupt', async () => {
    const { id, done } = await begin('interruptSignal(); await pause(60_000)');
    await sleep(200);
    await kernel.interrupt();
    await kernel.seen(
      ({ about, type, content }) => about === id && type === 'stream' && content.name === 'stderr',
    );
    await kernel.interrupt();
    const { reply, stderr } = await done;
    expect(stderr).toBe('Stopping after the current step; interrupt again to stop immediately.\n');
    expect(reply.ename).toBe('InterruptedError');
    await expectAlive();
  });

  test('while no cell runs, stops what an earlier cell has left running', async () => {
    await kernel.run(
      'let beats = 0; const other = interruptSignal(); void (async () => { while (!other.aborted) { await pause(20); beats += 1; } })();',
    );
    expect((await interrupt('await pause(60_000)', 200)).reply.status).toBe('error');
    expect((await kernel.run('other.aborted')).result).toBe('false');
    await kernel.interrupt();
    await sleep(200);
    const { result } = await kernel.run('beats');
    await sleep(200);
    expect((await kernel.run('[beats, other.aborted]')).result).toBe(`[ ${result}, true ]`);
  });

  // Set-up fetches CIFAR-10; without it there is nothing to train on.
  test.skipIf(!existsSync(cacheRoot()))('ends training after the current step', async () => {
    const client = await library.start({ env: { CIFAR10_FAST_CACHE: cacheRoot() } });
    await client.run(
      "import { findExperiment, overridden, scaled, trainLive } from 'cifar10-fast'; const before = 1;",
    );
    // A small network that would train for minutes.
    const { id, done } = client.begin(
      "const long = overridden(scaled(findExperiment('demo'), 'smoke'), 'run.epochs', 1000);\n" +
        "const runs = await trainLive(long, { logDir: 'runs' });",
    );
    // Progress is redrawn once a second and after each epoch; the first time before training starts.
    const drawn: Message[] = [];
    await client.seen((message) => {
      const { about, type } = message;
      if (about === id && type === 'update_display_data') drawn.push(message);
      return drawn.length > 4;
    });
    await client.interrupt();
    const { reply } = await done;
    expect(reply).toMatchObject({ status: 'error', ename: 'InterruptedError' });
    expect((await client.run('before')).result).toBe('1');
    await client.stop();
  });
});
