import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { KernelError } from '../base/errors';
import { provideKernelHost } from '../base/kernel-host';
import type { DisplayMessage, MimeBundle } from '../base/kernel-host';
import { cacheRoot } from '../base/cache-root';
import { Cells } from './cells';
import type { Cell } from './cells';
import { Compiler } from './compiler';
import { Executor } from './executor';
import { History } from './history';
import type { Link } from './link';
import { Modules } from './modules';
import { Output } from './output';
import { pointsAt, unitsAt } from './positions';
import { reportError } from './traceback';
import type { ErrorReport } from './traceback';
import type { Request } from './wire';

/** What a client asks to run. */
interface ExecuteRequest {
  readonly code: string;
  readonly silent?: boolean;
  readonly store_history?: boolean;
  readonly stop_on_error?: boolean;
  readonly user_expressions?: Readonly<Record<string, string>>;
}

/** A method of a value that knows how it wants to be shown, as in Deno. */
const displayMethod = Symbol.for('Jupyter.display');

/**
 * The main thread of a Jupyter kernel. The notebook's folder is the working directory.
 *
 * Cells run one after the other. What else a client asks is answered at once, also while a cell awaits something.
 */
export class Kernel {
  private readonly link: Link;
  private readonly cells: Cells;
  private readonly output: Output;
  private readonly history: History;
  private readonly compiler: Compiler;
  private readonly executor: Executor;
  private readonly moduleOf: (source: string) => { module?: string; mode?: string };
  /** Cells that wait for their turn. */
  private readonly queue: Request[] = [];
  private isBusy = false;
  private count = 0;

  /** Takes a second or two, in which the compiler reads its libraries. */
  constructor(link: Link) {
    this.link = link;
    this.output = new Output(link);
    this.cells = new Cells(link.flags, () => {
      const cell = this.cells.current;
      const text = 'Stopping after the present step; interrupt once more to stop at once.\n';
      if (cell !== undefined) this.output.write(cell, 'stderr', text);
    });
    this.history = new History(join(cacheRoot(), 'kernel-history.jsonl'), (text) =>
      writeSync(2, `${text}\n`),
    );
    const folder = process.cwd();
    this.compiler = new Compiler(folder);
    this.executor = new Executor(this.compiler, new Modules(folder), this.cells, link.flags);
    const tslab = createRequire(require.resolve('tslab/package.json'));
    const metadata = tslab('./dist/metadata.js') as { getCodeMetadata: Kernel['moduleOf'] };
    this.moduleOf = metadata.getCodeMetadata;
    // What `import { display } from 'tslab'` shows goes the same way.
    const jupyter = tslab('./dist/jupyter.js') as { lastWriteDisplayData: unknown };
    jupyter.lastWriteDisplayData = (content: object, isUpdate: boolean): void => {
      this.show(isUpdate ? 'update_display_data' : 'display_data', content);
    };
    this.serveProcess();
  }

  /** Makes this process one whose output goes to cells, and that outlives what they do. */
  private serveProcess(): void {
    const { cells, output } = this;
    output.capture('stdout', () => cells.current);
    output.capture('stderr', () => cells.current);
    provideKernelHost({
      interruptSignal: () => cells.signal(),
      display: ({ data, metadata, id, isUpdate }: DisplayMessage) => {
        const content = { data, metadata, transient: { display_id: id } };
        this.show(isUpdate ? 'update_display_data' : 'display_data', content);
      },
      clearOutput: (wait) => this.show('clear_output', { wait }),
    });
    const uncaught = (error: unknown): void => {
      const { traceback } = reportError(error, '', '', this.executor.locate);
      process.stderr.write(`Not caught by the cell that began it:\n${traceback.join('\n')}\n`);
    };
    process.on('uncaughtException', uncaught);
    process.on('unhandledRejection', uncaught);
    process.on('SIGINT', () => cells.handleSignal());
    process.on('exit', () => {
      output.flush();
      this.link.close();
    });
  }

  private show(type: string, content: object): void {
    const cell = this.cells.current;
    if (cell !== undefined) this.output.send(cell, type, content);
  }

  /** An interrupt has reached the sockets. */
  interrupt(): void {
    this.cells.handleInterrupt();
  }

  /** Takes a request; the answer follows in its own time. */
  receive(request: Request): void {
    if (request.type === 'execute_request') {
      this.queue.push(request);
      void this.work();
      return;
    }
    const content = JSON.parse(request.content) as Record<string, unknown>;
    this.status(request, 'busy');
    try {
      const answer = this.answer(request, content);
      if (answer !== undefined) this.reply(request, { status: 'ok', ...answer });
    } catch (error) {
      this.reply(request, { status: 'error', ...reportError(error, '', '', this.executor.locate) });
    }
    this.status(request, 'idle');
  }

  /** The answer to what is no cell; `undefined` if there is none to this. */
  private answer(request: Request, content: Record<string, unknown>): object | undefined {
    const { code = '', cursor_pos: point = 0 } = content as { code?: string; cursor_pos?: number };
    switch (request.type) {
      case 'complete_request':
        return this.complete(code, unitsAt(code, point));
      case 'inspect_request': {
        const { declarations } = this.executor;
        const text = this.compiler.inspect(declarations, code, unitsAt(code, point));
        const data = text === undefined ? {} : { 'text/plain': text };
        return { found: text !== undefined, data, metadata: {} };
      }
      case 'is_complete_request':
        return this.compiler.completeness(code);
      case 'history_request': {
        const withOutput = content['output'] === true;
        const found = this.history.find(content);
        return {
          history: found.map(({ session, line, source }) => [
            session,
            line,
            withOutput ? [source, null] : source,
          ]),
        };
      }
      case 'comm_info_request':
        return { comms: {} };
      case 'comm_open': {
        // There is nobody here to talk to.
        const { comm_id: id } = content;
        this.output.send({ request, isSilent: false }, 'comm_close', { comm_id: id, data: {} });
        return undefined;
      }
      default:
        return undefined;
    }
  }

