import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

const open =
  "import * as readline from 'node:readline/promises'; const rl = readline.createInterface({ input: process.stdin, output: process.stdout });";
const read = `${open} const name = await rl.question('name? '); rl.close();`;
const later = 'await new Promise((done) => setTimeout(done, 300));';
const allowed = { allow_stdin: true };

test('is requested if the client allows it', async () => {
  const { done } = kernel.begin(`${read} name`, allowed);
  const question = await kernel.asked();
  expect(question.content).toEqual({ prompt: '', password: false });
  kernel.answer('Ada');
  const { result, stdout } = await done;
  expect([result, stdout]).toEqual(["'Ada'", 'name? ']);
});

test('is an error otherwise, and the next cell may ask', async () => {
  const { reply } = await kernel.run(read);
  expect(reply.evalue).toContain('this client does not allow input requests');
  const { done } = kernel.begin(`${read} name`, allowed);
  await kernel.asked();
  kernel.answer('Bob');
  expect((await done).result).toBe("'Bob'");
});

test.each([
  ['a question', read],
  [
    'an event',
    "const name = await new Promise((done) => process.stdin.once('data', (line) => { process.stdin.pause(); done(String(line).trim()); }));",
  ],
  [
    'an iterator',
    'let name; for await (const line of process.stdin) { name = String(line).trim(); break; }',
  ],
])('is requested once by %s, however long the cell runs after the answer', async (_, code) => {
  const { done } = kernel.begin(`${code} ${later} name`, allowed);
  await kernel.asked();
  kernel.answer('Bob');
  expect((await done).result).toBe("'Bob'");
  expect(kernel.unanswered).toEqual([]);
});

test('is requested for each of two questions', async () => {
  const { done } = kernel.begin(
    `${open} const names = [await rl.question('a? '), await rl.question('b? ')]; rl.close(); ${later} names`,
    allowed,
  );
  for (const name of ['Ada', 'Bob']) {
    await kernel.asked();
    kernel.answer(name);
  }
  const { result, stdout } = await done;
  expect([result, stdout]).toEqual(["[ 'Ada', 'Bob' ]", 'a? b? ']);
  expect(kernel.unanswered).toEqual([]);
});

test('is requested by a question in a later cell than the one that opened the reader', async () => {
  await kernel.run(open, allowed);
  await sleep(100);
  expect(kernel.unanswered).toEqual([]);
  for (const name of ['Ada', 'Bob']) {
    const { done } = kernel.begin(`await rl.question('${name}? ')`, allowed);
    await kernel.asked();
    kernel.answer(name);
    const { result, stdout } = await done;
    expect([result, stdout]).toEqual([`'${name}'`, `${name}? `]);
  }
  await kernel.run('rl.close()');
});

test('is requested by a cell after background work has read while no cell ran', async () => {
  await kernel.run("setTimeout(() => process.stdin.once('data', () => undefined), 50);", allowed);
  await sleep(200);
  expect(kernel.unanswered).toEqual([]);
  await expect(kernel.run('6 * 7')).resolves.toMatchObject({ result: '42' });
  const { done } = kernel.begin(`${read} name`, allowed);
  await kernel.asked();
  kernel.answer('Bob');
  expect((await done).result).toBe("'Bob'");
});
