import { relative } from 'node:path';
import vm from 'node:vm';
import { InterruptedError } from '../base/errors';
import { isShown } from '../base/interrupt';
import type { Cells } from './cells';
import type { CompiledCell, CompiledCode, Compiler } from './compiler';
import { Declarations } from './declarations';
import { hooksName } from './instrument';
import type { Modules } from './modules';
import { ownCell, ownParameter, parameterOf } from './scope';
import type { OwnCell } from './scope';
import { slots } from './shared';
import type { Locate } from './stack';

/** The value of a cell's last expression. */
export interface CellValue {
  readonly value: unknown;
}

/** The function of a compiled cell, with everything that it uses bound. */
type Body = () => unknown;

/** How many cells are kept to find places in error messages. */
const remembered = 2000;
/** How long to wait for the signal that the socket thread is sending. */
const signalMs = 1000;

/** Runs cells one after the other in this process, where their variables persist. */
export class Executor {
  /** The declarations of all cells so far. */
  declarations: Declarations = Declarations.none;
  private readonly compiler: Compiler;
  private readonly modules: Modules;
  private readonly cells: Cells;
  private readonly flags: Int32Array;
  private readonly folder: string;
  /** The cell that currently owns the variable of a name. */
  private readonly owners = new Map<string, number>();
  /** The variables of cells, by cell: each an object of accessors. */
  private readonly variables = new Map<number, object>();
  private readonly ran = new Map<
    string,
    { label: string; source: string; placeOf: CompiledCode['placeOf'] }
  >();
  private count = 0;
  private bind: (factory: (...given: unknown[]) => Body) => Body = () => () => undefined;

  constructor(
    compiler: Compiler,
    modules: Modules,
    cells: Cells,
    flags: Int32Array,
    folder: string,
  ) {
    this.compiler = compiler;
    this.modules = modules;
    this.cells = cells;
    this.flags = flags;
    this.folder = folder;
    const hooks = Object.assign(cells.hooks, modules.hooks, {
      run: (factory: (...given: unknown[]) => Body) => this.runBreakable(this.bind(factory)),
    });
    Object.defineProperty(globalThis, hooksName, { value: hooks });
  }

  /**
   * Runs a cell.
   *
   * @param label names the cell in error messages
   * @param stopped rejects to end the wait for the cell
   * @returns the value of its last expression, if it ends with one
   * @throws CompileError, or whatever the cell throws
   */
  async execute(source: string, label: string, stopped: Promise<never>): Promise<CellValue> {
    const compiled = this.compile(source);
    const own = ownCell();
    const id = (this.count += 1);
    try {
      const work = this.run(compiled, { id, label, source, own });
      await Promise.race([work, stopped]);
      this.adopt(id, own, compiled.declarations, () => true);
      return { value: own.value };
    } catch (error) {
      // Names that have a value are kept; the others mean what earlier cells have declared.
      this.adopt(id, own, compiled.declarations, (name) => hasValue(own.names, name));
      throw error;
    }
  }

  /** Evaluates an expression without changing the declarations. */
  async evaluate(source: string): Promise<unknown> {
    const own = ownCell();
    const id = (this.count += 1);
    await this.run(this.compile(`(${source})`), { id, label: 'expression', source, own });
    return own.value;
  }

  private compile(source: string): CompiledCell {
    const { compiler, declarations, owners } = this;
    return compiler.compile({ declarations, ownerOf: (name) => owners.get(name) }, source);
  }

  /** Makes the names of a cell visible to later cells. */
  private adopt(
    id: number,
    own: OwnCell,
    declarations: Declarations,
    isKept: (name: string) => boolean,
  ): void {
    this.declarations = this.declarations.followedBy(declarations, isKept);
    for (const name of Object.keys(own.names)) {
      if (isKept(name)) this.owners.set(name, id);
    }
    this.variables.set(id, own.names);
    const owning = new Set(this.owners.values());
    for (const cell of this.variables.keys()) {
      if (!owning.has(cell)) this.variables.delete(cell);
    }
  }

