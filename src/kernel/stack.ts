import { join, sep } from 'node:path';
import { ownRoot } from './notebook-program';
import type { Place } from './source-places';

/** A place in the source of a cell, or of a file that was compiled with one. */
export interface SourcePlace {
  /** The name of the source in messages: `[3]`, `helper.ts`. */
  readonly label: string;
  readonly source: string;
  readonly place: Place;
}

/** Maps a place in a compiled file to its source; `nowhere` if it has none, `undefined` if the file was not compiled here. */
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
 * Rewrites the stacks of all errors: they show places in the sources of cells, and no frames of the kernel. This applies
 * wherever an error is printed, including `console.error` and the result of a cell.
 */
export function installStacks(locate: Locate): void {
  Error.prepareStackTrace = (error, sites) => {
    const frames = framesOfSites(sites, locate);
    const stack = [headOf(error), ...frames.map(({ text }) => `    at ${text}`)].join('\n');
    framesByError.set(error, { stack, frames });
    return stack;
  };
}

/** The frames of an error's stack, even if other code has assigned it. */
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
  // Below the cell there are only the frames that run cells.
  return frames.filter(({ isBelow }, index) => last < 0 || index <= last || !isBelow);
}

/** The frame, or none for code that the compiler has inserted. */
function frameOf(text: string, place: string, at: ReturnType<Locate>): Frame[] {
  if (at === undefined || at === 'nowhere') return [];
  const { label, source } = at;
  const found = beginningOf(source, at.place);
  const [, isAsync = '', name] = /^(async )?(?:(.*?) \()?/.exec(text) ?? [];
  const where = `${label}:${found.line}:${found.column}`;
  // The name of the cell's own function means nothing to the user.
  const isNamed = name !== undefined && text.includes(place) && !/^(?:eval|body)$/.test(name);
  const called = isNamed ? name.replace(/^Object\./, '') : '';
  return [
    {
      text: `${isAsync}${called === '' ? where : `${called} (${where})`}`,
      at: { label, source, place: found },
    },
  ];
}

/** Start of the called name, if V8 gives the place of the parenthesis after it. */
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
