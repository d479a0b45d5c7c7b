import { CompileError } from './compiler';
import { describe, shorten } from './represent';
import type { Place } from './source-places';
import { framesOf } from './stack';
import type { Frame, Locate } from './stack';

/** An error as a client shows it. */
export interface ErrorReport {
  readonly ename: string;
  readonly evalue: string;
  /** Its lines. */
  readonly traceback: readonly string[];
}

/** How many errors of an AggregateError are shown. */
const mostErrors = 10;

/**
 * Describes what a cell threw: its message once, the line of the cell, and the frames that its author can act on. Frames of
 * Node, TensorFlow and the kernel are omitted. An error of the library, whose message says what to do, keeps only the
 * frames in cells.
 *
 * Never throws, even if reading the error does.
 *
 * @param label of the cell, such as `[3]`
 * @param source of the cell
 */
export function reportError(
  error: unknown,
  label: string,
  source: string,
  locate: Locate,
): ErrorReport {
  if (isError(error) && error instanceof CompileError) {
    return reportFaults(error, label, source);
  }
  if (!isError(error)) {
    const evalue = shorten(typeof error === 'string' ? error : describe(error));
    return { ename: 'Error', evalue, traceback: [`The thrown value is not an Error: ${evalue}`] };
  }
  const ename = nameOf(error);
  const evalue = messageOf(error);
  const shown = shownFrames(error, locate);
  const place = shown.find(({ at }) => at !== undefined)?.at;
  return {
    ename,
    evalue,
    traceback: [
      ...`${ename}: ${evalue}`.split('\n'),
      ...(place === undefined ? [] : excerpt(place.source, place.place)),
      ...shown.map(({ text }) => `    at ${text}`),
      ...detailsOf(error, evalue),
      ...innerErrors(error, evalue, locate, [error]),
    ],
  };
}

function reportFaults(error: CompileError, label: string, source: string): ErrorReport {
  const lines = error.faults.flatMap(({ line, column, end, message, code, file, hint }) => [
    `${message} (TS${code})`,
    ...(file === undefined ? excerpt(source, { line, column }, end) : []),
    `    at ${file ?? label}:${line}:${column}`,
    ...(hint === undefined ? [] : [`  ${hint}`]),
  ]);
  return {
    ename: error.name,
    evalue: error.message,
    traceback: [`${error.name}: ${lines[0]}`, ...lines.slice(1)],
  };
}

/** The line, and carets below the place. */
function excerpt(source: string, { line, column }: Place, end?: Place): string[] {
  const text = source.split('\n')[line - 1];
  if (text === undefined) return [];
  const number = `  ${line} | `;
  const width = end?.line === line ? Math.max(1, end.column - column) : 1;
  const blank = text.slice(0, column - 1).replaceAll(/\S/g, ' ');
  return [`${number}${text}`, `${' '.repeat(number.length)}${blank}${'^'.repeat(width)}`];
}

/** A property of an error; `undefined` if it is missing or reading it throws. */
function partOf(error: object, name: string): unknown {
  try {
    return (error as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

function nameOf(error: object): string {
  const name = partOf(error, 'name');
  return typeof name === 'string' && name !== '' ? name : 'Error';
}

function messageOf(error: object): string {
  const message = partOf(error, 'message');
  if (message === undefined) return '';
  return shorten(typeof message === 'string' ? message : describe(message));
}

/** Also accepts an error of another context, such as that of a script run by a test. */
function isError(error: unknown): error is object {
  try {
    return error instanceof Error || Object.prototype.toString.call(error) === '[object Error]';
  } catch {
    // A proxy whose traps throw.
    return false;
  }
}

/** Whether its class belongs to the library, in any loaded copy of it. */
function isActionable(error: object): boolean {
  try {
    for (let at: unknown = error; at !== null; at = Object.getPrototypeOf(at)) {
      if ((at as object).constructor?.name === 'Cifar10FastError') return true;
    }
  } catch {
    return false;
  }
  return false;
}

const hidden = [
  /^<anonymous>$|\(<anonymous>\)$|(?:^|[ (])node:|evalmachine\.<anonymous>/,
  /[\\/]node_modules[\\/](?:tslab|@tslab|typescript|zeromq|@tensorflow)[\\/]/,
];

function shownFrames(error: object, locate: Locate): Frame[] {
  const isInCells = isActionable(error);
  return framesOf(error, locate).filter(
    ({ text, at }) => at !== undefined || (!isInCells && !hidden.some((one) => one.test(text))),
  );
}

/** The code of an error, such as an errno, unless the message contains it. */
function detailsOf(error: object, message: string): string[] {
  const code = partOf(error, 'code');
  return typeof code === 'string' && !message.includes(code) ? [`    code: ${code}`] : [];
}

/**
 * The errors inside an error: its chain of causes, those of an AggregateError, and those of a SuppressedError. A cause that
 * the message already quotes is not repeated.
 */
function innerErrors(
  error: object,
  message: string,
  locate: Locate,
  shown: readonly unknown[],
): string[] {
  if (nameOf(error) === 'InterruptedError') return [];
  const lines: string[] = [];
  const add = (title: string, inner: unknown, isQuoted: boolean): void => {
    // A chain of causes may be cyclic.
    if (inner === undefined || shown.includes(inner)) return;
    if (!isError(inner)) {
      lines.push(`  ${title}: ${shorten(describe(inner))}`);
      return;
    }
    const text = messageOf(inner);
    if (isQuoted && text !== '' && message.includes(text)) return;
    const frames = isActionable(error) ? [] : shownFrames(inner, locate);
    lines.push(
      `  ${title}: ${nameOf(inner)}: ${text}`,
      ...frames.map(({ text: frame }) => `      at ${frame}`),
      ...innerErrors(inner, text, locate, [...shown, inner]),
    );
  };
  const errors = partOf(error, 'errors');
  const all: unknown[] = Array.isArray(errors) ? errors : [];
  for (const [index, one] of all.slice(0, mostErrors).entries()) {
    add(`error ${index + 1} of ${all.length}`, one, false);
  }
  if (nameOf(error) === 'SuppressedError') {
    add('error', partOf(error, 'error'), false);
    add('suppressed', partOf(error, 'suppressed'), false);
  }
  add('caused by', partOf(error, 'cause'), true);
  return lines;
}
