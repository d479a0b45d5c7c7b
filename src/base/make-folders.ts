import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Creates a folder and its parents unless they exist. Unlike Node's recursive mkdir, it returns where a folder exists but takes
 * no entries and answers ENOENT, as in /proc: Node (20.20) tries again for ever.
 *
 * @throws the error of the file system
 */
export function makeFolders(path: string): void {
  try {
    mkdirSync(path);
  } catch (cause) {
    if (isFolder(path)) return;
    const parent = dirname(resolve(path));
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT' || isFolder(parent)) throw cause;
    makeFolders(parent);
    // Another process may have created it meanwhile.
    makeFolders(path);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
