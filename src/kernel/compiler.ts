import { SourceMap } from 'node:module';
import type { SourceMapPayload } from 'node:module';
import ts from 'typescript';
import { TslabCompiler } from './typescript';
import type { Completion, Conversion, ConverterDiagnostic, Transpiled } from './typescript';

/** A place in a cell, line and column counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One fault that TypeScript finds in a cell. */
export interface Fault extends Place {
  readonly end: Place;
  readonly message: string;
  readonly code: number;
  /** Set if it is in a file that the cell imports. */
  readonly file: string | undefined;
}

/** A cell that does not compile. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super(faults[0].message);
    this.faults = faults;
  }
}

/** A cell, ready to run. */
export interface CompiledCell {
  /** The body of a function of `exports` and `require`. */
  readonly code: string;
  readonly isAsync: boolean;
  /** The export that holds the value of the last expression, if the cell ends with one. */
  readonly result: string | undefined;
  /** What later cells may use, as declarations: that of this cell and what is left of those before. */
  readonly declarations: string;
  /** What it and its {@link modules} import. */
  readonly imports: readonly string[];
  /** Files beside the notebook that it imports, compiled, by path. */
  readonly modules: ReadonlyMap<string, string>;
  /** From a place in {@link code} to the place in the cell. */
  readonly placeOf: (place: Place) => Place | undefined;
}

/** TypeScript as the cells of one notebook see it. */
export class Compiler {
  private readonly tslab: TslabCompiler;

  /** Takes a second or two, in which the compiler reads its libraries. */
  constructor(folder: string) {
    this.tslab = new TslabCompiler(folder);
  }

  /**
   * Compiles a cell after cells with these declarations.
   *
   * @throws CompileError
   */
  compile(declarations: string, source: string): CompiledCell {
    const { tslab } = this;
    tslab.begin();
    const done = tslab.converter.convert(declarations, source);
    if (done.diagnostics.length > 0) throw new CompileError(faultsOf(done.diagnostics));
    const { output = '' } = done;
    const main = tslab.transpiled.find(({ code }) => code === output);
    return {
      code: output,
      isAsync: done.hasToplevelAwait === true,
      result: done.lastExpressionVar,
      declarations: done.declOutput ?? '',
      imports: [...new Set(tslab.transpiled.flatMap(({ imports }) => [...imports]))],
      modules: new Map((done.sideOutputs ?? []).map(({ path, data }) => [path, data])),
      placeOf: placesOf(main),
    };
  }

  /**
   * Makes a module of a cell, for other cells to import by name.
   *
   * @throws CompileError
   */
  addModule(name: string, source: string): void {
    this.tslab.begin();
    const faults = this.tslab.converter.addModule(name, source);
    if (faults.length > 0) throw new CompileError(faultsOf(faults));
  }

  /** What may stand at a position, best first. */
  complete(declarations: string, source: string, position: number): Completion {
    return this.tslab.converter.complete(declarations, source, position);
  }

  /** What is known about the name at a position, as text; `undefined` if nothing is. */
  inspect(declarations: string, source: string, position: number): string | undefined {
    const info = this.tslab.converter.inspect(declarations, source, position);
    return info === undefined ? undefined : this.tslab.printQuickInfo(info);
  }

  /** Whether a console should run this, wait for more of it (indented by so much), or show what is wrong. */
  completeness(source: string): { status: 'complete' | 'invalid' | 'incomplete'; indent?: string } {
    const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest) as ts.SourceFile & {
      readonly parseDiagnostics: readonly ts.DiagnosticWithLocation[];
    };
    const faults = file.parseDiagnostics;
    if (faults.length === 0) return { status: 'complete' };
    const end = source.trimEnd().length;
    const isOpen = faults.every(
      ({ start, code }) => unterminated.has(code) || (start >= end && !endsWithLine.has(code)),
    );
    if (!isOpen) return { status: 'invalid' };
    return { status: 'incomplete', indent: this.tslab.isCompleteCode(source).indent ?? '' };
  }

  close(): void {
    this.tslab.converter.close();
  }
}

/** An unterminated template literal, an unterminated comment: more may come. */
const unterminated = new Set([1160, 1010]);
/** An unterminated string, an unterminated regular expression: these have to end where their line does. */
const endsWithLine = new Set([1002, 1161]);

/** Complaints of one place belong together: TypeScript goes from the general to the particular. */
function faultsOf(diagnostics: Conversion['diagnostics']): Fault[] {
  const faults: Fault[] = [];
  const key = ({ start, end }: ConverterDiagnostic): string =>
    [start.line, start.character, end.line, end.character].join();
  let last: string | undefined;
  for (const diagnostic of diagnostics) {
    const { start, end, messageText, code, fileName } = diagnostic;
    const place = key(diagnostic);
    if (place === last) {
      const fault = faults[faults.length - 1];
      faults[faults.length - 1] = { ...fault, message: `${fault.message}\n  ${messageText}` };
      continue;
    }
    last = place;
    faults.push({
      line: start.line + 1,
      column: start.character + 1,
      end: { line: end.line + 1, column: end.character + 1 },
      message: messageText,
      code,
      file: fileName,
    });
  }
  return faults;
}

/** Looks places up in the two source maps of a cell, which are read when the first is asked for. */
function placesOf(transpiled: Transpiled | undefined): CompiledCell['placeOf'] {
  if (transpiled?.earlierMap === undefined) return () => undefined;
  const texts = [transpiled.map, transpiled.earlierMap];
  let maps: SourceMap[] | undefined;
  return ({ line, column }) => {
    maps ??= texts.map((text) => new SourceMap(JSON.parse(text) as SourceMapPayload));
    let [atLine, atColumn] = [line - 1, column - 1];
    for (const map of maps) {
      const entry = map.findEntry(atLine, atColumn);
      // What is beyond the code, as the end of the function around it, has no place of its own.
      if (!('originalLine' in entry) || entry.generatedLine !== atLine) return undefined;
      [atLine, atColumn] = [entry.originalLine, entry.originalColumn];
    }
    // Before the cell tslab puts a line of its own.
    return atLine < 1 ? undefined : { line: atLine, column: atColumn + 1 };
  };
}
