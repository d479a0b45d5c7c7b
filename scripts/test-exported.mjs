// Executes notebooks at smoke scale, exports them as HTML with nbconvert, and opens the pages in Chromium without a network:
// every plotly.js figure and every drawing must become interactive without loading anything from outside the page.
//
//   node scripts/test-exported.mjs [--pictures DIR] [NAME…]     default: hyperparameters
//
// --pictures writes a picture of each plotly.js figure into DIR. Without Chromium on PATH it reports that and tests nothing.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { findBrowser } from './browser-path.mjs';
import { execute, root, write } from './notebook-files.mjs';
import { optionsOf } from './options.mjs';
import { check, endTally } from './tally.mjs';

const { pictures: folder, words } = optionsOf(
  import.meta.url,
  { pictures: { type: 'string' } },
  { mostWords: Infinity },
);
const browserPath = findBrowser();
const names = words.length > 0 ? words : ['hyperparameters'];
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-exported-'));
/** Executes a notebook and exports it as a page, scripts included. */
async function exported(name) {
  const environment = { CIFAR10_FAST_SCALE: 'smoke', CIFAR10_FAST_RUNS: join(scratch, name) };
  const target = join(scratch, `${name}.ipynb`);
  const { error } = await execute(name, target, environment);
  check(`${name}: every cell runs`, error === undefined ? [] : [error]);
  // nbconvert rejects the wall times of the cells, because they are numbers.
  const notebook = JSON.parse(readFileSync(target, 'utf8'));
  for (const { metadata } of notebook.cells) delete metadata.execution;
  write(target, notebook);
  const options = ['nbconvert', '--to', 'html', '--log-level', 'ERROR', target];
  execFileSync(join(root, '.venv/bin/jupyter'), options, { stdio: 'inherit' });
  return join(scratch, `${name}.html`);
}

/** Scrolls to every figure and waits until it is drawn; returns a fault for each that is not. */
async function still(page, selector, drawn, picture) {
  const faults = [];
  for (const [index, figure] of (await page.locator(selector).all()).entries()) {
    await figure.scrollIntoViewIfNeeded();
    const isDrawn = await figure
      .locator(drawn)
      .first()
      .waitFor({ timeout: 60_000 })
      .then(
        () => true,
        () => false,
      );
    if (!isDrawn) faults.push(`figure ${index + 1} is not drawn`);
    else if (picture !== undefined && folder !== undefined) {
      await page.waitForTimeout(1500);
      writeFileSync(join(folder, `${picture}-${index + 1}.png`), await figure.screenshot());
    }
  }
  return faults;
}

async function look(browser, name, file) {
  const page = await browser.newPage({ viewport: { width: 1180, height: 900 }, offline: true });
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`file://${file}`, { waitUntil: 'domcontentloaded' });
  const count = await page.locator('[data-plotly]').count();
  check(`${name}: the page has figures of plotly.js`, count > 0 ? [] : ['there is none']);
  const plots = await still(page, '[data-plotly]', '.js-plotly-plot .main-svg', name);
  check(`${name}: ${count} figures of plotly.js are drawn`, plots);
  const drawings = await still(page, '[data-drawing]', 'svg');
  check(`${name}: drawings are drawn`, drawings);
  // Without a network, nbconvert's own scripts fail to load; those errors do not count.
  const own = errors.filter((error) => /plotly|cifar10/i.test(error));
  check(`${name}: no error`, own);
  await page.close();
}

if (folder !== undefined) mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
try {
  for (const name of names) await look(browser, name, await exported(name));
} finally {
  await browser.close();
}
rmSync(scratch, { recursive: true, force: true });
endTally();
