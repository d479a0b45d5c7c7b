import { relative } from 'node:path';
import ts from 'typescript';
import { awaits, prepareCell } from './cell-source';
import type { CellSource } from './cell-source';
import { Declarations } from './declarations';
import type { Meaning } from './declarations';
import { instrument } from './instrument';
import type { Import } from './instrument';
import { emit, NotebookProgram, sourceOf, withSources } from './notebook-program';
import { projectConfig } from './project-config';
import type { ProjectConfig } from './project-config';
import { cellScope, ownParameter } from './scope';
import { placesOf } from './source-places';
import type { Place } from './source-places';

/** One fault that TypeScript finds in a cell. */
export interface Fault extends Place {
  readonly end: Place;
  readonly message: string;
  readonly code: number;
  /** Set if it is in a file that the cell imports. */
  readonly file: string | undefined;
  /** What to do about it, if known. */
  readonly hint: string | undefined;
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

/** Compiled JavaScript, and the mapping from a place in it to the place in its source. */
export interface CompiledCode {
  readonly code: string;
  readonly placeOf: (place: Place) => Place | undefined;
}

/** A cell, ready to run. */
export interface CompiledCell extends CompiledCode {
  readonly isAsync: boolean;
  /** What the cell itself declares. */
  readonly declarations: Declarations;
  /** The earlier cells whose variables it uses. */
  readonly uses: readonly number[];
  /** What it and its {@link modules} import. */
  readonly imports: readonly Import[];
  /** Files of the project that it imports, compiled, by path. */
  readonly modules: ReadonlyMap<string, CompiledModule>;
}

/** A file of the project, ready to run as a CommonJS module. */
export interface CompiledModule extends CompiledCode {
  readonly source: string;
}

/** What a cell is compiled with. */
export interface CellContext {
  /** The declarations of the cells before it. */
  readonly declarations: Declarations;
  /** The cell that currently owns the variable of a name. */
  readonly ownerOf: (name: string) => number | undefined;
}

/** The TypeScript compiler for the cells of one notebook. */
export class Compiler {
  /** What is wrong with the project's `tsconfig.json`. */
  readonly warning: string | undefined;
  private readonly program: NotebookProgram;
  private readonly config: ProjectConfig;
  /** Files that were compiled with an earlier cell and have not changed since. */
  private readonly done = new WeakSet<ts.SourceFile>();

  /** Takes a second or two, while the compiler reads its libraries. */
  constructor(folder: string) {
    this.config = projectConfig(folder);
    this.warning = this.config.warning;
    this.program = new NotebookProgram(folder, this.config);
  }

  /**
   * Compiles a cell.
   *
   * @throws CompileError
   */
  compile({ declarations, ownerOf }: CellContext, source: string): CompiledCell {
    const cell = prepareCell(source);
    const program = this.program.update(declarations.text, cell.text);
    const file = this.program.cell(program);
    const files = withSources(program, file);
    this.check(program, files, source);

    const checker = program.getTypeChecker();
    const first = emit(program, file, {
      before: [keepResult(cell)],
      afterDeclarations: [namedModules(checker)],
    });
    const imports: Import[] = [];
    const uses = new Set<number>();
    const names = new Set(cell.names);
    const scope = cellScope({ names, ownerOf, uses });
    const second = transpile(program, file, first.code, imports, ts.ModuleKind.ESNext, [scope]);
    const modules = new Map<string, CompiledModule>();
    for (const one of files) {
      if (one !== file) this.compileModule(program, one, imports, modules);
    }
    return {
      code: second.code,
      placeOf: placesOf([second.map, first.map]),
      isAsync: cell.isAsync,
      declarations: Declarations.of(
        [
          first.declarations,
          hoisted(checker, file, cell),
          ...cell.bareImports.map(augmenting),
        ].join('\n'),
        meanings(checker, file),
      ),
      uses: [...uses],
      imports,
      modules,
    };
  }

  private compileModule(
    program: ts.Program,
    file: ts.SourceFile,
    imports: Import[],
    modules: Map<string, CompiledModule>,
  ): void {
    if (this.done.has(file)) return;
    const first = emit(program, file);
    const { CommonJS } = ts.ModuleKind;
    const { code, map } = transpile(program, file, first.code, imports, CommonJS, []);
    modules.set(file.fileName, { code, source: file.text, placeOf: placesOf([map, first.map]) });
    this.done.add(file);
  }

  /**
   * Adds a cell as a module that other cells can import by name.
   *
   * @throws CompileError
   */
  addModule(name: string, source: string): void {
    const path = this.program.addModule(name, source);
    const program = this.program.update('', 'export {};');
    const file = program.getSourceFile(path) as ts.SourceFile;
    const faults = this.faultsOf(diagnosticsOf(program, [file]), source, path);
    if (faults.length > 0) throw new CompileError(faults);
  }

  private check(program: ts.Program, files: readonly ts.SourceFile[], source: string): void {
    const found = diagnosticsOf(program, files);
    if (found.length === 0) return;
    throw new CompileError(this.faultsOf(found, source, this.program.cellPath));
  }

