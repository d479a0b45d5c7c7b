import vm from 'node:vm';
import { InterruptedError } from '../base/errors';
import type { Cells } from './cells';
import type { CompiledCell, Compiler } from './compiler';
import { declarationsAfterFailure } from './declarations';
import { hooksName } from './instrument';
import type { Modules } from './modules';
import { slots } from './shared';
import type { Locate } from './traceback';

/** What a cell's last expression came to. */
export interface CellValue {
  readonly value: unknown;
}

/** How many cells are remembered for finding places in error messages. */
const remembered = 2000;
/** How long to wait for the thread of the sockets while it sends a signal. */
const signalMs = 1000;

/** Runs cells, one after the other, in this process, where what they declare lives on. */
export class Executor {
  /** The declarations of all cells so far. */
  declarations = '';
  private readonly compiler: Compiler;
  private readonly modules: Modules;
  private readonly cells: Cells;
  private readonly flags: Int32Array;
  /** What the cells export to each other. */
  private readonly values: Record<string, unknown> = {};
  private readonly ran = new Map<
    string,
    { label: string; source: string; placeOf: CompiledCell['placeOf'] }
  >();
  private count = 0;

  constructor(compiler: Compiler, modules: Modules, cells: Cells, flags: Int32Array) {
    this.compiler = compiler;
    this.modules = modules;
    this.cells = cells;
    this.flags = flags;
    const { values } = this;
    const define = (target: object, name: string, property: PropertyDescriptor): void => {
      // Imports are exported by getters, and later cells may declare the same names.
      if (target !== values) Object.defineProperty(target, name, property);
      else if (property.get !== undefined) values[name] = property.get() as unknown;
    };
    const load = modules.load.bind(modules);
    const hooks = Object.assign(cells.hooks, {
      exports: values,
      define,
      load,
      require: modules.require,
    });
    Object.defineProperty(globalThis, hooksName, { value: hooks });
  }

  /**
   * Runs a cell.
   *
   * @param label what error messages call it
   * @param stopped rejects when the cell is not to be waited for any longer
   * @returns what its last expression came to, if it ends with one
   * @throws CompileError, or whatever the cell throws
   */
  async execute(
    source: string,
    label: string,
    stopped: Promise<never>,
  ): Promise<CellValue | undefined> {
    const earlier = this.declarations;
    const compiled = this.compiler.compile(earlier, source);
    const old = { ...this.values };
    try {
      const work = this.run(compiled, label, source);
      const found = await Promise.race([work, stopped]);
      this.declarations = compiled.declarations;
      return found;
    } catch (error) {
      // A value that the cell only began to replace is still there.
      for (const [name, value] of Object.entries(old)) this.values[name] ??= value;
      this.declarations = declarationsAfterFailure(
        earlier,
        compiled.declarations,
        (name) => this.values[name] !== undefined && this.values[name] !== old[name],
      );
      throw error;
    }
  }

  /** The value of an expression, which changes no declaration. */
  async evaluate(expression: string): Promise<unknown> {
    const compiled = this.compiler.compile(this.declarations, `(${expression})`);
    return (await this.run(compiled, 'expression', expression))?.value;
  }

  private async run(
    compiled: CompiledCell,
    label: string,
    source: string,
  ): Promise<CellValue | undefined> {
    const { modules, values } = this;
    modules.add(compiled.modules);
    if (modules.needs(compiled.imports)) await modules.prepare(compiled.imports);
    try {
      await this.start(compiled, this.remember(compiled, label, source));
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException | null)?.code;
      const isBroken = code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED';
      if (isBroken) this.cells.creditSignals();
      // Broken off, or a child process was that it was waiting for.
      if (isBroken || this.cells.isInterrupted) {
        throw new InterruptedError('Interrupted.', { cause });
      }
      throw cause;
    }
    if (compiled.result === undefined) return undefined;
    const value = values[compiled.result];
    // Not deleted: an object that loses properties becomes slow, and loops of cells store in this one.
    values[compiled.result] = undefined;
    return { value };
  }

  private remember({ placeOf }: CompiledCell, label: string, source: string): string {
    const file = `jupyter-cell:${(this.count += 1)}`;
    this.ran.set(file, { label, source, placeOf });
    this.ran.delete(`jupyter-cell:${this.count - remembered}`);
    return file;
  }

  private start({ code, isAsync }: CompiledCell, filename: string): unknown {
    const prefix = `(${isAsync ? 'async ' : ''}function (exports, require) { `;
    const script = new vm.Script(
      `${prefix}${code}\n})(${hooksName}.exports, ${hooksName}.require)`,
      { filename, columnOffset: -prefix.length },
    );
    Atomics.store(this.flags, slots.isBreakable, 1);
    try {
      return script.runInThisContext({ breakOnSigint: true });
    } finally {
      Atomics.store(this.flags, slots.isBreakable, 0);
      // A signal that is on its way is for this cell: it must not arrive in the next one.
      Atomics.wait(this.flags, slots.isSignalling, 1, signalMs);
      rearm();
    }
  }

  /** The cell of a frame of a stack and the place in it; see `reportError`. */
  readonly locate: Locate = (file, place) => {
    const found = this.ran.get(file);
    const at = found?.placeOf(place);
    if (found === undefined || at === undefined) return undefined;
    return { label: found.label, source: found.source, place: at };
  };
}

/**
 * Makes the listeners for SIGINT heard again: Node takes them off while a script may be broken off, and puts them back
 * without asking the operating system for the signal if the script has added one.
 */
function rearm(): void {
  const listeners = process.rawListeners('SIGINT') as NodeJS.SignalsListener[];
  if (listeners.length < 2) return;
  process.removeAllListeners('SIGINT');
  for (const listener of listeners) process.on('SIGINT', listener);
}
