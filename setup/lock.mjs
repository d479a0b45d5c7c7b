// Locks: one excludes other set-ups of the checkout, another excludes other set-ups that fill the shared cache.
import { closeSync, openSync } from 'node:fs';
import { print } from './output.mjs';
import { flock } from './process.mjs';

/**
 * Takes the lock on a file; waits for another set-up that holds it. flock(1) locks the open file, not a process, so the lock
 * lasts as long as this process, or a child that inherits the descriptor, keeps the file open. On a file system without locks,
 * set-up continues without one.
 *
 * @param name of the lock in `context.locks`
 * @param what is locked, for the message
 */
export async function takeLock(context, name, file, what) {
  const descriptor = openSync(file, 'a');
  context.locks.set(name, descriptor);
  if ((await flock(descriptor, '-n')).status !== 1) return;
  print(`waiting for another set-up of ${what} to end`);
  await flock(descriptor);
}

export function releaseLock(context, name) {
  closeSync(context.locks.get(name));
  context.locks.delete(name);
}
