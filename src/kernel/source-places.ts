import { SourceMap } from 'node:module';
import type { SourceMapPayload } from 'node:module';

/** A place in a cell, line and column counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/**
 * Maps places in compiled code to places in the source through a chain of source maps; the first is that of the code that
 * runs. The maps are parsed at the first lookup.
 */
export function placesOf(texts: readonly string[]): (place: Place) => Place | undefined {
  let maps: SourceMap[] | undefined;
  return ({ line, column }) => {
    maps ??= texts.map((text) => new SourceMap(JSON.parse(text) as SourceMapPayload));
    let [atLine, atColumn] = [line - 1, column - 1];
    for (const map of maps) {
      const entry = map.findEntry(atLine, atColumn);
      // Text beyond the code, such as the end of the function around it, has no place in the source.
      if (!('originalLine' in entry) || entry.generatedLine !== atLine) return undefined;
      [atLine, atColumn] = [entry.originalLine, entry.originalColumn];
    }
    return { line: atLine + 1, column: atColumn + 1 };
  };
}
