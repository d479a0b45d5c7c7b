import Module, { createRequire } from 'node:module';
import ts from 'typescript';

/** Shows what tslab displays. */
type Show = (content: object, isUpdate: boolean) => void;

/**
 * tslab's own interface for cells, `import { display } from 'tslab'`, over our messages. It is loaded on first use, without
 * its own copy of the compiler.
 */
export function tslabLoader(show: Show): () => unknown {
  let loaded: unknown;
  return () => {
    if (loaded !== undefined) return loaded;
    const load = createRequire(require.resolve('tslab/package.json'));
    const path = load.resolve('@tslab/typescript-for-tslab');
    const compiler = new Module(path);
    compiler.exports = ts;
    compiler.loaded = true;
    require.cache[path] = compiler;
    const jupyter = load('./dist/jupyter.js') as { lastWriteDisplayData: Show };
    jupyter.lastWriteDisplayData = show;
    loaded = require('tslab');
    return loaded;
  };
}

/** The marks in the leading comment of a cell, as in tslab. */
export interface CellMarks {
  /** `@module name`: the cell is a module that others import. */
  readonly module: string | undefined;
  /** `@browser` */
  readonly isForBrowser: boolean;
}

/** Reads the marks of a cell. */
export function marksOf(source: string): CellMarks {
  const [leading] = /^(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/.exec(source) ?? [''];
  const comments = leading.match(/\/\*\*[\s\S]*?\*\//g) ?? [];
  const text = comments.join('\n');
  const [, name] = /@module\s+([\w-]+(?:\/[\w-]+)*)\s*(?:\*\/|\n)/.exec(text) ?? [];
  return { module: name, isForBrowser: /@browser\b/.test(text) };
}
