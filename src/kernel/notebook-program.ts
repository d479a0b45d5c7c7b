import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { libraryTypes } from './library-types';
import type { ProjectConfig } from './project-config';

/** The package that the kernel is part of. */
export const ownName = 'cifar10-fast';
/** The folder of that package. */
export const ownRoot: string = join(__dirname, '../..');

/** Methods of a program that TypeScript's declarations leave out; the exact version is pinned in package.json. */
interface ProgramInternals {
  readonly getResolvedModuleFromModuleSpecifier: (
    name: ts.StringLiteralLike,
    file: ts.SourceFile,
  ) => { readonly resolvedModule?: ts.ResolvedModuleFull } | undefined;
  readonly emit: (
    file: ts.SourceFile,
    write: ts.WriteFileCallback,
    token: undefined,
    only: boolean,
    transformers: ts.CustomTransformers,
    force: boolean,
  ) => ts.EmitResult;
}

/** Properties that cells have and the types of Node may lack. */
const ambient = 'declare global { interface ImportMeta { dirname: string; filename: string } }\n';

/** The imports of a source file, as collected by TypeScript. */
interface WithImports {
  readonly imports?: readonly ts.StringLiteralLike[];
}

/**
 * The TypeScript program of one notebook: the current cell, the declarations of the cells before it, and what they import.
 *
 * The compiler, completion and inspection share the program of one language service.
 */
export class NotebookProgram {
  readonly service: ts.LanguageService;
  readonly cellPath: string;
  readonly folder: string;
  private readonly declarationsPath: string;
  private readonly options: ts.CompilerOptions;
  private readonly resolutions: ts.ModuleResolutionCache;
  /** The two files of the cell, and cells that are modules, by path. */
  private readonly virtual = new Map<string, { text: string; version: number }>();
  private readonly snapshots = new Map<string, { version: string; text: ts.IScriptSnapshot }>();
  private readonly versions = new Map<string, string>();
  /** Whether a module was not found since the last {@link update}, and whether one was not found before it. */
  private isMissing = false;
  private wasMissing = false;

  constructor(folder: string, config: ProjectConfig) {
    this.folder = folder;
    this.cellPath = join(folder, '__cell__.ts');
    this.declarationsPath = join(folder, '__declarations__.d.ts');
    this.options = optionsFor(folder, config);
    this.resolutions = ts.createModuleResolutionCache(folder, (name) => name, this.options);
    this.service = ts.createLanguageService(this.host(), parsedFiles());
    this.update('', 'export {};');
    this.program();
  }

  /** Sets the current cell, as a module, and the declarations of the cells before it. */
  update(declarations: string, cell: string): ts.Program {
    // Each cell checks once whether a file has changed.
    this.versions.clear();
    this.set(this.declarationsPath, `export {};\n${ambient}${declarations}`);
    this.set(this.cellPath, cell);
    // A missing module may have been installed.
    if (this.isMissing) this.resolutions.clear();
    this.wasMissing = this.isMissing;
    this.isMissing = false;
    return this.program();
  }

  /** Adds a cell as a module that others can import, and returns its path. */
  addModule(name: string, source: string): string {
    const path = join(this.folder, `${name}.ts`);
    this.set(path, `${source}\nexport {};\n`);
    return path;
  }

  /** The cell of the last {@link update}. */
  cell(program: ts.Program): ts.SourceFile {
    return program.getSourceFile(this.cellPath) as ts.SourceFile;
  }

  private program(): ts.Program {
    const program = this.service.getProgram() as ts.Program;
    // Binds all files, which resets the parents.
    program.getTypeChecker();
    const declarations = program.getSourceFile(this.declarationsPath);
    // The compiler looks names up from the inside out: what the cell does not declare, earlier cells may.
    Object.assign(this.cell(program), { parent: declarations });
    return program;
  }

  private set(path: string, text: string): void {
    const known = this.virtual.get(path);
    if (known?.text !== text) this.virtual.set(path, { text, version: (known?.version ?? 0) + 1 });
  }

