import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { KernelError } from '../base/errors';

/** Where a kernel is installed: for the user, or in an environment (a virtualenv, conda), for that alone. */
export type KernelPlace = { readonly user: true } | { readonly prefix: string };

/** The name of stock tslab's kernel, which the notebooks ask for. */
const tslabName = 'tslab';

/**
 * Tells Jupyter of this kernel, so that its launcher lists it and notebooks can ask for it.
 *
 * @param takesTslab under the name `tslab`, in the place of whatever has it there; else under `cifar10-fast`
 * @returns the folder of the kernelspec
 * @throws KernelError if the folder cannot be written
 */
export function installKernel(place: KernelPlace, takesTslab: boolean): string {
  const data = 'user' in place ? userData() : join(resolve(place.prefix), 'share/jupyter');
  const kernels = join(data, 'kernels');
  const folder = join(kernels, takesTslab ? tslabName : 'cifar10-fast');
  try {
    mkdirSync(kernels, { recursive: true });
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
        'Give --prefix a folder that can be, as that of a virtual environment.',
      { cause },
    );
  }
  return folder;
}

/** The kernelspec: starts this very installation with this very node, wherever Jupyter is started from. */
export function kernelspec(): object {
  return {
    argv: [process.execPath, join(__dirname, 'main.js'), '{connection_file}'],
    display_name: 'TypeScript (cifar10-fast)',
    language: 'typescript',
    interrupt_mode: 'message',
  };
}

/** The folder in which Jupyter looks for what a user has installed. */
function userData(): string {
  const { JUPYTER_DATA_DIR: own = '', XDG_DATA_HOME: xdg = '' } = process.env;
  if (own !== '') return resolve(own);
  return join(xdg === '' ? join(homedir(), '.local/share') : resolve(xdg), 'jupyter');
}
