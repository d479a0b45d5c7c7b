import { existsSync, readFileSync } from 'node:fs';
import Module, { builtinModules, createRequire } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import type { CompiledModule } from './compiler';
import type { Import } from './instrument';
import { ownName, ownRoot } from './notebook-program';

/** The second argument of `import()`. */
type ImportOptions = Readonly<Record<string, unknown>> | undefined;

/** The functions that compiled cells call to load modules; see `instrument` and `cellScope`. */
export interface ModuleHooks {
  readonly require: NodeJS.Require;
  /** `import()` in the file `from`. */
  readonly load: (from: string, name: unknown, options: ImportOptions) => Promise<object>;
  /** An object whose `default` is what `import x from` binds: for a CommonJS module, the module itself. */
  readonly importDefault: (module: unknown) => object;
  /** The object that `import * as x from` binds. */
  readonly importStar: (module: unknown) => object;
  /** `import.meta` of a file. */
  readonly metaOf: (path: string) => ImportMeta;
}

/**
 * The modules that the cells of one notebook import, resolved as Node does: from the notebook's folder, or from the folder of the
 * project file that imports them.
 */
export class Modules {
  readonly hooks: ModuleHooks;
  /** The names that Node defines in every CommonJS module, and their values in a cell. */
  readonly scope: { readonly names: readonly string[]; readonly values: readonly unknown[] };
  private readonly loadTslab: () => unknown;
  /** Compiled code of project files that a cell imports, by the path of their source. */
  private readonly compiled = new Map<string, string>();
  private readonly loaded = new Map<string, Module>();
  /** Modules that only `import` loads, by the key of {@link keyOf}. */
  private readonly imported = new Map<string, object>();
  private readonly stars = new WeakMap<object, object>();
  private readonly metas = new Map<string, ImportMeta>();
  /** Node's `import()` by the folder from which it resolves. */
  private readonly importers = new Map<string, Importer>();

  /** @param loadTslab returns the module for cells that import tslab */
  constructor(folder: string, loadTslab: () => unknown) {
    this.loadTslab = loadTslab;
    const path = join(folder, 'cell.ts');
    const cell = new Module(path);
    cell.filename = path;
    cell.paths = nodeModulesAbove(folder);
    const load = this.requireFrom(createRequire(path), folder, cell);
    cell.require = load;
    hideImportWarning();
    this.scope = {
      names: ['require', 'module', 'exports', '__filename', '__dirname'],
      values: [load, cell, cell.exports, path, folder],
    };
    this.hooks = {
      require: load,
      load: (from, name, options) => this.load(dirname(from), String(name), options),
      importDefault: (module) => (isNamespace(module) ? module : { default: module }),
      importStar: (module) => this.star(module),
      metaOf: (file) => this.metaOf(file),
    };
  }

  /** Adds compiled project files; each runs once, when it is first imported. */
  add(files: ReadonlyMap<string, CompiledModule>): void {
    for (const [path, { code }] of files) {
      this.loaded.delete(path);
      this.compiled.set(path, code);
    }
  }

  /**
   * Loads the modules that only `import` can load, so that `require` returns them synchronously. Finding out which they are
   * runs none of them.
   */
  async prepare(imports: readonly Import[]): Promise<void> {
    for (const { folder, name, key } of this.missing(imports)) {
      if (this.imported.has(key)) continue;
      this.imported.set(key, asCommonJs(await this.importFrom(folder)(name, undefined)));
    }
  }

  /** Whether {@link prepare} has something to do. */
  needs(imports: readonly Import[]): boolean {
    return this.missing(imports).length > 0;
  }

  private missing(imports: readonly Import[]): { folder: string; name: string; key: string }[] {
    return imports.flatMap(({ from, name }) => {
      const folder = dirname(from);
      const key = this.isOnlyImported(folder, name) ? keyOf(folder, name) : undefined;
      return key === undefined || this.imported.has(key) ? [] : [{ folder, name, key }];
    });
  }

