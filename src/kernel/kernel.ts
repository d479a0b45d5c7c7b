import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { KernelError } from '../base/errors';
import { isShown } from '../base/interrupt';
import { provideKernelHost } from '../base/kernel-host';
import type { DisplayMessage, MimeBundle } from '../base/kernel-host';
import { cacheRoot } from '../base/cache-root';
import { answer } from './answers';
import { Cells } from './cells';
import type { Cell } from './cells';
import { Compiler } from './compiler';
import { inspectName } from './completion';
import { Executor } from './executor';
import { History } from './history';
import { Input } from './input';
import type { Link } from './link';
import { Modules } from './modules';
import { Output } from './output';
import { hideTracking, represent } from './represent';
import { installStacks } from './stack';
import { captureDescriptors } from './stdio';
import { printToTerminal } from './terminal';
import { reportError } from './traceback';
import type { ErrorReport } from './traceback';
import { marksOf, tslabLoader } from './tslab';
import { objectIn } from './wire';
import type { Request } from './wire';

/** The content of an execute_request. */
interface ExecuteRequest {
  readonly code: string;
  readonly isSilent: boolean;
  readonly isStored: boolean;
  readonly stopsOnError: boolean;
  readonly takesInput: boolean;
  readonly expressions: Readonly<Record<string, string>>;
}

/**
 * The main thread of a Jupyter kernel. The notebook's folder is the working directory.
 *
 * Cells run one after the other. Other requests are answered at once, even while a cell awaits something.
 */
export class Kernel {
  private readonly link: Link;
  private readonly cells: Cells;
  private readonly output: Output;
  private readonly input: Input;
  private readonly history: History;
  private readonly compiler: Compiler;
  private readonly executor: Executor;
  /** Cells that wait for their turn. */
  private readonly queue: Request[] = [];
  private isBusy = false;
  private count = 0;
  /** A warning that the first cell prints. */
  private warning: string | undefined;

  /** Takes a second or two, while the compiler reads its libraries. */
  constructor(link: Link) {
    this.link = link;
    this.output = new Output(link);
    this.cells = new Cells(link.flags, () => {
      const cell = this.cells.current;
      const text = 'Stopping after the current step; interrupt again to stop immediately.\n';
      if (cell !== undefined) this.output.write(cell, 'stderr', text);
    });
    this.history = new History(join(cacheRoot(), 'kernel-history.jsonl'), printToTerminal);
    const folder = process.cwd();
    this.compiler = new Compiler(folder);
    this.warning = this.compiler.warning;
    const tslab = tslabLoader((content, isUpdate) =>
      this.show(isUpdate ? 'update_display_data' : 'display_data', content),
    );
    const modules = new Modules(folder, tslab);
    this.executor = new Executor(this.compiler, modules, this.cells, link.flags, folder);
    this.input = new Input({ ask: () => this.ask() });
    this.serveProcess();
  }