  private async run(
    compiled: CompiledCell,
    cell: { id: number; label: string; source: string; own: OwnCell },
  ): Promise<void> {
    const { modules } = this;
    modules.add(compiled.modules);
    for (const [path, { source, placeOf }] of compiled.modules) {
      this.ran.set(path, { label: relative(this.folder, path), source, placeOf });
    }
    if (modules.needs(compiled.imports)) await modules.prepare(compiled.imports);
    const { id, label, source } = cell;
    const file = `jupyter-cell:${id}`;
    this.ran.set(file, { label, source, placeOf: compiled.placeOf });
    this.ran.delete(`jupyter-cell:${id - remembered}`);
    try {
      await this.start(compiled, file, cell.own);
    } catch (cause) {
      const isBroken = isBrokenOff(cause);
      if (isBroken) this.cells.creditSignals();
      // The code was broken off, or a child process that it was waiting for.
      if (!isShown(cause) && (isBroken || this.cells.isInterrupted)) {
        throw new InterruptedError('Interrupted.', { cause });
      }
      throw cause;
    }
  }

  private start({ code, isAsync, uses }: CompiledCell, filename: string, own: OwnCell): unknown {
    const { names, values } = this.modules.scope;
    const parameters = [ownParameter, ...uses.map(parameterOf), ...names].join(', ');
    const prefix = `${hooksName}.run((${parameters}) => (${isAsync ? 'async ' : ''}function () { "use strict"; `;
    const script = new vm.Script(`${prefix}${code}\n}))`, {
      filename,
      columnOffset: -prefix.length,
    });
    const earlier = uses.map((cell) => this.variables.get(cell));
    this.bind = (factory) => factory(own, ...earlier, ...values);
    try {
      // By default, Node writes the compiled line into the stack of an error.
      return script.runInThisContext({ breakOnSigint: true, displayErrors: false });
    } finally {
      rearm();
    }
  }

  /**
   * Runs code that a signal breaks off (`breakOnSigint`). The socket thread sends at most one signal, and only while the
   * flag is set: before and after, a signal would end the process.
   */
  private runBreakable(body: Body): unknown {
    const { flags } = this;
    Atomics.store(flags, slots.isBreakable, 1);
    try {
      return body();
    } finally {
      const wasTaken = Atomics.compareExchange(flags, slots.isBreakable, 1, 0) === 0;
      // The signal is on its way and must arrive here, where it ends the script.
      const until = Date.now() + signalMs;
      if (wasTaken) while (Date.now() < until) Atomics.wait(flags, slots.isBreakable, 0, 5);
    }
  }

  /** Maps a stack frame to the source of its cell or file. */
  readonly locate: Locate = (file, place) => {
    const found = this.ran.get(file);
    if (found === undefined) return file.startsWith('jupyter-cell:') ? 'nowhere' : undefined;
    const at = found.placeOf(place);
    return at === undefined ? 'nowhere' : { label: found.label, source: found.source, place: at };
  };
}

/** Whether a signal has broken the script off. A cell may throw anything, even a value that throws when it is read. */
function isBrokenOff(cause: unknown): boolean {
  try {
    const { code } = cause as NodeJS.ErrnoException;
    return code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED' && cause instanceof Error;
  } catch {
    return false;
  }
}

/** Whether a variable has a value. A declaration that a failed cell did not reach throws when it is read. */
function hasValue(names: object, name: string): boolean {
  try {
    return (names as Record<string, unknown>)[name] !== undefined;
  } catch {
    return false;
  }
}

/**
 * Reattaches the SIGINT listeners: Node removes them while a script may be broken off. If the script has added one, Node
 * restores them without subscribing to the signal again.
 */
function rearm(): void {
  const listeners = process.rawListeners('SIGINT') as NodeJS.SignalsListener[];
  if (listeners.length < 2) return;
  process.removeAllListeners('SIGINT');
  for (const listener of listeners) process.on('SIGINT', listener);
}
