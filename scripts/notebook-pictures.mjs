// Screenshots of notebooks in JupyterLab, for docs/pictures/notebooks/.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './notebook-files.mjs';

/** The height of a picture in pixels of the page. Neither a screenshot of Chromium nor a WebP can exceed 16,384. */
const pictureHeight = 12_000;

/** Captures a notebook from its first line to its last, in as many pictures as needed. */
export async function takePictures(page, name, theme) {
  const folder = join(root, 'docs/pictures/notebooks');
  mkdirSync(folder, { recursive: true });
  const prefix = `${name}-${theme.toLowerCase()}`;
  for (const old of readdirSync(folder)) {
    if (new RegExp(`^${prefix}(-\\d+)?\\.webp$`).test(old)) rmSync(join(folder, old));
  }
  const notebook = page.locator('.jp-Notebook .jp-WindowedPanel-outer').first();
  // JupyterLab can scroll beyond the last cell.
  const lengthOf = () =>
    notebook.evaluate((panel) => {
      const bottoms = [...panel.querySelectorAll('.jp-Cell')].map(
        (cell) => cell.getBoundingClientRect().bottom,
      );
      return Math.ceil(
        Math.max(...bottoms) - panel.getBoundingClientRect().top + panel.scrollTop + 10,
      );
    });
  await page.setViewportSize({
    width: 1180,
    height: Math.min(pictureHeight, await lengthOf()) + 160,
  });
  await sleep(3000);
  const length = await lengthOf();
  const { x, y, width, height } = await notebook.boundingBox();
  const count = Math.ceil(length / height);
  const step = Math.ceil(length / count);
  for (let part = 0; part < count; part++) {
    const start = part * step;
    const scrolled = await notebook.evaluate((panel, top) => {
      panel.scrollTop = top;
      return panel.scrollTop;
    }, start);
    await sleep(1500);
    // The last part may not scroll all the way to the top.
    const clip = { x, y: y + start - scrolled, width, height: Math.min(step, length - start) };
    const webp = await smaller(page, await page.screenshot({ clip }));
    writeFileSync(join(folder, `${prefix}${count === 1 ? '' : `-${part + 1}`}.webp`), webp);
  }
}

/** Scales a screenshot to 80 % and encodes it as WebP. */
async function smaller(page, png) {
  const blank = await page.context().newPage();
  const webp = await blank.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.codePointAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [0.8 * bitmap.width, 0.8 * bitmap.height];
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL('image/webp', 0.5).split(',')[1];
  }, png.toString('base64'));
  await blank.close();
  return Buffer.from(webp, 'base64');
}