  private async load(folder: string, name: string, options: ImportOptions): Promise<object> {
    const side = this.side(folder, name);
    if (side !== undefined) return { ...(side.exports as object) };
    const own = this.own(folder, name) as object | undefined;
    if (own !== undefined) return { default: own, ...own };
    return this.importFrom(folder)(name, options);
  }

  private importFrom(folder: string): Importer {
    const found = this.importers.get(folder) ?? importFrom(folder);
    this.importers.set(folder, found);
    return found;
  }

  private star(module: unknown): object {
    if (isNamespace(module)) return module;
    const isObject =
      (typeof module === 'object' && module !== null) || typeof module === 'function';
    if (!isObject) return { default: module };
    const known = this.stars.get(module);
    if (known !== undefined) return known;
    const names = Object.getOwnPropertyNames(module).filter((name) => name !== 'default');
    const made = asCommonJs(module, names, { default: { enumerable: true, value: module } });
    this.stars.set(module, made);
    return made;
  }

  private metaOf(path: string): ImportMeta {
    const known = this.metas.get(path);
    if (known !== undefined) return known;
    const { resolve: find } = createRequire(path);
    const made = {
      dirname: dirname(path),
      filename: path,
      url: pathToFileURL(path).href,
      resolve: (name: string): string => {
        const found = find(name);
        return found.startsWith('/')
          ? pathToFileURL(found).href
          : `node:${found.replace(/^node:/, '')}`;
      },
    };
    this.metas.set(path, made);
    return made;
  }

