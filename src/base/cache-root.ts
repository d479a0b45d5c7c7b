import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * The folder for everything that is fetched once and shared by all checkouts of a user: `CIFAR10_FAST_CACHE`, else
 * `cifar10-fast` in the XDG cache folder, else in `~/.cache`. An empty variable counts as unset.
 */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['CIFAR10_FAST_CACHE'];
  if (own !== undefined && own !== '') return resolve(own);
  const xdg = env['XDG_CACHE_HOME'];
  const base = xdg === undefined || xdg === '' ? join(homedir(), '.cache') : xdg;
  return resolve(base, 'cifar10-fast');
}
