import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Dealer, Request as Asker, Subscriber } from 'zeromq';

/** A message as a client receives it. */
export interface Message {
  readonly type: string;
  /** The id of its parent request. */
  readonly about: string | undefined;
  // The content depends on the type; the test knows which it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly content: any;
}

/** Everything that a request led to. */
export interface Outcome {
  readonly reply: Message['content'];
  /** All messages published for it, statuses included. */
  readonly published: readonly Message[];
  readonly stdout: string;
  readonly stderr: string;
  /** The text of its result, if it has one. */
  readonly result: string | undefined;
}

const delimiter = '<IDS|MSG>';

/** Below the range that systems hand out on their own, from which others could take a port before the kernel binds it. */
const firstPort = 10_000;
/** Each test process has its own ports. */
const portsOfProcess = 100;
let nextPort = 0;

/** Free ports of this machine. */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = firstPort + (process.pid % 200) * portsOfProcess + (nextPort++ % portsOfProcess);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) ports.push(port);
  }
  return ports;
}

/** How a kernel is started. */
export interface StartOptions {
  /** The command; `{connection_file}` is replaced. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A Jupyter client of one kernel that speaks the wire protocol itself, with the few parts that the tests need. */
export class Client {
  readonly process: ChildProcess;
  /** The output of the process itself, not of its cells. */
  log = '';
  readonly published: Message[] = [];
  readonly connectionFile: string;
  private readonly addresses: Readonly<Record<string, string>>;
  private readonly key = randomUUID();
  private readonly session = randomUUID();
  private readonly folder: string;
  private readonly shell: Dealer;
  private readonly control = new Dealer({ linger: 0 });
  /** A client's shell and stdin sockets share a routing id. */
  private readonly stdin: Dealer;
  /** Input requests that {@link asked} has not returned yet. */
  readonly unanswered: Message[] = [];
  private heard: (() => void) | undefined;
  private readonly iopub = new Subscriber({ linger: 0, receiveHighWaterMark: 0 });
  private readonly heartbeat = new Asker({ linger: 0 });
  private readonly replies = new Map<string, (content: Message['content']) => void>();
  private readonly watchers = new Set<(message: Message) => void>();

  private constructor({ argv, cwd, env = {} }: StartOptions, ports: readonly number[]) {
    const routingId = randomUUID();
    this.shell = new Dealer({ linger: 0, routingId });
    this.stdin = new Dealer({ linger: 0, routingId });
    this.folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-kernel-'));
    const [shell, control, iopub, hb, stdin] = ports;
    const file = join(this.folder, 'connection.json');
    this.connectionFile = file;
    const address = (port: number): string => `tcp://127.0.0.1:${port}`;
    writeFileSync(
      file,
      JSON.stringify({
        transport: 'tcp',
        ip: '127.0.0.1',
        key: this.key,
        signature_scheme: 'hmac-sha256',
        shell_port: shell,
        control_port: control,
        iopub_port: iopub,
        hb_port: hb,
        stdin_port: stdin,
        kernel_name: 'test',
      }),
    );
    const [program, ...args] = argv.map((part) => part.replace('{connection_file}', file));
    this.process = spawn(program, args, {
      cwd,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // As in jupyter_client, the kernel leads a process group.
      detached: true,
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.log += text;
      });
    }
    this.addresses = { iopub: address(iopub) };
    this.shell.connect(address(shell));
    this.control.connect(address(control));
    this.stdin.connect(address(stdin));
    this.heartbeat.connect(address(hb));
    this.iopub.connect(address(iopub));
    this.iopub.subscribe();
    void this.listen(this.shell);
    void this.listen(this.control);
    void this.listen(this.stdin);
    void this.listen(this.iopub);
  }

  /** The address of a kernel socket, for a second client. */
  address(socket: 'iopub'): string {
    return this.addresses[socket];
  }

  /** Starts a kernel and waits until it answers. */
  static async start(options: StartOptions): Promise<Client> {
    const client = new Client(options, await freePorts(5));
    const dead = once(client.process, 'exit').then(() => {
      throw new Error(`the kernel ended: ${client.log}`);
    });
    await Promise.race([client.ready(), dead]);
    dead.catch(() => undefined);
    return client;
  }

  private async ready(): Promise<void> {
    await this.ask('kernel_info_request');
    // Messages that are published before the subscription has arrived are lost.
    for (;;) {
      const count = this.published.length;
      await this.ask('kernel_info_request');
      await new Promise((done) => setTimeout(done, 20));
      if (this.published.length > count) return;
    }
  }

  private async listen(socket: Dealer | Subscriber): Promise<void> {
    try {
      for await (const frames of socket) this.take(frames, socket === this.iopub);
    } catch (error) {
      if (!socket.closed) throw error;
    }
  }

