// Sizes on disk.
import { spawnSync } from 'node:child_process';

/** MB that a file or folder occupies on disk, by du(1). */
export function directorySize(path) {
  const { stdout } = spawnSync('du', ['-sm', '--', path], { encoding: 'utf8' });
  return Number.parseInt(stdout, 10);
}
