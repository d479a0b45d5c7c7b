import { getHashes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { KernelError } from '../base/errors';
import { kernelInfo } from './info';
import type { Kernel } from './kernel';
import { Link } from './link';
import { printToTerminal } from './terminal';
import type { Connection } from './wire';

/**
 * Runs this process as a Jupyter kernel until its client shuts it down or dies.
 *
 * The sockets open first, in a thread of their own; TypeScript loads meanwhile, and requests wait for it.
 *
 * @param connectionFile the file in which the client specifies ports and key
 * @throws KernelError if the file cannot be read, is incomplete, or asks for an unknown signature scheme
 */
export function startKernel(connectionFile: string): void {
  // A stack through TF.js is deep, and the cell is at its end.
  Error.stackTraceLimit = 50;
  const connection = connectionOf(connectionFile);
  const link = new Link(connection, kernelInfo(), {
    onRequest: (request) => kernel.receive(request),
    onInterrupt: () => kernel.interrupt(),
    onShutdown: () => process.exit(0),
    onFailure: ({ message }) => {
      printToTerminal(message);
      process.exit(1);
    },
  });
  const loaded = require('./kernel') as { readonly Kernel: typeof Kernel };
  const kernel = new loaded.Kernel(link);
  link.ready();
}

const numbers = ['shell_port', 'control_port', 'stdin_port', 'iopub_port', 'hb_port'] as const;
const texts = ['transport', 'ip', 'key'] as const;

function connectionOf(path: string): Connection {
  let found: Partial<Connection>;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as Partial<Connection>;
    if (typeof found !== 'object' || found === null) throw new Error('it is not a JSON object');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KernelError(
      `kernel: the connection file ${path} cannot be read: ${why}. Jupyter writes it and passes its name; ` +
        'start the kernel from Jupyter.',
      { cause },
    );
  }
  const wrong = [
    ...texts.filter((name) => typeof found[name] !== 'string'),
    ...numbers.filter((name) => !Number.isInteger(found[name])),
  ];
  if (wrong.length > 0) {
    throw new KernelError(
      `kernel: the connection file ${path} lacks ${wrong.join(', ')}. Start the kernel from Jupyter, which writes it.`,
    );
  }
  const scheme = found.signature_scheme ?? 'hmac-sha256';
  if (
    typeof scheme !== 'string' ||
    !scheme.startsWith('hmac-') ||
    !getHashes().includes(hashOf(scheme))
  ) {
    throw new KernelError(
      `kernel: the connection file ${path} asks for the signature scheme "${scheme}". ` +
        'Supported are hmac-sha256 and hmac- with any other hash of Node.',
    );
  }
  return guarded({ ...(found as Connection), signature_scheme: scheme });
}

const hashOf = (scheme: string): string => scheme.slice('hmac-'.length);

/** Without a key, anyone who reaches the sockets can run code, so they listen only on this machine. */
function guarded(connection: Connection): Connection {
  const { key, transport, ip } = connection;
  if (key !== '') return connection;
  const isLocal = transport !== 'tcp' || /^127\.|^\[?::1\]?$|^localhost$/.test(ip);
  printToTerminal(
    'kernel: the connection file has no key, so messages are not signed and every user of this machine can run code here. ' +
      (isLocal ? '' : `It listens on 127.0.0.1 instead of ${ip}. `) +
      'Set Session.key of the client, or keep its default.',
  );
  return isLocal ? connection : { ...connection, ip: '127.0.0.1' };
}
