import { randomUUID } from 'node:crypto';
import { NotebookError } from '../base/errors';
import { kernelHost } from '../base/kernel-host';
import type { DisplayMessage, MimeBundle } from '../base/kernel-host';

/** A display that can be updated, as returned by {@link display}. */
export interface DisplayHandle {
  /** The id under which the notebook knows it. */
  readonly id: string;
}

/** How a bundle is shown. */
export interface DisplayOptions {
  /** The display to update. Default: a new one. */
  readonly update?: DisplayHandle;
  /** By MIME type, as in `{'image/png': {width: 640}}`. */
  readonly metadata?: Readonly<Record<string, object>>;
}

/**
 * Shows a bundle in the notebook: the same content in several MIME types, from which each viewer picks the richest that it
 * supports. A bundle that works everywhere has a chart's own type, `image/png` and `text/plain`.
 *
 * Works in our kernel and in stock tslab, from code of any depth; an update may come after the cell has ended. Outside a
 * notebook, `text/plain` is printed, if there is one.
 *
 * @returns a handle for updating it: `display(bundle, { update })`
 * @throws NotebookError for a bundle without content
 */
export function display(bundle: MimeBundle, options: DisplayOptions = {}): DisplayHandle {
  const data = encode(bundle);
  const types = Object.keys(data);
  if (types.length === 0) {
    throw new NotebookError(
      'display: the bundle is empty. Give at least one MIME type, such as { "text/plain": "..." }.',
    );
  }
  const { update, metadata = {} } = options;
  const id = update?.id ?? randomUUID();
  const message: DisplayMessage = { data, metadata, id, isUpdate: update !== undefined };
  const show = kernelHost()?.display ?? stockTslab();
  if (show !== undefined) show(message);
  else if (typeof data['text/plain'] === 'string') process.stdout.write(`${data['text/plain']}\n`);
  // A handle at the end of a cell is not shown as its result.
  return Object.defineProperty({ id }, Symbol.for('Jupyter.display'), { value: () => undefined });
}

/**
 * Removes what the cell has shown so far.
 *
 * Only in our kernel; elsewhere it does nothing, as stock tslab has no such message.
 *
 * @param options with `wait`, only when there is something new, so that nothing flickers
 */
export function clearOutput(options: { readonly wait?: boolean } = {}): void {
  kernelHost()?.clearOutput(options.wait ?? false);
}

function encode(bundle: MimeBundle): Record<string, string | object> {
  const data: Record<string, string | object> = {};
  for (const [type, value] of Object.entries(bundle)) {
    if (value === undefined) continue;
    data[type] =
      value instanceof Uint8Array
        ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
        : value;
  }
  return data;
}

interface StockTslab {
  readonly lastWriteDisplayData: ((data: object, update: boolean) => void) | null;
}

/** How stock tslab shows a whole bundle; its public interface takes one MIME type at a time. */
function stockTslab(): ((message: DisplayMessage) => void) | undefined {
  // The copy of tslab that runs this process, not one that could be resolved from here.
  const loaded = Object.entries(require.cache).find(([path]) =>
    /[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(path),
  );
  const write = (loaded?.[1]?.exports as StockTslab | undefined)?.lastWriteDisplayData;
  if (!write) return undefined;
  return ({ data, metadata, id, isUpdate }) => {
    write({ data, metadata, transient: { display_id: id } }, isUpdate);
  };
}
