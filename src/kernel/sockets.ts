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
 * The socket thread. It answers the requests that must be answered while a cell keeps the main thread busy (heartbeat,
 * interrupt, shutdown, kernel_info), forwards the others to the main thread, and sends the main thread's messages.
 */

/** How many messages may queue for a client before the kernel waits for it. */
const highWaterMark = 1000;
/** When the system closes the connection of a client that reads nothing; less than {@link patienceMs}. */
const deafMs = 8000;
/** How long the kernel waits for a client that reads nothing before it continues without it. */
const patienceMs = 12_000;
/** How long it then drops messages that such a client has no room for. */
const lossyMs = 60_000;
/** How long the main thread may take to exit by itself. */
const exitMs = 1500;
/** Socket options of libzmq. */
const zmqSubscribe = 6;
const zmqUnsubscribe = 7;

const { connection, kernelInfo, shared } = workerData as SocketsData;
const port = parentPort as MessagePort;
const flags = new Int32Array(shared);

/** A publisher whose subscriptions take effect when it accepts them, so that nothing arrives before the welcome. */
class Publisher extends XPublisher {
  constructor() {
    super({
      sendTimeout: 0,
      sendHighWaterMark: highWaterMark,
      noDrop: true,
      linger: 1000,
      manual: true,
      // A client that reads nothing is disconnected, so that it does not hold up the others.
      tcpMaxRetransmitTimeout: deafMs,
    });
  }

  /** Starts or ends the subscription that the last received message asks for. */
  answer(isWanted: boolean, topic: Buffer): void {
    this.setStringOption(isWanted ? zmqSubscribe : zmqUnsubscribe, topic);
  }
}

const iopub = new Publisher();
const routers = { shell: new Router(), control: new Router(), stdin: new Router() };
// A Reply socket fails if a client does not alternate between sending and receiving, and its error ends the process.
const heartbeat = new Router({ linger: 0, sendTimeout: 0 });
for (const router of Object.values(routers)) {
  router.sendTimeout = 0;
  router.linger = 1000;
}

/** The busy message of the running cell. */
let running: Outgoing | undefined;
/** Whether the main thread is still loading, and the requests that wait for it: a kernel that answers is ready. */
let isLoading = true;
const early: Request[] = [];
const queue: Outgoing[] = [];
let sending: Promise<void> | undefined;
let lossyUntil = 0;
let patience = patienceMs;

function post(message: FromSockets): void {
  port.postMessage(message);
}

/** Reports a faulty message or a socket error without ending the process. */
function complain(error: unknown): void {
  post({ kind: 'complaint', text: error instanceof Error ? error.message : String(error) });
}

/** Sends to all subscribers; waits for a slow client up to a limit, so that nothing is lost and the queue stays bounded. */
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
      // A client reads nothing. The others get everything; it gets what it has room for.
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
  // A client that has disconnected gets no reply.
  else await routers[message.channel].send(frames).catch(() => undefined);
  if (message.type !== 'status') return;
  const { isCell, state } = statusOf(message);
  if (isCell) running = state === 'busy' ? message : undefined;
  // Another request was answered while a cell runs: a client that shows a single state must see "busy" again.
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

/** Answers the requests that do not need the main thread; forwards the others. */
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
    post({ kind: 'request', request: { ...request, channel } });
  }
}

/** Whether the client will start the kernel again. A malformed request ends the kernel too. */
function isRestart(content: string): boolean {
  try {
    return objectIn(content, 'the content of shutdown_request')['restart'] === true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/**
 * Stops running code. Cells check the flag wherever they loop or await; child processes get a signal; other code in the
 * synchronous part of a cell, which does not check the flag, is broken off.
 */
function interrupt(): void {
  Atomics.add(flags, slots.interrupts, 1);
  Atomics.store(flags, slots.isStopping, 1);
  Atomics.notify(flags, slots.waitingBytes);
  post({ kind: 'interrupt' });
  for (const pid of childrenOf(process.pid)) signal(pid, 'SIGINT');
  let tries = 0;
  const timer = setInterval(() => {
    const isPending = Atomics.load(flags, slots.isStopping) === 1;
    if (!isPending || (tries += 1) > 50) clearInterval(timer);
    else breakOff();
  }, 100);
}

/** Sends the signal that breaks code off, if such code runs and no signal was sent for it. */
function breakOff(): void {
  if (Atomics.compareExchange(flags, slots.isBreakable, 1, 0) === 0) return;
  Atomics.add(flags, slots.signals, 1);
  signal(process.pid, 'SIGINT');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // The process has ended meanwhile.
  }
}

/** Ends the process: cleanly if the main thread responds, else by SIGKILL. */
function end(): void {
  post({ kind: 'shutdown' });
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), exitMs);
}

async function close(): Promise<void> {
  await sending;
  clearInterval(parentTimer);
  for (const socket of [iopub, ...Object.values(routers), heartbeat]) socket.close();
  // A socket that is still receiving when its thread ends would crash the process.
  await Promise.all(loops);
  Atomics.store(flags, slots.isClosed, 1);
  Atomics.notify(flags, slots.isClosed);
}

/** The receive loops, which end when the sockets are closed. */
const loops: Promise<void>[] = [];

/** Passes every message from a socket to `take` until the socket is closed; errors are reported. */
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
        // If it fails again at once, the other sockets still get a turn.
        await sleep(50);
      }
    }
  };
  loops.push(loop());
}

async function listen(channel: 'shell' | 'control' | 'stdin', frames: Buffer[]): Promise<void> {
  await handle(decode(connection, channel, frames));
}

/** Confirms a subscription, so that the client knows that it receives everything from now on. */
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

/** Ends the kernel when the client that started it dies, even if it died before the first check. */
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
      // Messages that have arrived by now are forwarded before the answer.
      void turn()
        .then(() => turn())
        .then(() => post({ kind: 'sync', id: message.id }));
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
  post({ kind: 'failure', text: error instanceof Error ? error.message : String(error) });
});
