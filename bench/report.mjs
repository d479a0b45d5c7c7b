// Formats measurements, and saves them.
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/**
 * Appends rows to bench/measured/NAME.tsv, with a header if the file is new; `columns` gives the order. Git ignores that
 * folder; `npm run bench:keep` moves its rows to bench/results.
 */
export function keepRows(name, columns, rows) {
  const path = join(here, `measured/${name}.tsv`);
  mkdirSync(dirname(path), { recursive: true });
  const lines = rows.map((row) => columns.map((column) => String(row[column] ?? '')).join('\t'));
  if (!existsSync(path)) lines.unshift(columns.join('\t'));
  appendFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

/** The measured Git revision, with a plus if tracked files differ from it; empty outside of a checkout. */
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

/** Date and time in UTC, as in 2026-11-23 14:05. */
export function now() {
  return new Date().toISOString().slice(0, 16).replace('T', ' ');
}

/** Formats cells as a table, the first column left-aligned and the others right-aligned. */
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

/** A number with at least `digits` significant digits; a dash if it is missing or NaN. */
export function figure(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return '-';
  return Math.abs(value) >= 10 ** (digits - 1) ? value.toFixed(0) : value.toPrecision(digits);
}

/** Shows progress in one line of standard error if that is a terminal; `done()` clears the line. */
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