  private take(frames: readonly Buffer[], isPublished: boolean): void {
    const at = frames.findIndex((frame) => frame.toString('latin1') === delimiter);
    const [signature, header, parent, metadata, body] = frames.slice(at + 1);
    const hmac = createHmac('sha256', this.key);
    for (const part of [header, parent, metadata, body]) hmac.update(part);
    if (signature.toString() !== hmac.digest('hex')) throw new Error('a message is not signed');
    const { msg_type: type } = JSON.parse(String(header)) as { msg_type: string };
    const { msg_id: about } = JSON.parse(String(parent)) as { msg_id?: string };
    const content: Message['content'] = JSON.parse(String(body));
    if (isPublished) {
      const message: Message = { type, about, content };
      this.published.push(message);
      for (const watch of this.watchers) watch(message);
    } else if (type === 'input_request') {
      this.unanswered.push({ type, about, content });
      this.heard?.();
    } else if (about !== undefined) {
      this.replies.get(about)?.(content);
      this.replies.delete(about);
    }
  }

  /** Sends a request; `reply` resolves to the content of the reply, `id` is known at once. */
  send(
    type: string,
    content: object = {},
    channel: 'shell' | 'control' | 'stdin' = 'shell',
  ): { readonly id: string; readonly reply: Promise<Message['content']> } {
    const id = randomUUID();
    const header = JSON.stringify({
      msg_id: id,
      session: this.session,
      username: 'test',
      date: new Date().toISOString(),
      msg_type: type,
      version: '5.3',
    });
    const parts = [header, '{}', '{}', JSON.stringify(content)];
    const hmac = createHmac('sha256', this.key);
    for (const part of parts) hmac.update(part);
    const reply = new Promise<Message['content']>((done) => {
      this.replies.set(id, done);
    });
    void this[channel].send([delimiter, hmac.digest('hex'), ...parts]);
    return { id, reply };
  }

  ask(type: string, content?: object, channel?: 'shell' | 'control'): Promise<Message['content']> {
    return this.send(type, content, channel).reply;
  }

  /** Resolves to the next input request of a cell. */
  async asked(): Promise<Message> {
    for (;;) {
      const found = this.unanswered.shift();
      if (found !== undefined) return found;
      await new Promise<void>((done) => {
        this.heard = done;
      });
    }
  }

  /** Answers an input request. */
  answer(value: string): void {
    this.send('input_reply', { value, status: 'ok' }, 'stdin');
  }

  /** Resolves to the first message, past or future, for which `test` holds. */
  seen(test: (message: Message) => boolean): Promise<Message> {
    const found = this.published.find(test);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((done) => {
      const watch = (message: Message): void => {
        if (!test(message)) return;
        this.watchers.delete(watch);
        done(message);
      };
      this.watchers.add(watch);
    });
  }

  /** Sends a cell. */
  begin(
    code: string,
    options: object = {},
  ): { readonly id: string; readonly done: Promise<Outcome> } {
    const { id, reply } = this.send('execute_request', { code, ...options });
    return { id, done: this.finish(id, reply) };
  }

  /** Runs a cell and waits for its reply and its idle status. */
  run(code: string, options?: object): Promise<Outcome> {
    return this.begin(code, options).done;
  }

  private async finish(id: string, reply: Promise<Message['content']>): Promise<Outcome> {
    const isIdle = ({ type, about, content }: Message): boolean =>
      about === id && type === 'status' && content.execution_state === 'idle';
    const [content] = await Promise.all([reply, this.seen(isIdle)]);
    const published = this.published.filter(({ about }) => about === id);
    const text = (name: string): string =>
      published
        .filter(({ type, content }) => type === 'stream' && content.name === name)
        .map(({ content }) => content.text as string)
        .join('');
    const result = published.find(({ type }) => type === 'execute_result');
    return {
      reply: content,
      published,
      stdout: text('stdout'),
      stderr: text('stderr'),
      result: result?.content.data['text/plain'] as string | undefined,
    };
  }

  /** Does what the stop button does. */
  interrupt(): Promise<Message['content']> {
    return this.ask('interrupt_request', {}, 'control');
  }

  async beat(): Promise<string> {
    await this.heartbeat.send('ping');
    const [answer] = await this.heartbeat.receive();
    return String(answer);
  }

  /** Closes the sockets. */
  disconnect(): void {
    for (const socket of [this.shell, this.control, this.stdin, this.iopub, this.heartbeat])
      socket.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Kills the kernel, whatever its state. */
  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = once(this.process, 'exit');
      process.kill(-(this.process.pid ?? 0), 'SIGKILL');
      await ended;
    }
    this.disconnect();
  }
}
