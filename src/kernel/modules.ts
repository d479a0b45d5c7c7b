import { existsSync, readFileSync } from 'node:fs';
import Module, { builtinModules, createRequire } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import type { CompiledModule } from './compiler';
import { ownName, ownRoot } from './notebook-program';

/** The second argument of `import()`. */
type ImportOptions = Readonly<Record<string, unknown>> | undefined;

/** The functions that compiled cells call to load modules; see `instrument` and `cellScope`. */
export interface ModuleHooks {
  readonly require: NodeJS.Require;
  /** `import()`. */
  readonly load: (name: unknown, options: ImportOptions) => Promise<object>;
  /** An object whose `default` is what `import x from` binds: for a CommonJS module, the module itself. */
  readonly importDefault: (module: unknown) => object;
  /** The object that `import * as x from` binds. */
  readonly importStar: (module: unknown) => object;
  /** `import.meta` of a file. */
  readonly metaOf: (path: string) => ImportMeta;
}

/** The modules that the cells of one notebook import, resolved as Node does for a file in the notebook's folder. */
export class Modules {
  readonly hooks: ModuleHooks;
  /** The names that Node defines in every CommonJS module, and their values in a cell. */
  readonly scope: { readonly names: readonly string[]; readonly values: readonly unknown[] };
  /** `require` of the cells. */
  private readonly require: NodeJS.Require;
  private readonly folder: string;
  private readonly loadTslab: () => unknown;
  /** Compiled code of project files that a cell imports, by the path of their source. */
  private readonly compiled = new Map<string, string>();
  private readonly loaded = new Map<string, Module>();
  private readonly imported = new Map<string, object>();
  private readonly stars = new WeakMap<object, object>();
  private readonly metas = new Map<string, ImportMeta>();
  private readonly importHere: (name: string, options: ImportOptions) => Promise<object>;

  /** @param loadTslab returns the module for cells that import tslab */
  constructor(folder: string, loadTslab: () => unknown) {
    this.folder = folder;
    this.loadTslab = loadTslab;
    const path = join(folder, 'cell.ts');
    const cell = new Module(path);
    cell.filename = path;
    cell.paths = nodeModulesAbove(folder);
    this.require = this.requireFrom(createRequire(path), folder, cell);
    cell.require = this.require;
    this.importHere = importFrom(folder);
    this.scope = {
      names: ['require', 'module', 'exports', '__filename', '__dirname'],
      values: [this.require, cell, cell.exports, path, folder],
    };
    this.hooks = {
      require: this.require,
      load: (name, options) => this.load(name, options),
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
  async prepare(names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (this.imported.has(name) || !this.isOnlyImported(name)) continue;
      this.imported.set(name, asCommonJs(await this.importHere(name, undefined)));
    }
  }

  /** Whether {@link prepare} has something to do. */
  needs(names: readonly string[]): boolean {
    return names.some((name) => !this.imported.has(name) && this.isOnlyImported(name));
  }

  private async load(name: unknown, options: ImportOptions): Promise<object> {
    const specifier = String(name);
    const side = this.side(this.folder, specifier);
    if (side !== undefined) return { ...(side.exports as object) };
    if (specifier === 'tslab' || this.isOwn(specifier)) {
      const exports = this.require(specifier) as object;
      return { default: exports, ...exports };
    }
    return this.importHere(specifier, options);
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
        if (name === 'tslab') return this.loadTslab();
        const ready = this.imported.get(name) ?? this.side(folder, name)?.exports;
        if (ready !== undefined) return ready as unknown;
        if (this.isOwn(name)) return require(ownRoot) as unknown;
        return Reflect.apply(load, self, args) as unknown;
      },
    });
  }

  /** Whether a name is this library's, and the notebook's folder does not resolve it. */
  private isOwn(name: string): boolean {
    return (
      name === ownName && pathOf(createRequire(join(this.folder, 'cell.js')), name) === undefined
    );
  }

  private isOnlyImported(name: string): boolean {
    if (name === 'tslab' || name.startsWith('node:') || builtinModules.includes(name)) return false;
    if (this.sidePath(this.folder, name) !== undefined || this.isOwn(name)) return false;
    const path = pathOf(createRequire(join(this.folder, 'cell.js')), name);
    return path === undefined ? isInstalled(this.folder, name) : isEsModule(path);
  }
}

/** The path that `require` resolves a name to; `undefined` if it cannot. */
function pathOf({ resolve }: NodeJS.Require, name: string): string | undefined {
  try {
    return resolve(name);
  } catch {
    return undefined;
  }
}

/** Whether a package is installed at all: its `exports` may allow `import` and not `require`. */
function isInstalled(folder: string, name: string): boolean {
  const parts = name.split('/').slice(0, name.startsWith('@') ? 2 : 1);
  return nodeModulesAbove(folder).some((path) => existsSync(join(path, ...parts, 'package.json')));
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

/** Node's own `import()`, as a file in `folder` would call it. */
function importFrom(folder: string): (name: string, options: ImportOptions) => Promise<object> {
  const emit = process.emitWarning.bind(process);
  // Some versions of Node warn that the constant is experimental, which does not concern a cell.
  process.emitWarning = (warning: string | Error, ...rest: never[]): void => {
    if (!String(warning).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER')) emit(warning, ...rest);
  };
  return vm.runInThisContext('(name, options) => import(name, options)', {
    filename: join(folder, 'cell.js'),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }) as ReturnType<typeof importFrom>;
}
