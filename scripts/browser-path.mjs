// Finds Chromium, for the scripts that test pages.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const onPath = (program) =>
  (process.env.PATH ?? '')
    .split(':')
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
const found = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  .map(onPath)
  .find((path) => path !== undefined);
if (found === undefined) {
  console.log(
    'SKIPPED: no Chromium on PATH (chromium, chromium-browser, google-chrome), so nothing was tested',
  );
  console.log('0 passed, 0 failed');
  process.exit(0);
}

/** The path of the browser. Without one, importing this module prints that the tests are skipped and exits with 0. */
export const browserPath = found;
