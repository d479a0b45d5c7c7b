import { join, sep } from 'node:path';
import { inspect } from 'node:util';
import { CompileError } from './compiler';
import type { Place } from './compiler';
import { ownRoot } from './typescript';

/** An error as a client shows it. */
export interface ErrorReport {
  readonly ename: string;
  readonly evalue: string;
  /** Its lines. */
  readonly traceback: readonly string[];
}

/** Finds the cell that a frame of a stack belongs to; see `Executor.locate`. */
export type Locate = (
  file: string,
  place: Place,
) => { readonly label: string; readonly place: Place; readonly source: string } | undefined;

interface Frame {
  /** As it is printed. */
  readonly text: string;
  /** Set if it is in a cell. */
  readonly at: { readonly place: Place; readonly source: string } | undefined;
}

/**
 * Describes what a cell threw: its message once, the line of the cell, and the frames that its author can do something
 * about. Frames of Node, of TensorFlow and of the kernel are left out; of errors of the library, whose messages say what
 * to do, all that are not in cells.
 *
 * @param label of the cell, as in `[3]`
 * @param source the cell
 */
export function reportError(
  error: unknown,
  label: string,
  source: string,
  locate: Locate,
): ErrorReport {
  if (error instanceof CompileError) return reportFaults(error, label, source);
  if (!isError(error)) {
    const evalue = typeof error === 'string' ? error : inspect(error);
    return { ename: 'Error', evalue, traceback: [`Thrown, and not an error: ${evalue}`] };
  }
  const ename = error.name === '' ? 'Error' : error.name;
  const frames = framesOf(error, locate);
  const shown = isActionable(error) ? frames.filter(({ at }) => at !== undefined) : frames;
  const place = shown.find(({ at }) => at !== undefined)?.at;
  return {
    ename,
    evalue: error.message,
    traceback: [
      ...`${ename}: ${error.message}`.split('\n'),
      ...(place === undefined ? [] : excerpt(place.source, place.place)),
      ...shown.map(({ text }) => text),
      ...detailsOf(error),
      ...causesOf(error, locate),
    ],
  };
}

function reportFaults(error: CompileError, label: string, source: string): ErrorReport {
  const lines = error.faults.flatMap(({ line, column, end, message, code, file }) => [
    `${message} (TS${code})`,
    ...(file === undefined ? excerpt(source, { line, column }, end) : []),
    `    at ${file ?? label}:${line}:${column}`,
    ...(code === 2307 ? installHint(message) : []),
  ]);
  return {
    ename: error.name,
    evalue: error.message,
    traceback: [`${error.name}: ${lines[0]}`, ...lines.slice(1)],
  };
}

/** How to come by a package that is missing. */
function installHint(message: string): string[] {
  const [, name] = /module '((?:@[^'/]+\/)?[^'./@][^'/]*)/.exec(message) ?? [];
  return name === undefined || name.startsWith('node:')
    ? []
    : [`  Install it in the notebook's folder or above it: npm install ${name}`];
}

/** The line, and a mark below the place. */
function excerpt(source: string, { line, column }: Place, end?: Place): string[] {
  const text = source.split('\n')[line - 1];
  if (text === undefined) return [];
  const number = `  ${line} | `;
  const width = end?.line === line ? Math.max(1, end.column - column) : 1;
  const blank = text.slice(0, column - 1).replaceAll(/\S/g, ' ');
  return [`${number}${text}`, `${' '.repeat(number.length)}${blank}${'^'.repeat(width)}`];
}

/** Also an error of another context, as of a script run by a test. */
function isError(error: unknown): error is Error {
  return Object.prototype.toString.call(error) === '[object Error]' || error instanceof Error;
}

/** Whether its class is one of the library's, in whichever copy of it. */
function isActionable(error: Error): boolean {
  for (let at: unknown = error; at !== null; at = Object.getPrototypeOf(at)) {
    if ((at as Error).constructor?.name === 'Cifar10FastError') return true;
  }
  return false;
}

const kernelFolder = `${join(ownRoot, 'dist/kernel')}${sep}`;
const hidden = [
  /\(<anonymous>\)$|at <anonymous>$|[ (]node:|evalmachine\.<anonymous>/,
  /[\\/]node_modules[\\/](?:tslab|@tslab|typescript|zeromq|@tensorflow)[\\/]/,
];

function isHidden(line: string): boolean {
  return line.includes(kernelFolder) || hidden.some((one) => one.test(line));
}

function framesOf(error: Error, locate: Locate): Frame[] {
  const stack = typeof error.stack === 'string' ? error.stack : '';
  const lines = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return lines.flatMap((line): Frame[] => {
    const [, isAsync = '', name, file, row, column] =
      /^\s+at (async )?(?:(.*?) \()?(jupyter-cell:\d+):(\d+):(\d+)\)?$/.exec(line) ?? [];
    if (file === undefined) {
      if (isHidden(line)) return [];
      return [{ text: `    ${line.trim()}`, at: undefined }];
    }
    const found = locate(file, { line: Number(row), column: Number(column) });
    if (found === undefined) return [];
    const { label, source } = found;
    const place = beginningOf(source, found.place);
    const where = `${label}:${place.line}:${place.column}`;
    const text = `    at ${isAsync}${name === undefined ? where : `${name.replace(/^Object\./, '')} (${where})`}`;
    return [{ text, at: { place, source } }];
  });
}

/** The name that is called, where V8 names the bracket after it. */
function beginningOf(source: string, { line, column }: Place): Place {
  const text = source.split('\n')[line - 1] ?? '';
  const [name] = (text[column - 1] === '(' && /[\w$]+$/.exec(text.slice(0, column - 1))) || [''];
  return { line, column: column - name.length };
}

/** What an error carries beside its message: an errno, an exit code. */
function detailsOf(error: Error): string[] {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && !error.message.includes(code) ? [`    code: ${code}`] : [];
}

/** The chain of causes; one that the message above quotes already is not said again. */
function causesOf(error: Error, locate: Locate, told: readonly unknown[] = [error]): string[] {
  const { cause } = error;
  // A chain may be a ring.
  if (cause === undefined || error.name === 'InterruptedError' || told.includes(cause)) return [];
  if (!isError(cause)) return [`  caused by: ${inspect(cause)}`];
  if (error.message.includes(cause.message)) return [];
  return [
    `  caused by: ${cause.name}: ${cause.message}`,
    ...(isActionable(error) ? [] : framesOf(cause, locate).map(({ text }) => `  ${text}`)),
    ...causesOf(cause, locate, [...told, cause]),
  ];
}
