// Finds Chromium, for the scripts that test pages.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const programs = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The path of the browser. Without one, prints that the tests are skipped and exits with 0. */
export function findBrowser() {
  const folders = (process.env.PATH ?? '').split(':');
  const found = programs
    .flatMap((program) => folders.map((folder) => join(folder, program)))
    .find((path) => existsSync(path));
  if (found === undefined) {
    console.log(
      'SKIPPED: no Chromium on PATH (chromium, chromium-browser, google-chrome), so nothing was tested',
    );
    console.log('0 passed, 0 failed');
    process.exit(0);
  }
  return found;
}
