import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';

/** How long to wait for a browser program to fail. */
const patienceMs = 1500;

/**
 * Opens a page in the desktop's browser: `$BROWSER`, or the system's opener. If neither works, as on a server, prints that and
 * the page's address.
 */
export async function openPage(path: string): Promise<void> {
  const address = pathToFileURL(resolve(path)).href;
  const programs = [
    process.env['BROWSER'] ?? '',
    process.platform === 'darwin' ? 'open' : 'xdg-open',
  ];
  for (const program of programs.filter((name) => name !== '')) {
    if (await starts(program, address)) return;
  }
  process.stderr.write(`No browser could be started here. The page: ${address}\n`);
}

/** Whether a program starts and does not fail immediately. It may outlive this process. */
function starts(program: string, address: string): Promise<boolean> {
  return new Promise((done) => {
    const child = spawn(program, [address], { detached: true, stdio: 'ignore' });
    const timer = setTimeout(() => done(true), patienceMs);
    const end = (isOpen: boolean): void => {
      clearTimeout(timer);
      done(isOpen);
    };
    child.once('error', () => end(false));
    child.once('exit', (code) => end(code === 0));
    child.unref();
  });
}