  /** @param path of the file that holds the cell */
  private faultsOf(found: readonly ts.Diagnostic[], source: string, path: string): Fault[] {
    const faults: Fault[] = [];
    const lines = source.split('\n');
    const reported = new Set<number>();
    for (const { file, start = 0, length = 0, code, messageText } of found) {
      if (file === undefined) continue;
      const isCell = file.fileName === path;
      // Text appended to the cell must not show up in a fault.
      const last = isCell ? source.length : file.text.length;
      const place = (at: number): Place => {
        const { line, character } = file.getLineAndCharacterOfPosition(Math.min(at, last));
        return { line: line + 1, column: character + 1 };
      };
      const at = place(start);
      const magic = isCell ? magicHint(lines[at.line - 1]) : undefined;
      // One fault is enough for a line that is not TypeScript.
      if (magic !== undefined && reported.has(at.line)) continue;
      reported.add(at.line);
      const message = ts.flattenDiagnosticMessageText(messageText, '\n');
      faults.push({
        ...at,
        end: place(start + length),
        message: magic ?? message,
        code,
        file: isCell ? undefined : relative(this.program.folder, file.fileName),
        hint: this.hintFor(code, message),
      });
    }
    return faults;
  }

  private hintFor(code: number, message: string): string | undefined {
    const [, name = ''] = /[Mm]odule '([^']+)'/.exec(message) ?? [];
    if (code !== 2307 && code !== 2792) return undefined;
    const mapped = this.config.targetOf(name);
    if (mapped !== undefined) return `${mapped}.`;
    const [packageName] = /^(?:@[^/]+\/)?[^./@#][^/]*/.exec(name) ?? [];
    if (packageName === undefined || name.startsWith('node:')) return undefined;
    return `Install it in the notebook's folder or above it: npm install ${packageName}`;
  }

  /** The language service with this cell in it, for completion and inspection. */
  look(declarations: Declarations, source: string): { service: ts.LanguageService; path: string } {
    this.program.update(declarations.text, `${source}\nexport {};`);
    return { service: this.program.service, path: this.program.cellPath };
  }
}

