import { readFileSync } from 'node:fs';
import { KernelError } from '../base/errors';
import { kernelInfo } from './info';
import type { Kernel } from './kernel';
import { Link } from './link';
import type { Connection } from './wire';

/**
 * Makes this process a Jupyter kernel, until a client shuts it down or dies.
 *
 * The sockets open first, in a thread of their own; TypeScript is loaded meanwhile, and requests wait for it.
 *
 * @param connectionFile the file in which a client says where it listens and with what key
 * @throws KernelError if the file cannot be read
 */
export function startKernel(connectionFile: string): void {
  // A stack through TF.js is deep, and the cell is at its end.
  Error.stackTraceLimit = 50;
  const link = new Link(connectionOf(connectionFile), kernelInfo(), {
    onRequest: (request) => kernel.receive(request),
    onInterrupt: () => kernel.interrupt(),
    onShutdown: () => process.exit(0),
  });
  const loaded = require('./kernel') as { readonly Kernel: typeof Kernel };
  const kernel = new loaded.Kernel(link);
  link.ready();
}

function connectionOf(path: string): Connection {
  let found: Partial<Connection>;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as Partial<Connection>;
  } catch (cause) {
    throw new KernelError(
      `kernel: the connection file ${path} cannot be read: ${String(cause)}. A client writes it and gives its name; ` +
        'start the kernel from Jupyter.',
      { cause },
    );
  }
  const needed = ['transport', 'ip', 'key', 'shell_port', 'control_port', 'stdin_port'] as const;
  const missing = [...needed, 'iopub_port' as const, 'hb_port' as const].filter(
    (name) => found[name] === undefined,
  );
  if (missing.length > 0) {
    throw new KernelError(
      `kernel: the connection file ${path} lacks ${missing.join(', ')}. Start the kernel from Jupyter, which writes it.`,
    );
  }
  return found as Connection;
}
