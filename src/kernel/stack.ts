import { join, sep } from 'node:path';
import { ownRoot } from './notebook-program';
import type { Place } from './source-places';

/** A place in the source of a cell, or of a file that was compiled with one. */
export interface SourcePlace {
  /** What messages call the source: `[3]`, `helper.ts`. */
  readonly label: string;
  readonly source: string;
  readonly place: Place;
}

/** Finds the place in the source for a place in a compiled file; `undefined` if it was not compiled here or has none. */
export type Locate = (file: string, place: Place) => SourcePlace | 'nowhere' | undefined;

/** One line of a stack. */
export interface Frame {
  /** As it is printed, after `at`. */
  readonly text: string;
  /** Set if it is in a cell or in a file that was compiled with one. */
  readonly at: SourcePlace | undefined;
}

const kernelFolder = `${join(ownRoot, 'dist/kernel')}${sep}`;
const framesByError = new WeakMap<object, { readonly stack: string; readonly frames: Frame[] }>();

/**
 * Makes the stacks of all errors speak of cells: with places in their sources, and without the kernel below them. It holds
 * for whoever prints an error, `console.error` and the result of a cell, too.
 */
export function installStacks(locate: Locate): void {
  Error.prepareStackTrace = (error, sites) => {
    const frames = framesOfSites(sites, locate);
    const stack = [headOf(error), ...frames.map(({ text }) => `    at ${text}`)].join('\n');
    framesByError.set(error, { stack, frames });
    return stack;
  };
}

/** The frames of an error's stack, also if someone else has written it. */
export function framesOf(error: object, locate: Locate): readonly Frame[] {
  const stack = stackOf(error);
  const known = framesByError.get(error);
  if (known !== undefined && stack.endsWith(known.stack)) return known.frames;
  const lines = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return lines.flatMap((line) => {
    const text = line.replace(/^\s+at /, '');
    const [place, file, row, column] = /(jupyter-cell:\d+):(\d+):(\d+)/.exec(text) ?? [];
    if (place === undefined) return text.includes(kernelFolder) ? [] : [{ text, at: undefined }];
    return frameOf(text, place, locate(file, { line: Number(row), column: Number(column) }));
  });
}

function stackOf(error: object): string {
  try {
    const { stack } = error as { stack?: unknown };
    return typeof stack === 'string' ? stack : '';
  } catch {
    return '';
  }
}

function framesOfSites(sites: readonly NodeJS.CallSite[], locate: Locate): Frame[] {
  const frames = sites.flatMap((site): (Frame & { readonly isBelow: boolean })[] => {
    // oxlint-disable-next-line typescript/no-base-to-string -- V8's own line for a frame.
    const text = String(site);
    const file = site.getFileName() ?? '';
    const place = { line: site.getLineNumber() ?? 0, column: site.getColumnNumber() ?? 0 };
    const at = locate(file, place);
    const isBelow = file.startsWith('node:') || /^(?:async Promise\.|<anonymous>)/.test(text);
    if (at === undefined) {
      return file.startsWith(kernelFolder) ? [] : [{ text, at, isBelow }];
    }
    const shown = `${file}:${place.line}:${place.column}`;
    return frameOf(text, shown, at).map((frame) => ({ ...frame, isBelow: false }));
  });
  const last = frames.findLastIndex(({ at }) => at !== undefined);
  // Below the cell there is only what runs cells.
  return frames.filter(({ isBelow }, index) => last < 0 || index <= last || !isBelow);
}

/** None for what only the compiler has put there. */
function frameOf(text: string, place: string, at: ReturnType<Locate>): Frame[] {
  if (at === undefined || at === 'nowhere') return [];
  const { label, source } = at;
  const found = beginningOf(source, at.place);
  const [, isAsync = '', name] = /^(async )?(?:(.*?) \()?/.exec(text) ?? [];
  const where = `${label}:${found.line}:${found.column}`;
  // The function of the cell itself has no name that means something.
  const isNamed = name !== undefined && text.includes(place) && !/^(?:eval|body)$/.test(name);
  const called = isNamed ? name.replace(/^Object\./, '') : '';
  return [
    {
      text: `${isAsync}${called === '' ? where : `${called} (${where})`}`,
      at: { label, source, place: found },
    },
  ];
}

/** The name that is called, where V8 names the bracket after it. */
function beginningOf(source: string, { line, column }: Place): Place {
  const text = source.split('\n')[line - 1] ?? '';
  const [name] = (text[column - 1] === '(' && /[\w$]+$/.exec(text.slice(0, column - 1))) || [''];
  return { line, column: column - name.length };
}

/** The first line of a stack. Reading the error may throw. */
function headOf(error: Error): string {
  try {
    const { name, code } = error as NodeJS.ErrnoException;
    const text = Error.prototype.toString.call(error);
    const isNodes = typeof code === 'string' && code.startsWith('ERR_') && text.startsWith(name);
    return isNodes ? `${name} [${code}]${text.slice(name.length)}` : text;
  } catch {
    return 'Error';
  }
}