  private host(): ts.LanguageServiceHost {
    const { folder, options, virtual } = this;
    const isInvalidated = (path: ts.Path): boolean =>
      this.wasMissing && !path.includes('/node_modules/');
    const host: ts.LanguageServiceHost & {
      readonly getModuleResolutionCache: () => ts.ModuleResolutionCache;
      readonly hasInvalidatedResolutions: (path: ts.Path) => boolean;
    } = {
      getScriptFileNames: () => [...virtual.keys()],
      getScriptVersion: (path) => this.versionOf(path),
      getScriptSnapshot: (path) => this.snapshotOf(path),
      getCompilationSettings: () => options,
      getCurrentDirectory: () => folder,
      getDefaultLibFileName: (given) => ts.getDefaultLibFilePath(given),
      useCaseSensitiveFileNames: () => true,
      fileExists: (path) => virtual.has(path) || ts.sys.fileExists(path),
      readFile: (path, encoding) => virtual.get(path)?.text ?? ts.sys.readFile(path, encoding),
      readDirectory: (...given) => ts.sys.readDirectory(...given),
      directoryExists: (path) => ts.sys.directoryExists(path),
      getDirectories: (path) => ts.sys.getDirectories(path),
      realpath: (path) => ts.sys.realpath?.(path) ?? path,
      resolveModuleNameLiterals: (literals, file, redirect, given, source) =>
        literals.map((literal) => {
          const mode = ts.getModeForUsageLocation(source, literal, given);
          return this.resolve(literal.text, file, (name) =>
            ts.resolveModuleName(name, file, given, host, this.resolutions, redirect, mode),
          );
        }),
      // Without it, the compiler reads the package.json of every library file again for each cell.
      getModuleResolutionCache: () => this.resolutions,
      hasInvalidatedResolutions: isInvalidated,
    };
    return host;
  }

  private versionOf(path: string): string {
    const own = this.virtual.get(path);
    if (own !== undefined) return String(own.version);
    const known = this.versions.get(path);
    if (known !== undefined) return known;
    const isFixed = /\/node_modules\/|\/lib\.[^/]+\.d\.ts$/.test(path);
    const version = isFixed
      ? '1'
      : String(statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 'none');
    this.versions.set(path, version);
    return version;
  }

  private snapshotOf(path: string): ts.IScriptSnapshot | undefined {
    const version = this.versionOf(path);
    const known = this.snapshots.get(path);
    if (known?.version === version) return known.text;
    const text = this.virtual.get(path)?.text ?? ts.sys.readFile(path);
    if (text === undefined) return undefined;
    const snapshot = ts.ScriptSnapshot.fromString(text);
    this.snapshots.set(path, { version, text: snapshot });
    return snapshot;
  }

  private resolve(
    name: string,
    file: string,
    look: (name: string) => ts.ResolvedModuleWithFailedLookupLocations,
  ): ts.ResolvedModuleWithFailedLookupLocations {
    const found = look(name);
    if (found.resolvedModule !== undefined || file.includes('/node_modules/')) return found;
    // The library that the kernel is part of, and tslab, for notebooks outside any project.
    const own =
      name === ownName ? look(ownRoot) : name === 'tslab' ? look(folderOf('tslab')) : undefined;
    if (own?.resolvedModule !== undefined) return own;
    this.isMissing = true;
    return found;
  }
}

/**
 * The parsed files of one program, by path. TypeScript's shared registry recomputes the options of every library file for
 * each cell, which takes as long as the rest of the compilation.
 */
function parsedFiles(): ts.DocumentRegistry {
  const known = new Map<string, { version: string; file: ts.SourceFile }>();
  const parse = (
    path: string,
    text: ts.IScriptSnapshot,
    version: string,
    kind: ts.ScriptKind | undefined,
    options: ts.ScriptTarget | ts.CreateSourceFileOptions = ts.ScriptTarget.ES2024,
  ): ts.SourceFile => {
    const found = known.get(path);
    if (found?.version === version) return found.file;
    const file = ts.createLanguageServiceSourceFile(path, text, options, version, false, kind);
    known.set(path, { version, file });
    return file;
  };
  type Given = Parameters<ts.DocumentRegistry['acquireDocument']>;
  const get = (...[path, , text, version, kind, options]: Given): ts.SourceFile =>
    parse(path, text, version, kind, options);
  type GivenWithKey = Parameters<ts.DocumentRegistry['acquireDocumentWithKey']>;
  const getWithKey = (...[path, , , , text, version, kind, options]: GivenWithKey): ts.SourceFile =>
    parse(path, text, version, kind, options);
  return {
    acquireDocument: get,
    updateDocument: get,
    acquireDocumentWithKey: getWithKey,
    updateDocumentWithKey: getWithKey,
    getKeyForCompilationSettings: () => 'notebook' as ts.DocumentRegistryBucketKey,
    // Few files are ever released, and those are acquired again.
    releaseDocument: () => undefined,
    releaseDocumentWithKey: () => undefined,
    reportStats: () => '',
  };
}