  /** Routes the output of this process to cells, and keeps it alive through their errors and interrupts. */
  private serveProcess(): void {
    const { cells, output, executor } = this;
    output.capture('stdout', () => cells.current);
    output.capture('stderr', () => cells.current);
    captureDescriptors();
    hideTracking();
    installStacks(executor.locate);
    provideKernelHost({
      interruptSignal: () => cells.signal(),
      display: ({ data, metadata, id, isUpdate }: DisplayMessage) => {
        const content = { data, metadata, transient: { display_id: id } };
        this.show(isUpdate ? 'update_display_data' : 'display_data', content);
      },
      clearOutput: (wait) => this.show('clear_output', { wait }),
    });
    const uncaught = (error: unknown): void => {
      const { traceback } = reportError(error, '', '', executor.locate);
      process.stderr.write(
        `Uncaught error in background work of a cell:\n${traceback.join('\n')}\n`,
      );
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

  /** Handles an interrupt that has reached the sockets. */
  interrupt(): void {
    this.cells.handleInterrupt();
  }

  /** Takes a request; the reply to a cell follows when the cell has run. */
  receive(request: Request): void {
    if (request.type === 'execute_request') {
      this.queue.push(request);
      void this.work();
      return;
    }
    this.status(request, 'busy');
    try {
      this.handle(request);
    } catch (error) {
      this.refuse(request, error);
    } finally {
      this.status(request, 'idle');
    }
  }

  /** Answers a request that runs no cell. */
  private handle(request: Request): void {
    const { type } = request;
    const content = objectIn(request.content, `the content of ${type}`);
    if (type === 'input_reply') {
      const { value } = content;
      this.input.give(typeof value === 'string' ? value : '');
    } else if (type === 'comm_open') {
      // This kernel has no comm targets.
      const closed = { comm_id: content['comm_id'], data: {} };
      this.output.send({ request, isSilent: false }, 'comm_close', closed);
    } else if (type.endsWith('_request')) {
      const { compiler, history, executor } = this;
      const { declarations } = executor;
      const found = answer(type, content, { compiler, declarations, history });
      if (found === undefined) {
        throw new KernelError(`kernel: the request "${type}" is not supported.`);
      }
      this.reply(request, { status: 'ok', ...found });
    }
  }

  /** Answers a request that failed. */
  private refuse(request: Request, error: unknown): void {
    const report = reportError(error, '', '', this.executor.locate);
    if (request.type.endsWith('_request')) this.reply(request, { status: 'error', ...report });
  }

  private async work(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      this.status(next, 'busy');
      let aborted: readonly Request[] = [];
      try {
        aborted = await this.execute(next);
      } catch (error) {
        const report = reportError(error, '', '', this.executor.locate);
        this.reply(next, { status: 'error', execution_count: this.count, ...report });
      }
      this.status(next, 'idle');
      for (const request of aborted) this.abort(request);
      // Interrupts and other requests get a turn between two cells.
      await turn();
    }
    this.isBusy = false;
  }

  /** @returns the requests that its failure aborts */
  private async execute(request: Request): Promise<readonly Request[]> {
    const asked = executeRequestOf(request);
    const { code, isSilent, isStored } = asked;
    if (isStored) this.count += 1;
    const number = this.count;
    const cell: Cell = { request, isSilent, takesInput: asked.takesInput };
    this.output.send(cell, 'execute_input', { code, execution_count: number });
    if (isStored) this.history.add(number, code);
    const question = /^\s*([\w$.]+)\?\??\s*$/.exec(code)?.[1];
    if (question !== undefined) {
      this.explain(request, number, question);
      return [];
    }
    if (this.warning !== undefined) this.output.write(cell, 'stderr', `${this.warning}\n`);
    this.warning = undefined;
    try {
      const expressions = await this.cells.run(cell, async (stopped) => {
        const data = await this.run(code, `[${number}]`, stopped);
        if (data !== undefined) {
          const content = { execution_count: number, data, metadata: {} };
          this.output.send(cell, 'execute_result', content);
        }
        return this.evaluate(asked.expressions);
      });
      this.output.flush();
      const done = { status: 'ok', execution_count: number, payload: [] };
      this.reply(request, { ...done, user_expressions: expressions });
      return [];
    } catch (error) {
      const report = reportError(error, `[${number}]`, code, this.executor.locate);
      return await this.fail(cell, number, { report, isShown: isShown(error) }, asked.stopsOnError);
    } finally {
      this.input.reset();
    }
  }

  /** Answers `name?`, which is not TypeScript, as IPython does: with what is known about the name. */
  private explain(request: Request, number: number, name: string): void {
    const { declarations } = this.executor;
    const text = inspectName(this.compiler, declarations, name, name.length - 1);
    const data = { 'text/plain': text ?? `No information about ${name}.` };
    this.reply(request, {
      status: 'ok',
      execution_count: number,
      payload: [{ source: 'page', data, start: 0 }],
      user_expressions: {},
    });
  }

  /**
   * Reports a cell that failed. A cell that has already shown the reason, such as stopped training, gets no traceback.
   *
   * @returns the requests sent before the client could know of the failure, if the client wants them aborted
   */
  private async fail(
    cell: Cell,
    number: number,
    { report, isShown }: { readonly report: ErrorReport; readonly isShown: boolean },
    isStopping: boolean,
  ): Promise<readonly Request[]> {
    await this.link.sync();
    const aborted = isStopping ? this.queue.splice(0) : [];
    if (!isShown) this.output.send(cell, 'error', report);
    this.reply(cell.request, { status: 'error', execution_count: number, ...report });
    return aborted;
  }

  private abort(request: Request): void {
    this.status(request, 'busy');
    this.reply(request, { status: 'aborted', execution_count: this.count });
    this.status(request, 'idle');
  }

  /** Runs a cell and returns its result as a MIME bundle. */
  private async run(
    code: string,
    label: string,
    stopped: Promise<never>,
  ): Promise<MimeBundle | undefined> {
    const { module: name, isForBrowser } = marksOf(code);
    if (isForBrowser) {
      throw new KernelError(
        'kernel: this kernel cannot run a cell for the browser; remove @browser.',
      );
    }
    if (name !== undefined) {
      this.compiler.addModule(name, code);
      return undefined;
    }
    const { value } = await this.executor.execute(code, label, stopped);
    return represent(value);
  }

  private async evaluate(expressions: Readonly<Record<string, string>>): Promise<object> {
    const found: Record<string, object> = {};
    for (const [name, code] of Object.entries(expressions)) {
      try {
        const value = await this.executor.evaluate(code);
        found[name] = { status: 'ok', data: (await represent(value)) ?? {}, metadata: {} };
      } catch (error) {
        const report = reportError(error, name, code, this.executor.locate);
        found[name] = { status: 'error', ...report };
      }
    }
    return found;
  }

  /** Asks the client, on the stdin socket, for the line that a cell reads. @returns false if no cell is running */
  private ask(): boolean {
    const cell = this.cells.active;
    if (cell === undefined) return false;
    if (cell.takesInput !== true) {
      this.cells.fail(
        new KernelError(
          'kernel: the cell reads its standard input, and this client does not allow input requests (allow_stdin). ' +
            'Give the value in the code.',
        ),
      );
      return true;
    }
    this.output.flush();
    const { idents, header: parent } = cell.request;
    const content = JSON.stringify({ prompt: '', password: false });
    const type = 'input_request';
    this.link.send({ channel: 'stdin', idents, type, parent, metadata: '{}', content });
    return true;
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

/** @throws KernelError if the content is not an object or has no code */
function executeRequestOf({ content, type }: Request): ExecuteRequest {
  const given = objectIn(content, `the content of ${type}`);
  const { code, user_expressions: expressions } = given;
  if (typeof code !== 'string') {
    throw new KernelError(`kernel: the content of ${type} has no "code" string.`);
  }
  const isObject = typeof expressions === 'object' && expressions !== null;
  const texts = Object.entries(isObject ? expressions : {});
  const isSilent = given['silent'] === true;
  return {
    code,
    isSilent,
    isStored: !isSilent && given['store_history'] !== false,
    stopsOnError: given['stop_on_error'] !== false,
    takesInput: given['allow_stdin'] === true,
    expressions: Object.fromEntries(texts.map(([name, text]) => [name, String(text)])),
  };
}
