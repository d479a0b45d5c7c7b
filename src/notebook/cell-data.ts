import { batchFolder } from '../data/cache';
import { loadCifar10 } from '../data/cifar10';
import type { Cifar10 } from '../data/cifar10';

let last: { readonly folder: string; readonly data: WeakRef<Cifar10> } | undefined;

/**
 * CIFAR-10 for a training in a cell. A notebook trains in dozens of cells, and reading, verifying and decoding takes each a
 * second of processor time and 184 MB: it is done again only if nothing holds the images of the last time, or the
 * cache folder is another one. Shared, so not to be changed.
 *
 * @throws DataError as `loadCifar10`; `signal.reason` if it is aborted
 */
export async function cellData(signal: AbortSignal): Promise<Cifar10> {
  signal.throwIfAborted();
  const folder = batchFolder();
  const known = last?.folder === folder ? last.data.deref() : undefined;
  if (known !== undefined) return known;
  const data = await loadCifar10({ signal });
  last = { folder, data: new WeakRef(data) };
  return data;
}
