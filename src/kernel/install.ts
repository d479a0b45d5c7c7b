import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { makeFolders } from '../base/make-folders';
import { KernelError } from '../base/errors';

/** Where a kernel is installed: for the user, or in a single environment (virtualenv, conda). */
export type KernelPlace = { readonly user: true } | { readonly prefix: string };

/** The name of stock tslab's kernel, which the notebooks ask for. */
const tslabName = 'tslab';

/**
 * Registers this kernel with Jupyter, so that its launcher lists it and notebooks can ask for it.
 *
 * @param takesTslab install under the name `tslab`, replacing any kernel of that name; else under `cifar10-fast`
 * @returns the folder of the kernelspec
 * @throws KernelError if the folder cannot be written
 */
export function installKernel(place: KernelPlace, takesTslab: boolean): string {
  const folder = folderOf(place, takesTslab);
  const kernels = dirname(folder);
  try {
    makeFolders(kernels);
    const part = mkdtempSync(join(kernels, '.new-'));
    try {
      cpSync(join(__dirname, '../../setup/kernel'), part, { recursive: true });
      writeFileSync(join(part, 'kernel.json'), `${JSON.stringify(kernelspec(), null, 2)}\n`);
      rmSync(folder, { recursive: true, force: true });
      renameSync(part, folder);
    } finally {
      rmSync(part, { recursive: true, force: true });
    }
  } catch (cause) {
    throw new KernelError(
      `kernel install: ${folder} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}. ` +
        'Point --prefix at a writable folder, such as a virtual environment.',
      { cause },
    );
  }
  return folder;
}

/**
 * Removes the kernelspec that {@link installKernel} has written.
 *
 * @returns the removed folder
 * @throws KernelError if there is no kernelspec, if it starts another kernel, or if it cannot be removed
 */
export function uninstallKernel(place: KernelPlace, isTslab: boolean): string {
  const folder = folderOf(place, isTslab);
  let argv: unknown;
  try {
    const text = readFileSync(join(folder, 'kernel.json'), 'utf8');
    ({ argv } = JSON.parse(text) as { argv?: unknown });
  } catch (cause) {
    throw new KernelError(
      `kernel uninstall: ${folder} contains no kernelspec. "jupyter kernelspec list" lists the installed ones.`,
      { cause },
    );
  }
  const isOurs =
    Array.isArray(argv) &&
    argv.some((part) => /[\\/]dist[\\/]kernel[\\/]main\.js$/.test(String(part)));
  if (!isOurs) {
    throw new KernelError(
      `kernel uninstall: ${folder} starts another kernel, so it was not removed. Remove it with "jupyter kernelspec remove".`,
    );
  }
  try {
    rmSync(folder, { recursive: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KernelError(`kernel uninstall: ${folder} cannot be removed: ${why}.`, { cause });
  }
  return folder;
}

function folderOf(place: KernelPlace, isTslab: boolean): string {
  const data = 'user' in place ? userData() : join(resolve(place.prefix), 'share/jupyter');
  return join(data, 'kernels', isTslab ? tslabName : 'cifar10-fast');
}

/** The kernelspec: starts this installation with the running Node, wherever Jupyter is started from. */
export function kernelspec(): object {
  return {
    argv: [process.execPath, join(__dirname, 'main.js'), '{connection_file}'],
    display_name: 'TypeScript (cifar10-fast)',
    language: 'typescript',
    interrupt_mode: 'message',
  };
}

/** Jupyter's data folder for the user. */
function userData(): string {
  const { JUPYTER_DATA_DIR: own = '', XDG_DATA_HOME: xdg = '' } = process.env;
  if (own !== '') return resolve(own);
  return join(xdg === '' ? join(homedir(), '.local/share') : resolve(xdg), 'jupyter');
}
