import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { Router, XPublisher } from 'zeromq';
import { childrenOf } from './children';
import { slots } from './shared';
import type { FromSockets, SocketsData, ToSockets } from './shared';
import { decode, encode, objectIn } from './wire';
import type { Outgoing, Request } from './wire';

/**
 * The thread that holds the sockets. It answers what must be answered while a cell keeps the main thread busy (heartbeat,
 * interrupt, shutdown, kernel_info), passes requests on to the main thread, and sends what comes from there.
 */

/** How many messages may wait for a client before the kernel waits for it. */
const highWaterMark = 1000;
/** After which the system closes a connection whose other side takes nothing; less than the patience. */
const deafMs = 8000;
/** How long the kernel waits for a client that takes nothing before it continues without it. */
const patienceMs = 12_000;
/** How long it does so. */
const lossyMs = 60_000;
/** How long the main thread may take to end by itself. */
const exitMs = 1500;
/** Socket options of libzmq. */
const zmqSubscribe = 6;
const zmqUnsubscribe = 7;

const { connection, kernelInfo, shared } = workerData as SocketsData;
const port = parentPort as MessagePort;
const flags = new Int32Array(shared);

/** A publisher whose subscriptions count from when they are accepted, so that nothing can come before the welcome. */
class Publisher extends XPublisher {
  constructor() {
    super({
      sendTimeout: 0,
      sendHighWaterMark: highWaterMark,
      noDrop: true,
      linger: 1000,
      manual: true,
      // The connection of a client that takes nothing is cut, so that it costs the others nothing.
      tcpMaxRetransmitTimeout: deafMs,
    });
  }

  /** Begins, or ends, what the subscriber has asked for whose message was received last. */
  answer(isWanted: boolean, topic: Buffer): void {
    this.setStringOption(isWanted ? zmqSubscribe : zmqUnsubscribe, topic);
  }
}

const iopub = new Publisher();
const routers = { shell: new Router(), control: new Router(), stdin: new Router() };
// A Reply socket fails on a client that does not alternate, and its error ends the process.
const heartbeat = new Router({ linger: 0, sendTimeout: 0 });
for (const router of Object.values(routers)) {
  router.sendTimeout = 0;
  router.linger = 1000;
}

/** The cell that runs, by its status message. */
let running: Outgoing | undefined;
/** Whether the main thread still loads, and who asked meanwhile: a kernel that answers is ready. */
let isLoading = true;
const early: Request[] = [];
const queue: Outgoing[] = [];
let sending: Promise<void> | undefined;
let lossyUntil = 0;
let patience = patienceMs;

function tell(message: FromSockets): void {
  port.postMessage(message);
}

/** Reports what a message or a socket did wrong. It does not end the process. */
function complain(error: unknown): void {
  tell({ kind: 'complaint', text: error instanceof Error ? error.message : String(error) });
}

