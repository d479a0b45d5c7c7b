import { existsSync, statSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { defineByHook, instrument } from './instrument';

/**
 * tslab's converter over this project's TypeScript in the place of its own 5.0.4.
 *
 * The package stays as it is: what it gets when it loads `@tslab/typescript-for-tslab` is this project's compiler with
 * the few functions that tslab's fork adds, written anew over the compiler's own. On the way a cell learns to resolve
 * packages that have only an `exports` map, and its code to be stopped and to be found again in error messages.
 */

/** What tslab's converter made of a cell. */
export interface Conversion {
  readonly output?: string;
  readonly declOutput?: string;
  readonly diagnostics: readonly ConverterDiagnostic[];
  readonly lastExpressionVar?: string;
  readonly hasToplevelAwait?: boolean;
  readonly sideOutputs?: readonly { readonly path: string; readonly data: string }[];
}

/** A fault, its place counted from 0. */
export interface ConverterDiagnostic {
  readonly start: { readonly line: number; readonly character: number };
  readonly end: { readonly line: number; readonly character: number };
  readonly messageText: string;
  readonly code: number;
  readonly fileName?: string;
}

/** What tslab's converter finds for completing an identifier. */
export interface Completion {
  readonly start: number;
  readonly end: number;
  readonly candidates: readonly string[];
  readonly original?: ts.CompletionInfo;
}

/** tslab's converter, of which a kernel has one. */
export interface Converter {
  convert(declarations: string, source: string): Conversion;
  inspect(declarations: string, source: string, position: number): ts.QuickInfo | undefined;
  complete(declarations: string, source: string, position: number): Completion;
  addModule(name: string, source: string): readonly ConverterDiagnostic[];
  close(): void;
}

/** How a piece of JavaScript was compiled for the last time, from the cell to what runs. */
export interface Transpiled {
  readonly code: string;
  /** From the code that runs to the JavaScript between. */
  readonly map: string;
  /** From there to TypeScript. */
  readonly earlierMap: string | undefined;
  readonly imports: ReadonlySet<string>;
}

/** Internals of the compiler that its declarations leave out; the exact version is pinned in package.json. */
interface Internals {
  readonly nullTransformationContext: unknown;
  readonly bindSourceFile: (file: ts.SourceFile, options: ts.CompilerOptions) => void;
  readonly Completions: {
    readonly getCompletionsAtPosition: (...args: readonly unknown[]) => ts.CompletionInfo;
  };
  readonly SymbolDisplay: {
    readonly getSymbolModifiers: (checker: ts.TypeChecker, symbol: ts.Symbol) => string;
    readonly getSymbolDisplayPartsDocumentationAndSymbolKind: (
      checker: ts.TypeChecker,
      symbol: ts.Symbol,
      file: ts.SourceFile,
      enclosing: ts.Node | undefined,
      location: ts.Node,
    ) => {
      symbolKind: ts.ScriptElementKind;
      displayParts: ts.SymbolDisplayPart[];
      documentation: ts.SymbolDisplayPart[];
      tags?: ts.JSDocTagInfo[];
    };
  };
  readonly getTouchingPropertyName: (file: ts.SourceFile, position: number) => ts.Node;
  readonly getContainerNode: (node: ts.Node) => ts.Node | undefined;
}

const internals = ts as unknown as Internals;

/** The package that the kernel is part of. */
export const ownName = 'cifar10-fast';
/** The folder of that package. */
export const ownRoot: string = join(__dirname, '../..');

/** The files that tslab gives a cell, and what earlier ones have declared, to the compiler as. */
const isCell = (path: string): boolean => /[\\/]__(?:tslab__|prev__\.d)\.ts$/.test(path);

/** Files and folders that TypeScript wants to hear of: instead of watching them, we look when a cell is compiled. */
class Watched {
  private readonly files = new Map<
    string,
    { readonly tell: ts.FileWatcherCallback; timeMs: number }
  >();

  watch(path: string, tell: ts.FileWatcherCallback): ts.FileWatcher {
    this.files.set(path, { tell, timeMs: modified(path) });
    return { close: () => this.files.delete(path) };
  }

  /** Reports what has changed since the last time. */
  look(): void {
    for (const [path, entry] of this.files) {
      const timeMs = modified(path);
      if (timeMs === entry.timeMs) continue;
      const kind =
        timeMs === 0
          ? ts.FileWatcherEventKind.Deleted
          : entry.timeMs === 0
            ? ts.FileWatcherEventKind.Created
            : ts.FileWatcherEventKind.Changed;
      entry.timeMs = timeMs;
      entry.tell(path, kind);
    }
  }
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** tslab's compiler and what it leaves behind. */
export class TslabCompiler {
  readonly converter: Converter;
  readonly isCompleteCode: (source: string) => { completed: boolean; indent?: string };
  readonly printQuickInfo: (info: ts.QuickInfo) => string;
  /** What was compiled since {@link begin}. */
  transpiled: Transpiled[] = [];
  private readonly watched = new Watched();
  private readonly resolutions: ts.ModuleResolutionCache;
  /** Whether a module was not found, since {@link begin} and before. */
  private isMissing = false;
  private wasMissing = false;
  private earlierMap: string | undefined;

  /** @param folder the notebook's, which is the working directory of this process */
  constructor(folder: string) {
    this.resolutions = ts.createModuleResolutionCache(folder, (name) => name);
    const load = createRequire(require.resolve('tslab/package.json'));
    const path = load.resolve('@tslab/typescript-for-tslab');
    const fork = new Module(path);
    fork.exports = this.fork();
    fork.loaded = true;
    require.cache[path] = fork;

    const { createConverter, isCompleteCode } = load('./dist/converter.js') as {
      createConverter: (options: object) => Converter;
      isCompleteCode: TslabCompiler['isCompleteCode'];
    };
    this.isCompleteCode = isCompleteCode;
    const { printQuickInfo } = load('./dist/inspect.js') as {
      printQuickInfo: TslabCompiler['printQuickInfo'];
    };
    this.printQuickInfo = printQuickInfo;
    this.converter = createConverter({ isJS: false, isBrowser: false });
  }

  /** To be called before a cell is compiled. */
  begin(): void {
    this.transpiled = [];
    this.watched.look();
    // What was not there may have been installed.
    if (this.isMissing) this.resolutions.clear();
    this.wasMissing = this.isMissing;
    this.isMissing = false;
  }

  /** The compiler as tslab wants it. */
  private fork(): object {
    const sys: ts.System = Object.assign(Object.create(ts.sys) as ts.System, {
      watchFile: (path: string, tell: ts.FileWatcherCallback): ts.FileWatcher =>
        /\/node_modules\/|\/lib\.[^/]+\.d\.ts$/.test(path)
          ? { close: () => undefined }
          : this.watched.watch(path, tell),
      watchDirectory: (): ts.FileWatcher => ({ close: () => undefined }),
    });
    return {
      ...ts,
      sys,
      getNullTransformationContext: () => internals.nullTransformationContext,
      getDefaultTypeRoots: typeRootsAbove,
      getQuickInfoAtPosition: quickInfo,
      getPreEmitDiagnosticsOfFiles: diagnosticsOf,
      Completions: {
        getCompletionsAtPositionForTslab: internals.Completions.getCompletionsAtPosition,
      },
      createWatchCompilerHost: this.createHost.bind(this),
      createWatchProgram: this.createProgram.bind(this),
      transpileModule: this.transpile.bind(this),
    };
  }

  private createHost(
    files: string[],
    options: ts.CompilerOptions,
    system: ts.System,
    _create: undefined,
    ...reporters: [ts.DiagnosticReporter, ts.WatchStatusReporter]
  ): ts.WatchCompilerHostOfFilesAndCompilerOptions<ts.BuilderProgram> {
    const { noImplicitUseStrict: _, ...kept } = options;
    const host = ts.createWatchCompilerHost(
      files,
      {
        ...kept,
        // Packages with only an `exports` map, as Node finds them.
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        lib: ['lib.es2023.d.ts'],
        types: ['node'],
        // As in stock tslab, where the same notebook runs.
        strict: false,
        sourceMap: true,
      },
      system,
      ts.createAbstractBuilder,
      ...reporters,
    );
    host.resolveModuleNameLiterals = (literals, file, redirect, given, source) =>
      literals.map((literal) => {
        const mode = ts.getModeForUsageLocation(source, literal, given);
        return this.resolve(literal.text, file, (name) =>
          ts.resolveModuleName(name, file, given, system, this.resolutions, redirect, mode),
        );
      });
    // Else the compiler reads the package.json of every library file again for each cell.
    host.getModuleResolutionCache = () => this.resolutions;
    host.hasInvalidatedResolutions = (path) => this.wasMissing && isCell(path);
    return host;
  }

  private resolve(
    name: string,
    file: string,
    look: (name: string) => ts.ResolvedModuleWithFailedLookupLocations,
  ): ts.ResolvedModuleWithFailedLookupLocations {
    const found = look(name);
    if (found.resolvedModule !== undefined || !isCell(file)) return found;
    // The library that the kernel is part of, for notebooks outside of every project.
    if (name === ownName) {
      const own = look(ownRoot);
      if (own.resolvedModule !== undefined) return own;
    }
    this.isMissing = true;
    return found;
  }

  private createProgram(
    host: ts.WatchCompilerHostOfFilesAndCompilerOptions<ts.BuilderProgram>,
  ): ts.WatchOfFilesAndCompilerOptions<ts.BuilderProgram> {
    const tell = host.afterProgramCreate?.bind(host);
    host.afterProgramCreate = (builder) => {
      const program = builder.getProgram();
      // tslab asks for the names in the cell before it has its types, which are all libraries' once more.
      for (const file of program.getSourceFiles()) {
        if (isCell(file.fileName)) internals.bindSourceFile(file, program.getCompilerOptions());
      }
      tell?.(this.withEmit(builder));
    };
    const watch = ts.createWatchProgram(host);
    // Binds the libraries now, and not while the first cell waits for it.
    watch.getProgram().getProgram().getTypeChecker();
    return watch;
  }

  /**
   * What tslab asks a program for. Its `emit` keeps source maps to itself, and writes declarations also where a type has no
   * name to be written by.
   */
  private withEmit(builder: ts.BuilderProgram): ts.BuilderProgram {
    const program = builder.getProgram() as ts.Program & { emit: ForcedEmit };
    return {
      ...builder,
      getAllDependencies: (file) => dependenciesOf(program, file),
      emit: (file, write, token, _only, transformers) => {
        let isDeclared = false;
        const pass: ts.WriteFileCallback = (path, text, ...others) => {
          if (path.endsWith('.js.map')) this.earlierMap = text;
          else if (!(path.endsWith('.d.ts') && isDeclared)) write?.(path, text, ...others);
          isDeclared ||= path.endsWith('.d.ts');
        };
        const checker = program.getTypeChecker();
        const { before = [], afterDeclarations = [], ...others } = transformers ?? {};
        const all: ts.CustomTransformers = {
          ...others,
          before: [...before, spelledOut(checker)],
          afterDeclarations: [...afterDeclarations, namedModules(checker)],
        };
        const result = program.emit(file, pass, token, false, all);
        if (!isDeclared && file !== undefined) program.emit(file, pass, token, true, all, true);
        return result;
      },
    };
  }

  private transpile(
    javascript: string,
    { fileName, compilerOptions }: ts.TranspileOptions,
  ): ts.TranspileOutput {
    const imports = new Set<string>();
    const { noImplicitUseStrict: _, ...options } = compilerOptions ?? {};
    const result = ts.transpileModule(javascript, {
      ...(fileName === undefined ? {} : { fileName }),
      compilerOptions: { ...options, sourceMap: true },
      transformers: { before: [instrument(ts, imports)], after: [defineByHook(ts)] },
    });
    const code = result.outputText.replace(/\n\/\/# sourceMappingURL=\S*\s*$/, '\n');
    const map = result.sourceMapText ?? '';
    this.transpiled.push({ code, map, earlierMap: this.earlierMap, imports });
    return { ...result, outputText: code };
  }
}

type ForcedEmit = (
  file: ts.SourceFile | undefined,
  write: ts.WriteFileCallback,
  token: ts.CancellationToken | undefined,
  onlyDeclarations: boolean,
  transformers: ts.CustomTransformers,
  force?: boolean,
) => ts.EmitResult;

/** A file and all that it imports, outside of packages, where nothing is left to compile. */
function dependenciesOf(program: ts.Program, start: ts.SourceFile | undefined): string[] {
  const checker = program.getTypeChecker();
  const found = new Set(start === undefined ? [] : [start]);
  const add = (file: ts.SourceFile | undefined): void => {
    if (file !== undefined && !program.isSourceFileFromExternalLibrary(file)) found.add(file);
  };
  // A set goes on to what is added meanwhile.
  for (const file of found) {
    for (const { fileName } of file.referencedFiles) {
      add(program.getSourceFile(ts.resolveTripleslashReference(fileName, file.fileName)));
    }
    const { imports = [] } = file as ts.SourceFile & { imports?: readonly ts.StringLiteralLike[] };
    for (const name of imports) {
      const declarations = checker.getSymbolAtLocation(name)?.declarations ?? [];
      for (const one of declarations) add(one.getSourceFile());
    }
  }
  return [...found].map(({ fileName }) => fileName);
}

/** The folders of ambient types above a folder, nearest first. */
function typeRootsAbove(folder: string): string[] {
  const found: string[] = [];
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, 'node_modules/@types');
    if (existsSync(path)) found.push(path);
    if (at === dirname(at)) return found;
  }
}

/**
 * What is wrong in a cell and in the files that it imports. Declarations are not looked at, as they are no concern of a
 * cell's; that JSON lies elsewhere is no fault either.
 *
 * tslab learns from TypeScript's complaint that a cell awaits at its top, which its fork makes for modules, too; here it
 * is made for it.
 */
function diagnosticsOf(
  program: ts.Program,
  files: readonly ts.SourceFile[],
): readonly ts.Diagnostic[] {
  const syntax = files.flatMap((file) => [...program.getSyntacticDiagnostics(file)]);
  // What a fault in the syntax makes of the rest is not worth telling.
  if (syntax.length > 0) return ts.sortAndDeduplicateDiagnostics(syntax);
  const found = [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...files.flatMap((file) => [...program.getSemanticDiagnostics(file)]),
  ].filter(
    ({ code, messageText }) =>
      code !== 6059 || !/\.json'/.test(ts.flattenDiagnosticMessageText(messageText, '\n')),
  );
  const [cell] = files;
  return ts.sortAndDeduplicateDiagnostics([...found, ...awaitsAtTop(cell)]);
}

function awaitsAtTop(file: ts.SourceFile): ts.Diagnostic[] {
  const found: ts.Diagnostic[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node)) return;
    const keyword = ts.isAwaitExpression(node)
      ? node
      : ts.isForOfStatement(node)
        ? node.awaitModifier
        : undefined;
    if (keyword !== undefined) {
      const start = keyword.getStart(file);
      const category = ts.DiagnosticCategory.Error;
      found.push({ file, start, length: 'await'.length, code: 1308, messageText: '', category });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/**
 * Writes `{ a }` as `{ a: exports.a }` where an earlier cell has declared `a`: of all uses of such names the one that
 * tslab does not recognise.
 */
function spelledOut(checker: ts.TypeChecker): ts.TransformerFactory<ts.SourceFile> {
  return (context) => {
    const { factory } = context;
    const isEarlier = (node: ts.ShorthandPropertyAssignment): boolean =>
      (checker.getShorthandAssignmentValueSymbol(node)?.declarations ?? []).some((declaration) =>
        declaration.getSourceFile().fileName.endsWith('/__prev__.d.ts'),
      );
    const visit = (node: ts.Node): ts.Node => {
      const found = ts.visitEachChild(node, visit, context);
      if (!ts.isShorthandPropertyAssignment(node) || !ts.isShorthandPropertyAssignment(found)) {
        return found;
      }
      if (!isEarlier(node)) return found;
      const { name, objectAssignmentInitializer: fallback } = found;
      const earlier = factory.createPropertyAccessExpression(
        factory.createIdentifier('exports'),
        name.text,
      );
      const value = fallback === undefined ? earlier : factory.createAssignment(earlier, fallback);
      return ts.setTextRange(factory.createPropertyAssignment(name.text, value), node);
    };
    return (file) => ts.visitEachChild(file, visit, context);
  };
}

/**
 * Declares `const m = await import('x')` as `typeof import('x')`: spelt out, the type of a module is as long as the
 * module, and full of names that only it knows.
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

/** What a hover shows: the symbol under a position, or the type of the expression there. */
function quickInfo(
  file: ts.SourceFile,
  checker: ts.TypeChecker,
  _token: unknown,
  position: number,
): ts.QuickInfo | undefined {
  const node = internals.getTouchingPropertyName(file, position);
  if (ts.isSourceFile(node)) return undefined;
  const textSpan = { start: node.getStart(file), length: node.getEnd() - node.getStart(file) };
  const symbol = checker.getSymbolAtLocation(node);
  if (symbol === undefined) {
    // A name that nobody has declared has no type either.
    if (!ts.isExpression(node) || ts.isIdentifier(node)) return undefined;
    const text = checker.typeToString(checker.getTypeAtLocation(node));
    const kind = ts.ScriptElementKind.unknown;
    return { kind, kindModifiers: '', textSpan, displayParts: [{ text, kind: 'text' }] };
  }
  const { symbolKind: kind, ...parts } =
    internals.SymbolDisplay.getSymbolDisplayPartsDocumentationAndSymbolKind(
      checker,
      symbol,
      file,
      internals.getContainerNode(node),
      node,
    );
  const kindModifiers = internals.SymbolDisplay.getSymbolModifiers(checker, symbol);
  return { kind, kindModifiers, textSpan, ...parts };
}
