import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cliIn, linkLibrary } from './cli-process';
import type { Outcome } from './cli-process';
import { isBusy, smoke } from './cli-training';

/** The output of the command line on a terminal. */
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-cli-terminal-'));
const { main, run } = cliIn(scratch);
const long = 180_000;

/** Runs the command line on a terminal; `stdout` is everything that the terminal was sent. */
function onTerminal(
  columns: number,
  interruptAt: string,
  args: readonly string[],
): Promise<Outcome> {
  const driver = join(__dirname, 'terminal.py');
  return run('python3', [driver, String(columns), interruptAt, process.execPath, main, ...args]);
}

/** What a terminal finally shows after it was sent this. Knows only the sequences that the display uses. */
function screen(sent: string): string[] {
  const lines = [''];
  let column = 0;
  // eslint-disable-next-line no-control-regex
  for (const [piece] of sent.matchAll(/\x1b\[2K|\r|\n|[^\x1b\r\n]+|\x1b/g)) {
    const last = lines.length - 1;
    if (piece === '\r') column = 0;
    else if (piece === '\n') lines.push('');
    else if (piece === '\x1b[2K') lines[last] = '';
    else if (piece === '\x1b') throw new Error(`an unknown escape in ${JSON.stringify(sent)}`);
    else {
      const before = lines[last].padEnd(column);
      lines[last] = before.slice(0, column) + piece + before.slice(column + piece.length);
      column += piece.length;
    }
  }
  return lines.map((line) => line.trimEnd());
}

beforeAll(() => linkLibrary(scratch), long);

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// eslint-disable-next-line no-control-regex
const live = /\r\x1b\[2K([^\r\n\x1b]+?)(?:\^C)?(?=\r\x1b)/g;
/** Every live line: what was shown and then erased. */
const liveLines = (sent: string): string[] => [...sent.matchAll(live)].map((match) => match[1]);

test(
  'a successful run leaves its output and no trace of the live line',
  async () => {
    const runs = join(scratch, 'terminal');
    const { code, stdout } = await onTerminal(130, '', smoke(runs));
    expect(code).toBe(0);
    const reading = liveLines(stdout).filter((line) => line.startsWith('CIFAR-10: read '));
    expect(reading).not.toEqual([]);
    const shown = screen(stdout);
    expect(shown[0]).toMatch(/^demo, smoke scale: /);
    expect(shown.slice(4).filter((line) => !isBusy(line))).toEqual([
      expect.stringMatching(/^ {7}epoch {11}lr /),
      expect.stringMatching(/^ {11}1 ( +[\d.]+){8}$/),
      expect.stringMatching(/^ {11}2 ( +[\d.]+){8}$/),
      '',
      expect.stringMatching(/^test accuracy /),
      expect.stringMatching(/^kept in /),
      expect.stringMatching(/^next: /),
      '',
    ]);
  },
  long,
);

test(
  'training shows images per second, loss, accuracy and time left; Ctrl-C erases the line',
  async () => {
    const runs = join(scratch, 'terminal-interrupted');
    const args = ['train', 'demo', '--scale', 'pocket', '--log-dir', runs];
    const { code, stdout } = await onTerminal(80, 'img/s.* left', args);
    expect(code).toBe(130);
    const lines = liveLines(stdout);
    expect(lines.find((line) => line.startsWith('epoch'))).toMatch(
      /^epoch 1\/4 {2}\[=*>\.*\] {2} *\d+ % {2}[\d,.]+ img\/s {2}loss \d+\.\d{4} {2}acc \d+\.\d\d % {2}(\d+:\d\d|\d+:\d\d h) left$/,
    );
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(80);
    const folder = join(runs, 'demo-pocket-0');
    const shown = screen(stdout);
    expect(shown.slice(-4)).toEqual([
      '',
      'Stopping after this step; press Ctrl-C again to stop immediately.',
      expect.stringMatching(
        new RegExp(
          String.raw`^train: stopped in epoch 1, before step \d+ of 97 \(train\)\. (Everything trained so far is kept|Nothing was trained yet)\. ` +
            `Resume with: npx cifar10-fast train --resume ${folder}$`,
        ),
      ),
      '',
    ]);
    expect(shown.join('\n')).not.toMatch(/img\/s|\^C/);
  },
  long,
);

test('a terminal of unknown width is treated as one of 80 columns', async () => {
  const { code, stdout } = await onTerminal(0, '', ['data']);
  expect(code).toBe(0);
  const lines = liveLines(stdout);
  expect(lines).not.toEqual([]);
  expect(lines.every((line) => line.startsWith('CIFAR-10: read ') && line.length < 80)).toBe(true);
  expect(screen(stdout)).toEqual([
    expect.stringMatching(/^CIFAR-10: 50000 training and 10000 test images, verified, in \//),
    '',
  ]);
});