/** Waits while a client is slow, within reason: nothing is lost, and what waits for it stays bounded. */
async function publish(frames: (Uint8Array | string)[]): Promise<void> {
  if (lossyUntil !== 0 && Date.now() > lossyUntil) {
    iopub.noDrop = true;
    lossyUntil = 0;
  }
  const start = Date.now();
  for (let waitMs = 1; ; waitMs = Math.min(2 * waitMs, 50)) {
    try {
      await iopub.send(frames);
      if (waitMs > 1) patience = patienceMs;
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
    if (Date.now() - start > patience) {
      // It does not read at all. Others get everything; it gets what it has room for.
      iopub.noDrop = false;
      lossyUntil = Date.now() + lossyMs;
      patience = 1000;
    } else {
      await sleep(waitMs);
    }
  }
}

async function send(message: Outgoing): Promise<void> {
  const frames = encode(connection, message);
  if (message.channel === 'iopub') await publish(frames);
  // A client that has gone does not get its reply.
  else await routers[message.channel].send(frames).catch(() => undefined);
  if (message.type !== 'status') return;
  const { isCell, state } = statusOf(message);
  if (isCell) running = state === 'busy' ? message : undefined;
  // The request was answered while a cell runs: for whoever shows one state for all, the kernel is busy again.
  else if (state === 'idle' && running !== undefined) await send(running);
}

function statusOf({ parent, content }: Outgoing): { isCell: boolean; state: string } {
  const { msg_type: type } = JSON.parse(parent) as { msg_type?: string };
  const { execution_state: state } = JSON.parse(content) as { execution_state: string };
  return { isCell: type === 'execute_request', state };
}

async function sendAll(): Promise<void> {
  for (let at = 0; at < queue.length; at++) {
    const message = queue[at];
    await send(message).catch(complain);
    Atomics.sub(flags, slots.waitingBytes, message.content.length);
    Atomics.notify(flags, slots.waitingBytes);
  }
  queue.length = 0;
  sending = undefined;
}

function status(state: string, parent: string): Outgoing {
  return {
    channel: 'iopub',
    idents: [Buffer.from('status')],
    type: 'status',
    parent,
    metadata: '{}',
    content: JSON.stringify({ execution_state: state }),
  };
}

function reply({ channel, idents, type, header }: Request, content: string): Outgoing {
  const answer = type.replace('_request', '_reply');
  return { channel, idents, type: answer, parent: header, metadata: '{}', content };
}

/** Answers what the main thread is not needed for; the others are passed on. */
async function handle(request: Request): Promise<void> {
  const { channel, type, header, content } = request;
  if (type === 'kernel_info_request') {
    if (isLoading) {
      early.push(request);
      return;
    }
    await send(status('busy', header));
    await send(reply(request, kernelInfo));
    await send(status('idle', header));
  } else if (type === 'shutdown_request') {
    const restart = isRestart(content);
    await send(status('busy', header));
    await send(reply(request, JSON.stringify({ status: 'ok', restart })));
    await send(status('idle', header));
    end();
  } else if (type === 'interrupt_request') {
    await send(status('busy', header));
    interrupt();
    await send(reply(request, '{"status":"ok"}'));
    await send(status('idle', header));
  } else {
    tell({ kind: 'request', request: { ...request, channel } });
  }
}

/** Whether the client will start the kernel again. A request that cannot be read ends the kernel as well. */
function isRestart(content: string): boolean {
  try {
    return objectIn(content, 'the content of shutdown_request')['restart'] === true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/**
 * Stops what runs: code of cells looks at the flag wherever it loops or awaits; children get a signal of their own; and
 * code that the main thread runs in the synchronous part of a cell, and that looks at nothing, is broken off.
 */
function interrupt(): void {
  Atomics.add(flags, slots.interrupts, 1);
  Atomics.store(flags, slots.isStopping, 1);
  Atomics.notify(flags, slots.waitingBytes);
  tell({ kind: 'interrupt' });
  for (const pid of childrenOf(process.pid)) signal(pid, 'SIGINT');
  let tries = 0;
  const timer = setInterval(() => {
    const isPending = Atomics.load(flags, slots.isStopping) === 1;
    if (!isPending || (tries += 1) > 50) clearInterval(timer);
    else breakOff();
  }, 100);
}

/** Sends the signal that breaks code off, if there is some that no signal was sent for. */
function breakOff(): void {
  if (Atomics.compareExchange(flags, slots.isBreakable, 1, 0) === 0) return;
  Atomics.add(flags, slots.signals, 1);
  signal(process.pid, 'SIGINT');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

/** Ends the process, in order if the main thread listens, and anyhow. */
function end(): void {
  tell({ kind: 'shutdown' });
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), exitMs);
}

async function close(): Promise<void> {
  await sending;
  clearInterval(parentTimer);
  for (const socket of [iopub, ...Object.values(routers), heartbeat]) socket.close();
  // A socket that still waits when its thread ends takes the process with it.
  await Promise.all(loops);
  Atomics.store(flags, slots.isClosed, 1);
  Atomics.notify(flags, slots.isClosed);
}

/** What ends when the sockets are closed. */
const loops: Promise<void>[] = [];

/** Gives every message that comes over a socket to `take`, until the socket is closed, whatever fails. */
function serve<Frames>(
  socket: AsyncIterable<Frames> & { readonly closed: boolean },
  take: (frames: Frames) => Promise<void> | void,
): void {
  const loop = async (): Promise<void> => {
    while (!socket.closed) {
      try {
        for await (const frames of socket) {
          try {
            await take(frames);
          } catch (error) {
            complain(error);
          }
        }
      } catch (error) {
        if (socket.closed) return;
        complain(error);
        // Should it fail at once again, the other sockets still have their turn.
        await sleep(50);
      }
    }
  };
  loops.push(loop());
}

async function listen(channel: 'shell' | 'control' | 'stdin', frames: Buffer[]): Promise<void> {
  await handle(decode(connection, channel, frames));
}

/** Confirms a subscription, so that a client knows from when on it receives everything. */
async function welcome([frame]: readonly Buffer[]): Promise<void> {
  const [wish] = frame;
  const topic = frame.subarray(1);
  if (wish === 0) iopub.answer(false, topic);
  if (wish !== 1) return;
  iopub.answer(true, topic);
  await send({
    channel: 'iopub',
    idents: [topic],
    type: 'iopub_welcome',
    parent: '{}',
    metadata: '{}',
    content: JSON.stringify({ subscription: topic.toString() }),
  });
}

let parentTimer: NodeJS.Timeout | undefined;

/** A kernel that was started by a client dies with it, also if that is gone before the kernel looks for the first time. */
function watchParent(): void {
  const client = process.env['JPY_PARENT_PID'];
  if (client === undefined) return;
  const parent = process.ppid;
  const isOrphan = (): boolean => process.ppid !== parent || (parent === 1 && client !== '1');
  parentTimer = setInterval(() => {
    if (!isOrphan()) return;
    clearInterval(parentTimer);
    end();
  }, 1000);
}

async function open(): Promise<void> {
  const { transport, ip } = connection;
  const separator = transport === 'ipc' ? '-' : ':';
  const address = (number: number): string => `${transport}://${ip}${separator}${number}`;
  await Promise.all([
    iopub.bind(address(connection.iopub_port)),
    routers.shell.bind(address(connection.shell_port)),
    routers.control.bind(address(connection.control_port)),
    routers.stdin.bind(address(connection.stdin_port)),
    heartbeat.bind(address(connection.hb_port)),
  ]);
  port.on('message', (message: ToSockets) => {
    if (message.kind === 'send') {
      queue.push(message.message);
      sending ??= sendAll();
    } else if (message.kind === 'ready') {
      isLoading = false;
      for (const request of early) void handle(request).catch(complain);
    } else if (message.kind === 'close') {
      void close().catch(complain);
    } else {
      // What has arrived by now is passed on before the answer.
      void turn()
        .then(() => turn())
        .then(() => tell({ kind: 'sync', id: message.id }));
    }
  });
  watchParent();
  serve(heartbeat, (frames) => heartbeat.send(frames));
  serve(iopub, welcome);
  for (const channel of ['control', 'shell', 'stdin'] as const) {
    serve(routers[channel], (frames) => listen(channel, frames));
  }
  await send(status('starting', '{}'));
}

void open().catch((error: unknown) => {
  tell({ kind: 'failure', text: error instanceof Error ? error.message : String(error) });
});
