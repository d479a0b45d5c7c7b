// Where Chromium is, for the scripts that look at pages.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const onPath = (program) =>
  (process.env.PATH ?? '')
    .split(':')
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
/** The browser on PATH, if there is one. */
export const browserPath = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  .map(onPath)
  .find((path) => path !== undefined);
