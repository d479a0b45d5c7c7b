// Opens report pages in Chromium, 1080 and 1920 pixels wide: nothing is cut off, tables scroll within their boxes, and hovering
// over a run shows its details. One page has the stored results, the other made-up runs of two machines, with epochs.
//
//   node scripts/test-report.mjs [--pictures DIR]
//
// Without Chromium on PATH it reports that and tests nothing.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { findBrowser } from './browser-path.mjs';
import { library, root } from './notebook-files.mjs';
import { optionsOf } from './options.mjs';
import { check, endTally } from './tally.mjs';

const { pictures: folder } = optionsOf(import.meta.url, { pictures: { type: 'string' } });
const browserPath = findBrowser();
const { findExperiment, findRuns, reportPage, reportRuns } = library();
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-report-'));
/** A made-up run whose accuracy rises from epoch to epoch. */
function madeRun(name, seed, machine, factor, overrides = []) {
  const epochs = 24;
  const rows = Array.from({ length: epochs }, (_, index) => {
    const acc = 0.945 - 0.5 * Math.exp(-index / 5) + 0.002 * Math.sin(seed + index);
    const phase = (shift) => ({ time: factor, loss: 1.5 - acc + shift, acc: acc - shift / 10 });
    return {
      epoch: index + 1,
      lr: 0.1,
      train: phase(-0.3),
      valid: phase(0),
      'total time': factor * (index + 1),
    };
  });
  const { valid } = rows[epochs - 1];
  return {
    name,
    scale: 'full',
    seed,
    overrides,
    mode: 'captured',
    precision: 'bf16',
    xla: false,
    started: `2026-11-2${seed}T10:00:00.000Z`,
    machine,
    threads: 2,
    // Makes its times count.
    alone: true,
    path: `runs/${name}-${seed}`,
    experiment: findExperiment(name),
    rows,
    result: {
      accPercent: 100 * valid.acc,
      trainSec: factor * epochs + seed,
      imagesPerSec: 5e4 / factor,
    },
  };
}

const machines = ['AMD EPYC, 2 cores, AVX-512 BF16, 24 GB', 'Intel Xeon, 16 cores, AVX-512, 64 GB'];
const made = machines.flatMap((machine, index) =>
  ['demo', 'post1-baseline', 'fastest'].flatMap((name, at) =>
    [0, 1, 2].map((seed) => madeRun(name, seed, machine, (20 + 5 * at) / (1 + 3 * index))),
  ),
);
const changed = madeRun('demo', 0, machines[0], 20, [
  'optim.momentum=0.85',
  'optim.weightDecay=0.001',
]);

/** What overflows the page or its own box. */
const cutOff = () => {
  const faults = [];
  const { clientWidth, scrollWidth } = document.documentElement;
  if (scrollWidth > clientWidth)
    faults.push(`the page is ${scrollWidth - clientWidth} px too wide`);
  for (const box of document.querySelectorAll('.chart')) {
    if (box.scrollWidth > box.clientWidth + 1) faults.push(`${box.id} is wider than its place`);
  }
  for (const text of document.querySelectorAll('.chart svg text, .plot svg text')) {
    const { left, right, width } = text.getBoundingClientRect();
    const isCut =
      width > 0 && (left < -1 || right > clientWidth + 1 || text.textContent.includes('…'));
    if (isCut) faults.push(`"${text.textContent}" is cut`);
  }
  return faults;
};

async function look(browser, name, html, width) {
  const file = join(scratch, `${name}.html`);
  writeFileSync(file, html);
  const page = await browser.newPage({ viewport: { width, height: 1000 }, offline: true });
  const errors = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`file://${file}`);
  await page.locator('html[data-drawn]').waitFor({ timeout: 60_000 });
  const plot = page.locator('.plot');
  await plot.scrollIntoViewIfNeeded();
  await plot.locator('.main-svg').first().waitFor({ timeout: 60_000 });
  await page.waitForTimeout(500);
  check(`${name}, ${width} px: nothing is cut`, await page.evaluate(cutOff));
  const wide = await page.evaluate(() =>
    [...document.querySelectorAll('.table')].flatMap((box) =>
      box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== 'auto'
        ? ['a table']
        : [],
    ),
  );
  check(`${name}, ${width} px: tables scroll`, wide);
  const point = plot.locator('.scatterlayer .point').first();
  await point.hover({ force: true });
  const tooltip = await plot.locator('.hoverlayer text').allTextContents();
  check(
    `${name}, ${width} px: pointing at a run shows its seed, accuracy and seconds`,
    /seed \d/.test(tooltip.join()) && /%.* s/.test(tooltip.join())
      ? []
      : [`it shows "${tooltip.join()}"`],
  );
  check(`${name}, ${width} px: no error`, errors);
  if (folder !== undefined) {
    await page.screenshot({ path: join(folder, `${name}-${width}.png`), fullPage: true });
  }
  await page.close();
}

if (folder !== undefined) mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
try {
  const stored = reportRuns(await findRuns([join(root, 'results')]));
  const pages = {
    stored: await reportPage(stored),
    made: await reportPage(reportRuns([...made, changed]), [
      'fastest@Intel-Xeon',
      'post1-baseline@Intel-Xeon',
    ]),
  };
  for (const [name, html] of Object.entries(pages)) {
    for (const width of [1080, 1920]) await look(browser, name, html, width);
  }
} finally {
  await browser.close();
}
rmSync(scratch, { recursive: true, force: true });
endTally();