  /** The path of the compiled project file that an import refers to; `undefined` if there is none. */
  private sidePath(folder: string, name: string): string | undefined {
    if (!/^\.{0,2}\//.test(name)) return undefined;
    const bare = resolve(folder, name);
    const stem = bare.replace(/\.([cm]?)jsx?$/, '');
    const endings = ['', '.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '/index.ts', '/index.js'];
    return [bare, ...endings.map((ending) => stem + ending)].find((path) =>
      this.compiled.has(path),
    );
  }

  /** The module of that file; runs it if it has not run yet. */
  private side(folder: string, name: string): Module | undefined {
    const path = this.sidePath(folder, name);
    if (path === undefined) return undefined;
    const found = this.loaded.get(path);
    if (found !== undefined) return found;
    const made = new Module(path, module);
    made.filename = path;
    made.paths = nodeModulesAbove(dirname(path));
    const load = this.requireFrom(createRequire(path), dirname(path), made);
    made.require = load;
    this.loaded.set(path, made);
    try {
      const run = wrap(this.compiled.get(path) ?? '', path);
      run.call(made.exports, made.exports, load, made, path, dirname(path));
    } catch (error) {
      this.loaded.delete(path);
      throw error;
    }
    return made;
  }

  private requireFrom(load: NodeJS.Require, folder: string, main: Module): NodeJS.Require {
    load.main = main;
    return new Proxy(load, {
      apply: (_, self, args: [string]) => {
        const [name] = args;
        const side = this.side(folder, name);
        if (side !== undefined) return side.exports as unknown;
        const key = this.imported.size > 0 ? keyOf(folder, name) : undefined;
        const ready = key === undefined ? undefined : this.imported.get(key);
        return ready ?? this.own(folder, name) ?? (Reflect.apply(load, self, args) as unknown);
      },
    });
  }

  /** The module for tslab, and for this library where a folder does not resolve its name; `undefined` for other names. */
  private own(folder: string, name: string): unknown {
    if (name === 'tslab') return this.loadTslab();
    return isOwn(folder, name) ? (require(ownRoot) as unknown) : undefined;
  }

  private isOnlyImported(folder: string, name: string): boolean {
    if (name === 'tslab' || name.startsWith('node:') || builtinModules.includes(name)) return false;
    if (this.sidePath(folder, name) !== undefined || isOwn(folder, name)) return false;
    const path = pathOf(folder, name);
    return path === undefined ? packageOf(folder, name) !== undefined : isEsModule(path);
  }
}

/** Whether a name is this library's, and a folder does not resolve it. */
function isOwn(folder: string, name: string): boolean {
  return name === ownName && pathOf(folder, name) === undefined;
}

/** The path that `require` resolves a name to in a folder; `undefined` if it cannot. */
function pathOf(folder: string, name: string): string | undefined {
  try {
    return createRequire(join(folder, 'cell.js')).resolve(name);
  } catch {
    return undefined;
  }
}

/** The folder of a package, if it is installed at all: its `exports` may allow `import` and not `require`. */
function packageOf(folder: string, name: string): string | undefined {
  const parts = name.split('/').slice(0, name.startsWith('@') ? 2 : 1);
  return nodeModulesAbove(folder)
    .map((path) => join(path, ...parts))
    .find((path) => existsSync(join(path, 'package.json')));
}

/** What a name stands for in a folder: a path, or the folder of a package and the name; `undefined` if it is not there. */
function keyOf(folder: string, name: string): string | undefined {
  const path = pathOf(folder, name);
  const found = path === undefined ? packageOf(folder, name) : undefined;
  return path ?? (found === undefined ? undefined : `${found}: ${name}`);
}

function nodeModulesAbove(folder: string): string[] {
  const found: string[] = [];
  for (let at = folder; ; at = dirname(at)) {
    found.push(join(at, 'node_modules'));
    if (at === dirname(at)) return found;
  }
}

/** Decides as Node does: by the extension, else by the nearest package.json. */
function isEsModule(path: string): boolean {
  const ending = extname(path);
  if (ending !== '.js') return ending === '.mjs';
  for (let at = dirname(path); at !== dirname(at); at = dirname(at)) {
    const manifest = join(at, 'package.json');
    if (!existsSync(manifest)) continue;
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { type?: string }).type === 'module';
  }
  return false;
}

type ModuleFunction = (
  this: unknown,
  exports: unknown,
  require: NodeJS.Require,
  module: Module,
  filename: string,
  dirname: string,
) => void;

/** Compiles a CommonJS module, as Node does. */
function wrap(source: string, filename: string): ModuleFunction {
  return vm.runInThisContext(Module.wrap(source), { filename }) as ModuleFunction;
}

/** A namespace in the form that compiled `import` statements expect: marked as an ES module, its names unchanged. */
function asCommonJs(
  namespace: object,
  names: readonly string[] = Object.keys(namespace),
  others: PropertyDescriptorMap = {},
): object {
  const properties = names.map(
    (name) =>
      [
        name,
        { enumerable: true, get: () => (namespace as Record<string, unknown>)[name] },
      ] as const,
  );
  return Object.defineProperties(
    {},
    {
      ...Object.fromEntries(properties),
      ...others,
      __esModule: { value: true },
    },
  );
}

/** Whether a module was compiled from an ES module, so that its default export is a property. */
function isNamespace(module: unknown): module is object {
  return (
    ((typeof module === 'object' && module !== null) || typeof module === 'function') &&
    (module as Record<string, unknown>)['__esModule'] === true
  );
}

/** Node's own `import()` in the files of one folder. */
type Importer = (name: string, options: ImportOptions) => Promise<object>;

function importFrom(folder: string): Importer {
  return vm.runInThisContext('(name, options) => import(name, options)', {
    filename: join(folder, 'cell.js'),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }) as Importer;
}

/** Some versions of Node warn that the constant in {@link importFrom} is experimental, which does not concern a cell. */
function hideImportWarning(): void {
  const emit = process.emitWarning.bind(process);
  process.emitWarning = (warning: string | Error, ...rest: never[]): void => {
    if (!String(warning).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER')) emit(warning, ...rest);
  };
}
