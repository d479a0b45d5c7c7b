import { batchFolder } from '../data/cache';
import { loadCifar10 } from '../data/cifar10';
import type { Cifar10 } from '../data/cifar10';

let last: { readonly folder: string; readonly data: WeakRef<Cifar10> } | undefined;

/**
 * CIFAR-10 for training in a cell. A notebook trains in dozens of cells, and reading, verifying and decoding the images
 * takes a second of CPU time and 184 MB each time. They are loaded again only if nothing references the last ones, or the
 * cache folder has changed. They are shared: do not modify them.
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
