import ts from 'typescript';
import type { Compiler } from './compiler';
import type { Declarations } from './declarations';

/** The completions at a position of a cell. */
export interface Completion {
  /** Bounds of the text that a candidate replaces. */
  readonly start: number;
  readonly end: number;
  /** Best first. */
  readonly candidates: readonly { readonly name: string; readonly kind: string }[];
}

/** Finds the completions at a position. */
export function complete(
  compiler: Compiler,
  declarations: Declarations,
  source: string,
  position: number,
): Completion {
  const { service, path } = compiler.look(declarations, source);
  const found = service.getCompletionsAtPosition(path, position, {});
  const { start, end } = replaced(source, position, found);
  const typed = source.slice(start, position);
  const ranked = (found?.entries ?? []).flatMap((entry, index) => {
    const rank = rankOf(entry.name, typed);
    return rank === undefined ? [] : [{ entry, key: `${rank}${entry.sortText}`, index }];
  });
  ranked.sort((a, b) => compare(a.key, b.key) || a.index - b.index);
  const candidates = ranked.map(({ entry: { name, kind, insertText } }) => ({
    name: insertText ?? name,
    kind,
  }));
  return { start, end, candidates };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The bounds to replace: the compiler's if it has one span for all candidates, else the word around the position. */
function replaced(
  source: string,
  position: number,
  found: ts.CompletionInfo | undefined,
): { start: number; end: number } {
  const spans = found?.entries.map(({ replacementSpan }) => replacementSpan) ?? [];
  const [span = found?.optionalReplacementSpan] = spans;
  const isOne = spans.every(
    (one) => one === undefined || (one.start === span?.start && one.length === span.length),
  );
  if (isOne && span !== undefined && span.start <= position) {
    return { start: span.start, end: Math.max(position, span.start + span.length) };
  }
  const [before = ''] = /[\p{ID_Continue}$]*$/u.exec(source.slice(0, position)) ?? [];
  const [after = ''] = /^[\p{ID_Continue}$]*/u.exec(source.slice(position)) ?? [];
  return { start: position - before.length, end: position + after.length };
}

/** 0 if the name starts with the typed text, 1 if it does in another case, 2 if it contains the text; else `undefined`. */
function rankOf(name: string, typed: string): number | undefined {
  if (name.startsWith(typed)) return 0;
  const [lower, wanted] = [name.toLowerCase(), typed.toLowerCase()];
  if (lower.startsWith(wanted)) return 1;
  return lower.includes(wanted) ? 2 : undefined;
}

/** Type and documentation of the name at a position, as text; `undefined` if there are none. */
export function inspectName(
  compiler: Compiler,
  declarations: Declarations,
  source: string,
  position: number,
): string | undefined {
  const { service, path } = compiler.look(declarations, source);
  const info = service.getQuickInfoAtPosition(path, position);
  if (info === undefined) return undefined;
  const { displayParts = [], documentation = [], tags = [], kind } = info;
  const head = ts.displayPartsToString(displayParts);
  // An undeclared name.
  if (head === 'any' && kind === ts.ScriptElementKind.unknown) return undefined;
  const text = ts.displayPartsToString(documentation);
  const tagged = tags.flatMap(({ name, text: parts }) => {
    const value = ts.displayPartsToString(parts);
    return value === '' ? [] : [name === 'param' ? `@param ${value}` : value];
  });
  const body = [...(text === '' ? [] : [text]), ...tagged];
  return body.length === 0 ? head : `${head}\n\n${body.join('\n')}`;
}

/** An unterminated template literal, an unterminated comment: more may come. */
const unterminated = new Set([1160, 1010]);
/** An unterminated string, an unterminated regular expression: these must end on their line. */
const endsWithLine = new Set([1002, 1161]);

/** Whether a console should run the source, wait for another line (indented by `indent`), or report an error. */
export function completeness(source: string): {
  status: 'complete' | 'invalid' | 'incomplete';
  indent?: string;
} {
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest) as ts.SourceFile & {
    readonly parseDiagnostics: readonly ts.DiagnosticWithLocation[];
  };
  const faults = file.parseDiagnostics;
  if (faults.length === 0) return { status: 'complete' };
  const end = source.trimEnd().length;
  const isOpen = faults.every(
    ({ start, code }) => unterminated.has(code) || (start >= end && !endsWithLine.has(code)),
  );
  return isOpen ? { status: 'incomplete', indent: indentAfter(source) } : { status: 'invalid' };
}

/** The indentation of the last line, one level deeper if it ends with an opening bracket. */
function indentAfter(source: string): string {
  const line = source.trimEnd().split('\n').at(-1) ?? '';
  const [indent = ''] = /^\s*/.exec(line) ?? [];
  return /[{([]\s*$/.test(line.replace(/\/\/.*$/, '')) ? `${indent}  ` : indent;
}
