// Opens the notebooks in JupyterLab in Chromium, checks their stored outputs, runs them, and presses the stop button.
//
//   node scripts/test-browser.mjs [--kept] [--notebook7] [--pictures] [NAME…]     default: demo and experiments
//
// --kept checks the stored outputs and runs nothing. --notebook7 uses Jupyter Notebook 7 in place of JupyterLab. --pictures also
// takes small pictures of the notebooks with their stored outputs, of demo and speedrun also in the dark theme, into
// docs/pictures/notebooks/ (JupyterLab only). Without Chromium on PATH it reports that and tests nothing.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { findBrowser } from './browser-path.mjs';
import { startJupyter } from './jupyter-lab.mjs';
import { codeCells, fileOf, names, read, root } from './notebook-files.mjs';
import { takePictures } from './notebook-pictures.mjs';
import { optionsOf } from './options.mjs';
import { attempt, endTally, expectSame } from './tally.mjs';

const {
  pictures: takesPictures,
  kept: onlyLooks,
  notebook7: isNotebook7,
  words: asked,
} = optionsOf(
  import.meta.url,
  {
    kept: { type: 'boolean', default: false },
    notebook7: { type: 'boolean', default: false },
    pictures: { type: 'boolean', default: false },
  },
  { mostWords: Infinity },
);
const browserPath = findBrowser();
const program = isNotebook7 ? 'notebook' : 'lab';
const chosen =
  asked.length > 0 ? asked : names().filter((name) => ['demo', 'experiments'].includes(name));

// Inside the checkout, so that cells find the library; Git ignores runs/.
mkdirSync(join(root, 'runs'), { recursive: true });
const scratch = mkdtempSync(join(root, 'runs/browser-'));

const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });

/** Opens a copy of a notebook. Jupyter does not trust it yet, as after a clone. */
async function openNotebook(jupyter, name, theme) {
  copyFileSync(fileOf(name), join(scratch, `${name}.ipynb`));
  const context = await browser.newContext({
    viewport: { width: 1180, height: 1000 },
    deviceScaleFactor: 0.8,
    colorScheme: theme === 'Dark' ? 'dark' : 'light',
  });
  const page = await context.newPage();
  const outside = [];
  page.on('request', (request) => {
    if (!/^(http:\/\/127\.0\.0\.1:|data:|blob:)/.test(request.url())) outside.push(request.url());
  });
  await page.goto(jupyter.open(name));
  await page.locator('.jp-Notebook .jp-CodeCell').first().waitFor({ timeout: 60_000 });
  await jupyter.kernelIsReady();
  if (!isNotebook7) {
    // Enters command mode and hides the file browser, since the window is narrow.
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+b');
  }
  await sleep(1500);
  return { page, outside, close: () => context.close() };
}

/** The prompt of each code cell, and what each of its outputs shows. */
const cellsOf = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].map((cell) => ({
      prompt: cell.querySelector('.jp-InputPrompt')?.textContent ?? '',
      outputs: [...cell.querySelectorAll('.jp-OutputArea-output')].map((output) => {
        const { width, height } = output.getBoundingClientRect();
        const pictures = [...output.querySelectorAll('img')];
        return {
          kind: output.querySelector('[data-plotly][data-live]')
            ? 'plotly'
            : output.querySelector('canvas, .vega-embed svg')
              ? 'chart'
              : output.querySelector('[data-drawing]')
                ? 'drawing'
                : pictures.length > 0
                  ? 'picture'
                  : output.querySelector('table')
                    ? 'table'
                    : 'text',
          isSeen:
            width > 20 && height > 10 && pictures.every((picture) => picture.naturalWidth > 0),
          isCut: output.scrollWidth > output.clientWidth + 2,
          isError:
            output.dataset.mimeType === 'application/vnd.jupyter.stderr' ||
            output.closest('.jp-mod-error') !== null,
          live: output.querySelector('[data-live]')?.dataset.live,
        };
      }),
    })),
  );

