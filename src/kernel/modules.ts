import { existsSync, readFileSync } from 'node:fs';
import Module, { builtinModules, createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import vm from 'node:vm';
import { ownName, ownRoot } from './typescript';

/** What `import()` takes beside the name. */
type ImportOptions = Readonly<Record<string, unknown>> | undefined;

/** The modules that cells of one notebook import, resolved from its folder as Node does from a file in it. */
export class Modules {
  /** `require` of the cells. */
  readonly require: NodeJS.Require;
  private readonly folder: string;
  private readonly sources = new Map<string, string>();
  private readonly loaded = new Map<string, Module>();
  private readonly imported = new Map<string, object>();
  private readonly importHere: (name: string, options: ImportOptions) => Promise<object>;

  constructor(folder: string) {
    this.folder = folder;
    this.require = this.requireFrom(createRequire(join(folder, 'cell.js')), folder);
    this.importHere = importFrom(folder);
  }

  /** Takes files beside the notebook, compiled; they are run when something imports them, once. */
  add(sources: ReadonlyMap<string, string>): void {
    for (const [path, source] of sources) {
      this.loaded.delete(path);
      this.sources.set(path, source);
    }
  }

  /**
   * Loads those of these modules that can only be imported, so that `require` has them at once; whether there are any is
   * known without running them.
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

  /** `import()` of the cells. */
  async load(name: unknown, options: ImportOptions): Promise<object> {
    const specifier = String(name);
    const side = this.side(this.folder, specifier);
    if (side !== undefined) return { ...(side.exports as object) };
    if (specifier === 'tslab' || this.isOwn(specifier)) {
      const exports = this.require(specifier) as object;
      return { default: exports, ...exports };
    }
    return this.importHere(specifier, options);
  }

  /** Where a file beside the notebook that was compiled with a cell would be; `undefined` if it was not. */
  private sidePath(folder: string, name: string): string | undefined {
    const bare = join(folder, name);
    const path = extname(bare) === '' ? `${bare}.js` : bare;
    return this.sources.has(path) ? path : undefined;
  }

  /** Its module, run if it was not yet. */
  private side(folder: string, name: string): Module | undefined {
    const path = this.sidePath(folder, name);
    if (path === undefined) return undefined;
    const found = this.loaded.get(path);
    if (found !== undefined) return found;
    const made = new Module(path, module);
    made.filename = path;
    made.paths = nodeModulesAbove(dirname(path));
    const load = this.requireFrom(createRequire(path), dirname(path));
    made.require = load;
    this.loaded.set(path, made);
    try {
      const run = wrap(this.sources.get(path) ?? '', path);
      run.call(made.exports, made.exports, load, made, path, dirname(path));
    } catch (error) {
      this.loaded.delete(path);
      throw error;
    }
    return made;
  }

  private requireFrom(load: NodeJS.Require, folder: string): NodeJS.Require {
    return new Proxy(load, {
      apply: (_, self, args: [string]) => {
        const [name] = args;
        if (name === 'tslab') return require('tslab') as unknown;
        const ready = this.imported.get(name) ?? this.side(folder, name)?.exports;
        if (ready !== undefined) return ready as unknown;
        if (this.isOwn(name)) return require(ownRoot) as unknown;
        return Reflect.apply(load, self, args) as unknown;
      },
    });
  }

  /** Whether the library is asked for where only the kernel has it. */
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

/** Where `require` finds it; `undefined` if it does not. */
function pathOf({ resolve }: NodeJS.Require, name: string): string | undefined {
  try {
    return resolve(name);
  } catch {
    return undefined;
  }
}

/** Whether a package is there at all: `require` may be denied what `import` is given. */
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

/** As Node decides: by the ending, else by the nearest package.json. */
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

/** Compiles a module, as Node does. */
function wrap(source: string, filename: string): ModuleFunction {
  return vm.runInThisContext(Module.wrap(source), { filename }) as ModuleFunction;
}

/** A namespace in the form that compiled `import` statements read: names and default as they are. */
function asCommonJs(namespace: object): object {
  const properties = Object.keys(namespace).map(
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
      __esModule: { value: true },
    },
  );
}

/** Node's own `import()`, as a file in `folder` would call it. */
function importFrom(folder: string): (name: string, options: ImportOptions) => Promise<object> {
  const emit = process.emitWarning.bind(process);
  // That the constant is experimental in some versions of Node is no news for whoever runs a cell.
  process.emitWarning = (warning: string | Error, ...rest: never[]): void => {
    if (!String(warning).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER')) emit(warning, ...rest);
  };
  return vm.runInThisContext('(name, options) => import(name, options)', {
    filename: join(folder, 'cell.js'),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }) as ReturnType<typeof importFrom>;
}
