// What is printed and what is kept of a measurement.
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/**
 * Appends rows to bench/measured/NAME.tsv, with a header where the file is new; `columns` in the order of the file. Git
 * ignores that folder: `npm run bench:keep` moves what is worth keeping into bench/results.
 */
export function keepRows(name, columns, rows) {
  const path = join(here, `measured/${name}.tsv`);
  mkdirSync(dirname(path), { recursive: true });
  const lines = rows.map((row) => columns.map((column) => String(row[column] ?? '')).join('\t'));
  if (!existsSync(path)) lines.unshift(columns.join('\t'));
  appendFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

/** The revision that is measured, with a plus where files differ from it; empty outside of a checkout. */
export function revision() {
  const git = (...args) =>
    execFileSync('git', args, {
      cwd: here,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const isChanged = git('status', '--porcelain', '--untracked-files=no', '..') !== '';
    return git('rev-parse', '--short', 'HEAD') + (isChanged ? '+' : '');
  } catch {
    return '';
  }
}

/** Today, as in 2026-11-23 14:05. */
export function now() {
  return new Date().toISOString().slice(0, 16).replace('T', ' ');
}

/** Cells as a table: the first column to the left, the others to the right. */
export function table(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A number with as many digits as are worth reading; a dash where there is none. */
export function figure(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return '-';
  return Math.abs(value) >= 10 ** (digits - 1) ? value.toFixed(0) : value.toPrecision(digits);
}

/** Says on standard error what is being done, in place on a terminal; `done()` takes it away. */
export function makeSay() {
  const { stderr } = process;
  const say = (text) => {
    if (stderr.isTTY) stderr.write(`\r\u001b[2K${text}`);
  };
  return Object.assign(say, {
    done: () => {
      if (stderr.isTTY) stderr.write('\r\u001b[2K');
    },
  });
}