/** The kind as which a stored output should be shown. In an untrusted notebook a drawing is only a picture. */
const storedKind = ({ data = {} }, isTrusted = true) => {
  const html = [data['text/html'] ?? ''].flat().join('');
  if (html.includes('data-drawing')) return isTrusted ? 'drawing' : 'picture';
  if (html.includes('data-plotly')) return isTrusted ? 'plotly' : 'picture';
  if ('application/vnd.vegalite.v5+json' in data) return 'chart';
  if ('image/png' in data) return 'picture';
  return html.includes('<table') ? 'table' : 'text';
};

async function runAll(page) {
  await page.getByRole('menuitem', { name: 'Run', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Run All Cells', exact: true }).click();
}

async function until(page, what, timeoutSec, holds) {
  const end = Date.now() + 1000 * timeoutSec;
  while (!(await holds(await cellsOf(page)))) {
    if (Date.now() > end) throw new Error(`after ${timeoutSec} s still not: ${what}`);
    await sleep(500);
  }
}

const kindsOf = (cells) => cells.map(({ outputs }) => outputs.map(({ kind }) => kind));

/** Polls the cells until `what(cells)` equals `expected`, and returns them; after two minutes returns them as they are. */
async function settled(page, expected, what) {
  for (let tries = 0; ; tries++) {
    const cells = await cellsOf(page);
    if (tries === 240 || JSON.stringify(what(cells)) === JSON.stringify(expected)) return cells;
    await sleep(500);
  }
}

const isAlsoDark = (name) => ['demo', 'speedrun'].includes(name);

/** Checks the stored outputs of a notebook, as they appear right after a clone of the repository. */
async function lookAtKept(name) {
  const stored = codeCells(read(name));
  for (const theme of ['Light', 'Dark']) {
    const jupyter = await startJupyter(scratch, { program, theme, scale: 'smoke' });
    const { page, outside, close } = await openNotebook(jupyter, name, theme);
    try {
      await attempt(
        `${name}, kept, ${theme.toLowerCase()}: every output is seen, none is cut off`,
        async () => {
          const expected = stored.map(({ outputs }) =>
            outputs.map((output) => storedKind(output, false)),
          );
          const cells = await settled(page, expected, kindsOf);
          expectSame(kindsOf(cells), expected, 'kinds of outputs');
          const faults = cells.flatMap(({ outputs }, index) =>
            outputs
              .filter(({ isSeen, isCut }) => !isSeen || isCut)
              .map((output) => [stored[index].id, output]),
          );
          expectSame(faults, [], 'outputs that are not seen whole');
        },
      );
      await attempt(
        `${name}, kept, ${theme.toLowerCase()}: nothing is fetched from elsewhere`,
        () => {
          expectSame(outside, [], 'requests');
        },
      );
      if (takesPictures && !isNotebook7 && (theme === 'Light' || isAlsoDark(name)))
        await takePictures(page, name, theme);
    } finally {
      await close();
      await jupyter.stop();
    }
  }
}

/** Executes a notebook from top to bottom in the browser. */
async function runToTheEnd(name) {
  const stored = codeCells(read(name));
  const jupyter = await startJupyter(scratch, { program, theme: 'Light', scale: 'smoke' });
  const { page, outside, close } = await openNotebook(jupyter, name, 'Light');
  try {
    await attempt(`${name}, run at smoke scale: every cell ends, without an error`, async () => {
      await runAll(page);
      // A star marks a cell that waits or runs. A cell that ends without a number was cancelled.
      await sleep(2000);
      await until(page, 'no cell waits', 900, (cells) =>
        cells.every(({ prompt }) => !prompt.includes('*')),
      );
      await sleep(4000);
      const cells = await cellsOf(page);
      const faults = cells.flatMap(({ outputs }, index) =>
        outputs.flatMap(({ isError }) => (isError ? [stored[index].id] : [])),
      );
      const missed = cells.flatMap(({ prompt }, index) =>
        /\d/.test(prompt) ? [] : [stored[index].id],
      );
      expectSame(
        { faults, missed },
        { faults: [], missed: [] },
        'cells that failed, or were not run',
      );
    });
    await attempt(
      `${name}, run: charts are drawn; drawings are rendered by d3-graphviz and animate when visible`,
      async () => {
        const wanted = stored.flatMap(({ outputs }) => outputs.map((output) => storedKind(output)));
        const countsOf = (kinds) =>
          ['chart', 'drawing', 'picture', 'plotly'].map((kind) => [
            kind,
            kinds.filter((one) => one === kind).length,
          ]);
        const countsIn = (cells) => countsOf(kindsOf(cells).flat());
        const cells = await settled(page, countsOf(wanted), countsIn);
        expectSame(countsIn(cells), countsOf(wanted), 'numbers of figures');
        const drawings = await page.locator('[data-drawing]').all();
        for (const drawing of drawings) {
          await drawing.scrollIntoViewIfNeeded();
          await drawing.locator('svg').first().waitFor({ timeout: 10_000 });
          expectSame(await drawing.locator('img').count(), 0, 'pictures that stayed');
          const isMoving = await drawing.evaluate((box) => box.dataset.moves !== undefined);
          if (isMoving)
            await page.waitForFunction(
              (box) => box.dataset.live === 'moved',
              await drawing.elementHandle(),
              { timeout: 15_000 },
            );
          await openAndClose(drawing);
        }
      },
    );
    await attempt(
      `${name}, run: figures of plotly.js are drawn when they are scrolled into view`,
      async () => {
        for (const figure of await page.locator('[data-plotly]').all()) {
          await figure.scrollIntoViewIfNeeded();
          await figure.locator('.js-plotly-plot').first().waitFor({ timeout: 30_000 });
          await figure.locator('> img').waitFor({ state: 'detached', timeout: 10_000 });
        }
      },
    );
    await attempt(`${name}, run: nothing is fetched from elsewhere`, () =>
      expectSame(outside, [], 'requests'),
    );
  } finally {
    await close();
    await jupyter.stop();
  }
}

/** Opens a collapsed block of a drawing by a click, if there is one, collapses all again, zooms in and back. */
async function openAndClose(drawing) {
  const boxes = () => drawing.locator('.node').count();
  const before = await boxes();
  // Translation and scale. The attribute has no scale until the first zoom.
  const transform = async () => {
    const text = await drawing.locator('svg > g').getAttribute('transform');
    const [x, y, scale = 1] = text.match(/-?[\d.]+/g).map((number) => Number(number).toFixed(2));
    return [x, y, Number(scale)];
  };
  const until = async (holds, what) => {
    for (let tries = 0; !(await holds()); tries++) {
      if (tries > 100) throw new Error(`a drawing: ${what}`);
      await sleep(100);
    }
  };
  const closed = drawing.locator('.node.closed').first();
  if ((await closed.count()) > 0) {
    await closed.click();
    await until(async () => (await boxes()) > before, 'a click opens no block');
    await until(async () => {
      await drawing.getByText('close repeated').click();
      return (await boxes()) === before;
    }, 'its repeated blocks do not close');
  }
  const whole = await transform();
  await drawing.getByText('+', { exact: true }).click();
  expectSame((await transform())[2] > whole[2], true, 'a drawing grows when it is zoomed');
  await drawing.getByText('whole').click();
  expectSame(await transform(), whole, 'the whole drawing');
}

/** Appends a cell, runs it, and returns it. */
async function addCell(page, code) {
  await page.keyboard.press('Escape');
  await page.locator('.jp-Notebook .jp-Cell').last().locator('.jp-InputPrompt').click();
  await page.keyboard.press('b');
  await page.keyboard.press('Enter');
  await page.keyboard.insertText(code);
  const cell = page.locator('.jp-Notebook .jp-CodeCell').last();
  await page.keyboard.press('Control+Enter');
  return cell;
}

/** Watches and stops the cell that trains. */
async function stopTraining(name, id) {
  const index = codeCells(read(name)).findIndex((cell) => cell.id === id);
  const jupyter = await startJupyter(scratch, { program, theme: 'Light', scale: 'pocket' });
  const { page, close } = await openNotebook(jupyter, name, 'Light');
  const cell = page.locator('.jp-Notebook .jp-CodeCell').nth(index);
  const status = cell.locator('[data-live="on"]');
  try {
    await attempt(`${name}, training: progress, rate and time left change in place`, async () => {
      await runAll(page);
      await status.getByText(/images\/s .* left/).waitFor({ timeout: 240_000 });
      const first = await status.textContent();
      await page
        .waitForFunction(
          ([box, text]) => box.textContent !== text,
          [await status.elementHandle(), first],
          { timeout: 30_000 },
        )
        .catch(async () => {
          if ((await status.textContent()) === first) throw new Error(`still shows "${first}"`);
        });
      expectSame(await cell.locator('.jp-OutputArea-output').count(), 2, 'outputs of the cell');
      expectSame((await cell.locator('polyline').count()) > 0, true, 'curves');
    });
    await attempt(`${name}, training: nothing flickers while it is replaced`, async () => {
      const [updates, falls] = await cell.evaluate(async (box) => {
        let updates = 0;
        const observer = new MutationObserver(() => (updates += 1));
        observer.observe(box, { childList: true, subtree: true });
        const falls = [];
        let before = box.getBoundingClientRect().height;
        const end = performance.now() + 6000;
        // Samples the height once per painted frame.
        while (performance.now() < end) {
          await new Promise((resolve) => requestAnimationFrame(resolve));
          const { height } = box.getBoundingClientRect();
          if (height < before - 1) falls.push([before, height]);
          before = height;
        }
        observer.disconnect();
        return [updates, falls];
      });
      if (updates < 3) throw new Error(`only ${updates} updates in six seconds`);
      expectSame(falls, [], 'frames in which the output is smaller than before');
    });
    await attempt(
      `${name}, training: the stop button ends it after the step, and the output says where`,
      async () => {
        await page.locator('[data-jp-item-name="interrupt"]').first().click();
        await cell
          .getByText(/stopped in epoch \d+, before step \d+ of \d+/)
          .first()
          .waitFor({ timeout: 60_000 });
        expectSame(await cell.locator('[data-live="off"]').count(), 1, 'a status that has ended');
      },
    );
    await attempt(
      `${name}, training: the next cell is answered, with the variables of earlier ones`,
      async () => {
        const answer = await addCell(page, 'console.log(`${classes.length} classes`);');
        await answer.getByText('10 classes').waitFor({ timeout: 15_000 });
      },
    );
    await attempt(`${name}, training: resumeLive resumes, and is stopped in turn`, async () => {
      const code = "import { resumeLive } from 'cifar10-fast';\nconst more = await resumeLive();";
      const again = await addCell(page, code);
      await again.getByText(/Resuming run 1 of \d+/).waitFor({ timeout: 60_000 });
      await again.getByText(/images\/s .* left/).waitFor({ timeout: 120_000 });
      await page.locator('[data-jp-item-name="interrupt"]').first().click();
      await again
        .getByText(/stopped in epoch \d+, before step \d+ of \d+/)
        .first()
        .waitFor({ timeout: 60_000 });
    });
  } finally {
    await close();
    await jupyter.stop();
  }
}

try {
  for (const name of chosen) {
    console.log(name);
    await lookAtKept(name);
    if (onlyLooks) continue;
    await runToTheEnd(name);
    if (name === 'demo') await stopTraining(name, 'train');
  }
} finally {
  await browser.close();
  rmSync(scratch, { recursive: true, force: true });
}
endTally();
