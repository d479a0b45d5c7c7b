import { resolve } from 'node:path';
import { UsageError } from '../base/errors';
import { reportRuns } from '../report/groups';
import { findRuns } from '../runs/find-runs';
import { runPath } from '../runs/stored';
import type { Given } from './flags';
import { openPage } from './open-page';
import { writePage } from './report';

/** `runs open`: opens the page of one run in the browser. */
export async function openRun(
  names: readonly string[],
  given: Given,
  logDir: string,
): Promise<number> {
  const [name, ...more] = names;
  if (name === undefined || more.length > 0) {
    throw new UsageError('runs open: give one run: cifar10-fast runs open RUN.');
  }
  const path = await runPath(name, logDir);
  const page = resolve(path, 'report.html');
  await writePage(page, '--log-dir', reportRuns(await findRuns([path])), given);
  process.stdout.write(`${page}\n`);
  await openPage(page);
  return 0;
}