/** The message for a line that IPython would take as a magic: `%%time`, `%matplotlib inline`, `!ls -l`. */
function magicHint(line = ''): string | undefined {
  const pattern = /^\s*(%{1,2}[A-Za-z]\w*|![A-Za-z][\w.-]*(?=$|\s+[-\w./~'"$*]))/;
  const [, magic] = pattern.exec(line) ?? [];
  if (magic === undefined) return undefined;
  const instead = magic.startsWith('!')
    ? `Run a command with execSync('${line.trim().slice(1)}', { stdio: 'inherit' }) of node:child_process.`
    : "Measure with console.time() and console.timeEnd(); run commands with node:child_process's execSync.";
  return `"${magic}" is an IPython magic; TypeScript has no magics. ${instead}`;
}

/** The faults in a cell and in the project files that it imports. */
function diagnosticsOf(
  program: ts.Program,
  files: readonly ts.SourceFile[],
): readonly ts.Diagnostic[] {
  const syntax = files.flatMap((file) => [...program.getSyntacticDiagnostics(file)]);
  // Errors that follow from a syntax error are not worth reporting.
  if (syntax.length > 0) return ts.sortAndDeduplicateDiagnostics(syntax);
  const [cell] = files.slice(-1);
  const found = files.flatMap((file) => [
    ...program.getSemanticDiagnostics(file),
    ...(file === cell ? [] : awaitsAtTop(file)),
  ]);
  return ts.sortAndDeduplicateDiagnostics(found);
}

/** Reports `await` at the top level of an imported file: a cell loads its imports synchronously. */
function awaitsAtTop(file: ts.SourceFile): ts.Diagnostic[] {
  const found = file.statements.find((statement) => awaits(statement));
  if (found === undefined) return [];
  const start = found.getStart(file);
  const messageText =
    'A file that a cell imports cannot use top-level await. Export an async function and await it in the cell.';
  const category = ts.DiagnosticCategory.Error;
  return [{ file, start, length: found.end - start, code: 1378, messageText, category }];
}

/** Stores the value of the last expression, if the cell ends with one. */
function keepResult({ resultIndex }: CellSource): ts.TransformerFactory<ts.SourceFile> {
  return ({ factory }) =>
    (file) => {
      if (resultIndex === undefined) return file;
      const statements = file.statements.map((statement, index) => {
        if (index !== resultIndex || !ts.isExpressionStatement(statement)) return statement;
        const value = factory.createPropertyAccessExpression(
          factory.createIdentifier(ownParameter),
          'value',
        );
        const kept = factory.createAssignment(value, statement.expression);
        return factory.updateExpressionStatement(
          statement,
          ts.setTextRange(kept, statement.expression),
        );
      });
      return factory.updateSourceFile(file, statements);
    };
}

/** Turns the JavaScript that TypeScript emits for a file into the code that runs. */
function transpile(
  program: ts.Program,
  file: ts.SourceFile,
  javascript: string,
  imports: Import[],
  module: ts.ModuleKind,
  transformers: readonly ts.TransformerFactory<ts.SourceFile>[],
): { code: string; map: string } {
  const sources = new Map<string, string | undefined>();
  const { imports: names = [] } = file as { imports?: readonly ts.StringLiteralLike[] };
  for (const name of names) sources.set(name.text, sourceOf(program, file, name)?.fileName);
  const stoppable = instrument({
    imports,
    sourceOf: (name) => sources.get(name),
    path: file.fileName,
  });
  const { outputText, sourceMapText = '' } = ts.transpileModule(javascript, {
    fileName: 'code.js',
    compilerOptions: {
      module,
      target: ts.ScriptTarget.ES2024,
      esModuleInterop: true,
      newLine: ts.NewLineKind.LineFeed,
      sourceMap: true,
    },
    transformers: { before: [stoppable, ...transformers], after: [withoutExports] },
  });
  const code = outputText.replace(/\n\/\/# sourceMappingURL=\S*\s*$/, '\n');
  return { code, map: sourceMapText };
}

/** Removes the `export {}` with which TypeScript marks an ES module; a cell runs as a function. */
const withoutExports: ts.TransformerFactory<ts.SourceFile> =
  ({ factory }) =>
  (file) => {
    const kept = file.statements.filter((statement) => !ts.isExportDeclaration(statement));
    return factory.updateSourceFile(file, kept);
  };

/** An import that shows the type augmentations of a module to later cells too. */
const augmenting = (specifier: string): string => `import type {} from ${specifier};`;

/** Declarations of the variables that `var` declares in blocks; TypeScript emits none for them. */
function hoisted(
  checker: ts.TypeChecker,
  file: ts.SourceFile,
  { hoistedNames }: CellSource,
): string {
  const { locals } = file as { locals?: ts.SymbolTable };
  const lines = hoistedNames.map((name) => {
    const symbol = locals?.get(ts.escapeLeadingUnderscores(name));
    const type = symbol === undefined ? undefined : checker.getTypeOfSymbol(symbol);
    const { NoTruncation } = ts.TypeFormatFlags;
    const text = type === undefined ? 'any' : checker.typeToString(type, file, NoTruncation);
    return `declare var ${name}: ${text};`;
  });
  return lines.join('\n');
}

/** Whether the names of a cell stand for values, types or both. */
function meanings(checker: ts.TypeChecker, file: ts.SourceFile): (name: string) => Meaning {
  const { locals } = file as { locals?: ts.SymbolTable };
  return (name) => {
    const symbol = locals?.get(ts.escapeLeadingUnderscores(name));
    if (symbol === undefined) return { isValue: true, isType: true };
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    const { flags } = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
    const isValue = (flags & ts.SymbolFlags.Value) !== 0;
    const isType = (flags & (ts.SymbolFlags.Type | ts.SymbolFlags.Namespace)) !== 0;
    // A name from a module without types may be either.
    return isValue || isType ? { isValue, isType } : { isValue: true, isType: true };
  };
}

/**
 * Declares `const m = await import('x')` as `typeof import('x')`: spelt out, the type of a module is as long as the
 * module, and full of names that exist only inside it.
 */
function namedModules(checker: ts.TypeChecker): ts.TransformerFactory<ts.SourceFile | ts.Bundle> {
  return (context) => {
    const { factory } = context;
    const typeOf = (name: ts.StringLiteralLike): ts.TypeNode => {
      const argument = factory.createLiteralTypeNode(factory.createStringLiteral(name.text));
      const type = factory.createImportTypeNode(argument, undefined, undefined, undefined, true);
      const symbol = checker.getSymbolAtLocation(name);
      const exports = symbol === undefined ? [] : checker.getExportsOfModule(symbol);
      if (exports.some(({ name }) => name === 'default')) return type;
      const byDefault = factory.createPropertySignature(undefined, 'default', undefined, type);
      return factory.createIntersectionTypeNode([type, factory.createTypeLiteralNode([byDefault])]);
    };
    const visit = (node: ts.Node): ts.Node => {
      const found = ts.visitEachChild(node, visit, context);
      if (!ts.isVariableDeclaration(found) || !ts.isIdentifier(found.name)) return found;
      const original = ts.getOriginalNode(node);
      const value = ts.isVariableDeclaration(original) ? original.initializer : undefined;
      if (value === undefined || !ts.isAwaitExpression(value)) return found;
      const call = value.expression;
      if (!ts.isCallExpression(call) || call.expression.kind !== ts.SyntaxKind.ImportKeyword) {
        return found;
      }
      const [name] = call.arguments;
      if (!ts.isStringLiteralLike(name)) return found;
      return factory.updateVariableDeclaration(
        found,
        found.name,
        undefined,
        typeOf(name),
        undefined,
      );
    };
    return (file) => ts.visitEachChild(file, visit, context) as ts.SourceFile;
  };
}