  private complete(code: string, position: number): object {
    const found = this.compiler.complete(this.executor.declarations, code, position);
    const start = pointsAt(code, found.start);
    const end = pointsAt(code, found.end);
    const kinds = new Map(found.original?.entries.map(({ name, kind }) => [name, kind]));
    const types = found.candidates.map((text) => ({
      text,
      type: kinds.get(text) ?? '',
      start,
      end,
    }));
    return {
      matches: found.candidates,
      cursor_start: start,
      cursor_end: end,
      metadata: { _jupyter_types_experimental: types },
    };
  }

  private async work(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      await this.execute(next);
      // Interrupts and other requests have their turn between two cells.
      await turn();
    }
    this.isBusy = false;
  }

  private async execute(request: Request): Promise<void> {
    const { code, silent = false, ...asked } = JSON.parse(request.content) as ExecuteRequest;
    const isStored = !silent && (asked.store_history ?? true);
    this.status(request, 'busy');
    if (isStored) this.count += 1;
    const number = this.count;
    const cell: Cell = { request, isSilent: silent };
    this.output.send(cell, 'execute_input', { code, execution_count: number });
    if (isStored) this.history.add(number, code);
    const question = /^\s*([\w$.]+)\?\??\s*$/.exec(code)?.[1];
    if (question !== undefined) return this.explain(request, number, question);
    try {
      const expressions = await this.cells.run(cell, async (stopped) => {
        const data = await this.run(code, `[${number}]`, stopped);
        if (data !== undefined) {
          const content = { execution_count: number, data, metadata: {} };
          this.output.send(cell, 'execute_result', content);
        }
        return this.evaluate(asked.user_expressions ?? {});
      });
      this.output.flush();
      const answer = { status: 'ok', execution_count: number, payload: [] };
      this.reply(request, { ...answer, user_expressions: expressions });
      this.status(request, 'idle');
    } catch (error) {
      const report = reportError(error, `[${number}]`, code, this.executor.locate);
      await this.fail(cell, number, report, asked.stop_on_error ?? true);
    }
  }

  /** Answers `name?`, which is no TypeScript, as IPython does: with what is known about the name. */
  private explain(request: Request, number: number, name: string): void {
    const { declarations } = this.executor;
    const text = this.compiler.inspect(declarations, name, name.length - 1);
    const data = { 'text/plain': text ?? `Nothing is known about ${name}.` };
    this.reply(request, {
      status: 'ok',
      execution_count: number,
      payload: [{ source: 'page', data, start: 0 }],
      user_expressions: {},
    });
    this.status(request, 'idle');
  }

  /** Tells of a cell that failed. What was sent before anyone could know of it goes unanswered, if so it was asked. */
  private async fail(
    cell: Cell,
    number: number,
    report: ErrorReport,
    isStopping: boolean,
  ): Promise<void> {
    await this.link.sync();
    const aborted = isStopping ? this.queue.splice(0) : [];
    this.output.send(cell, 'error', report);
    this.reply(cell.request, { status: 'error', execution_count: number, ...report });
    this.status(cell.request, 'idle');
    for (const request of aborted) {
      this.status(request, 'busy');
      this.reply(request, { status: 'aborted', execution_count: number });
      this.status(request, 'idle');
    }
  }

  /** Runs a cell; what it comes to, ready to be shown. */
  private async run(
    code: string,
    label: string,
    stopped: Promise<never>,
  ): Promise<MimeBundle | undefined> {
    const { module: name, mode } = this.moduleOf(code);
    if (mode === 'browser') {
      throw new KernelError(
        'kernel: a cell for the browser (@browser) cannot be run here; remove the mark.',
      );
    }
    if (name !== undefined) {
      this.compiler.addModule(name, code);
      return undefined;
    }
    const found = await this.executor.execute(code, label, stopped);
    return represent(found?.value);
  }

  private async evaluate(expressions: Readonly<Record<string, string>>): Promise<object> {
    const found: Record<string, object> = {};
    for (const [name, code] of Object.entries(expressions)) {
      try {
        const value = await this.executor.evaluate(code);
        found[name] = { status: 'ok', data: represent(value) ?? {}, metadata: {} };
      } catch (error) {
        const report = reportError(error, name, code, this.executor.locate);
        found[name] = { status: 'error', ...report };
      }
    }
    return found;
  }

  private status(request: Request, state: 'busy' | 'idle'): void {
    if (state === 'idle') this.output.flush();
    this.output.send({ request, isSilent: false }, 'status', { execution_state: state });
  }

  private reply(request: Request, content: object): void {
    const { channel, idents, type, header: parent } = request;
    this.link.send({
      channel,
      idents,
      type: type.replace('_request', '_reply'),
      parent,
      metadata: '{}',
      content: JSON.stringify(content),
    });
  }
}

/** A value as the result of a cell: in the way it asks for, else as text; `undefined` if there is nothing to show. */
function represent(value: unknown): MimeBundle | undefined {
  if (value === undefined) return undefined;
  const shown: { [displayMethod]?: () => MimeBundle | undefined } | null = value;
  if (typeof shown?.[displayMethod] === 'function') return shown[displayMethod]();
  const isTable = typeof value === 'string' && value.includes('\n');
  return { 'text/plain': isTable ? value : inspect(value) };
}
