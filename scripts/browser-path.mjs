// Where Chromium is, for the scripts that look at pages.
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
    'SKIPPED: no Chromium on PATH (chromium, chromium-browser, google-chrome), so nothing was looked at',
  );
  console.log('0 passed, 0 failed');
  process.exit(0);
}

/** The browser on PATH. Without one, the script that imports this reports that and ends. */
export const browserPath = found;