function optionsFor(folder: string, config: ProjectConfig): ts.CompilerOptions {
  const libraries = dirname(ts.getDefaultLibFilePath({}));
  return {
    module: ts.ModuleKind.ESNext,
    // Resolves packages that have only an `exports` map, as Node does.
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    esModuleInterop: true,
    resolveJsonModule: true,
    target: ts.ScriptTarget.ES2024,
    lib: libraryTypes((file) => existsSync(join(libraries, file))),
    types: ['node'],
    typeRoots: typeRoots(folder),
    jsx: ts.JsxEmit.React,
    allowJs: true,
    checkJs: true,
    skipLibCheck: true,
    declaration: true,
    sourceMap: true,
    newLine: ts.NewLineKind.LineFeed,
    outDir: '/output',
    // As in stock tslab, which runs the same notebooks.
    strict: false,
    ...config.options,
  };
}

/** The `@types` folders above a folder, nearest first; if none has the types of Node, the kernel's own comes last. */
function typeRoots(folder: string): string[] {
  const found: string[] = [];
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, 'node_modules/@types');
    if (existsSync(path)) found.push(path);
    if (at === dirname(at)) break;
  }
  if (!found.some((path) => existsSync(join(path, 'node')))) {
    found.push(dirname(folderOf('@types/node')));
  }
  return found;
}

/** The folder of a package that this one depends on. */
function folderOf(name: string): string {
  const tslab = createRequire(require.resolve('tslab/package.json'));
  return dirname(tslab.resolve(`${name}/package.json`));
}

/** The file that an import resolves to, if it is part of the project and has code to run. */
export function sourceOf(
  program: ts.Program,
  file: ts.SourceFile,
  name: ts.StringLiteralLike,
): ts.SourceFile | undefined {
  const { getResolvedModuleFromModuleSpecifier: look } = program as unknown as ProgramInternals;
  const found = look(name, file)?.resolvedModule;
  if (found === undefined || found.isExternalLibraryImport === true) return undefined;
  if (found.resolvedFileName.includes('/node_modules/')) return undefined;
  const source = program.getSourceFile(found.resolvedFileName);
  if (source === undefined || source.isDeclarationFile) return undefined;
  // Node itself loads the others.
  return /\.[jt]sx?$/.test(source.fileName) ? source : undefined;
}

/** A file and all project files that it imports, directly or not; the file itself comes last. */
export function withSources(program: ts.Program, start: ts.SourceFile): ts.SourceFile[] {
  const found = new Set([start]);
  // Iteration over a set reaches elements that are added during it.
  for (const file of found) {
    for (const name of (file as WithImports).imports ?? []) {
      const source = sourceOf(program, file, name);
      if (source !== undefined) found.add(source);
    }
  }
  return [...found].toReversed();
}

/** Emits a file: JavaScript, its source map, and declarations even if a type has no name. */
export function emit(
  program: ts.Program,
  file: ts.SourceFile,
  transformers: ts.CustomTransformers = {},
): { code: string; map: string; declarations: string } {
  const done = { code: '', map: '', declarations: '' };
  const write: ts.WriteFileCallback = (path, text) => {
    if (path.endsWith('.map')) done.map = text;
    else if (/\.d\.[cm]?ts$/.test(path)) done.declarations = text;
    else done.code = text.replace(/\n?\/\/# sourceMappingURL=\S*\s*$/, '\n');
  };
  (program as unknown as ProgramInternals).emit(file, write, undefined, false, transformers, true);
  return done;
}
