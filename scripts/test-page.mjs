// Opens pages of `cifar10-fast page` in Chromium: from a file and from a server, with pictures of every format, the camera,
// both backends, and on the screen of a phone. Compares the scores with those of `predict`.
//
//   node scripts/test-page.mjs [--pictures RUN]    also takes pictures of the page of a run, into docs/pictures/page/
//
// It trains two small networks first, on CIFAR-10 from the cache. Without Chromium on PATH it reports that and tests nothing.
import { spawnSync } from 'node:child_process';
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { chromium } from 'playwright-core';
import { findBrowser } from './browser-path.mjs';
import { library, root } from './notebook-files.mjs';
import { optionsOf } from './options.mjs';
import { writePictures } from './page-pictures.mjs';
import { attempt, endTally, expectSame } from './tally.mjs';

const { pictures: pictured } = optionsOf(import.meta.url, { pictures: { type: 'string' } });
const browserPath = findBrowser();
const { readPictureFile, resizeByArea } = library();
mkdirSync(join(root, 'runs'), { recursive: true });
const scratch = mkdtempSync(join(root, 'runs/page-'));

function cli(...args) {
  const program = join(root, 'dist/cli/main.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: scratch,
    encoding: 'utf8',
    maxBuffer: 1e9,
  });
  if (status !== 0) throw new Error(`cifar10-fast ${args.join(' ')}: exit ${status}\n${stderr}`);
  return stdout;
}

/** Trains an experiment at smoke scale and writes its page. */
function makePage(name, ...settings) {
  const log = cli('train', name, '--scale', 'smoke', '--log-dir', 'runs', '--json', ...settings);
  const { folder: run } = JSON.parse(log.trim().split('\n').at(-1));
  cli('page', run, '-o', name);
  return { name, run, file: join(scratch, name, 'index.html') };
}

const scoresOf = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('#bars li')].map((row) => [
      row.firstElementChild.textContent,
      parseFloat(row.querySelector('.bar').style.width) / 100,
    ]),
  );
const cropOf = (page) =>
  page.evaluate(() => {
    const canvas = document.getElementById('crop');
    return [...canvas.getContext('2d').getImageData(0, 0, 32, 32).data].filter((_, i) => i % 4 < 3);
  });

/** The largest difference between the scores on the page and those of `predict`. */
function differenceOf(found, probabilities) {
  expectSame(
    found.map(([name]) => name),
    Object.keys(probabilities),
    'classes',
  );
  return Math.max(...found.map(([name, share]) => Math.abs(share - probabilities[name])));
}

async function open(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  const requests = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url())) requests.push(request.url());
  });
  await page.goto(address);
  await page.locator('#bars li, #problem:not([hidden])').first().waitFor({ timeout: 120_000 });
  return { page, faults, requests, close: () => context.close() };
}

async function give(page, path, name) {
  await page.locator('#file').setInputFiles(path);
  await page.locator('#truth', { hasText: name }).waitFor({ timeout: 60_000 });
}

async function testPictures(browser, subject, pictures, address) {
  const { page, faults, close } = await open(browser, address);
  const engine = (await page.locator('#engine').textContent()).split(',')[0];
  const args = ['predict', subject.run, ...pictures.map(({ path }) => path), '--json'];
  const expected = JSON.parse(cli(...args)).pictures;
  for (const [i, { name, path }] of pictures.entries()) {
    await attempt(`${subject.name}, ${engine}, ${name}: the scores of predict`, async () => {
      await give(page, path, name);
      const scores = await scoresOf(page);
      const difference = differenceOf(scores, expected[i].probabilities);
      const sum = scores.reduce((total, [, share]) => total + share, 0);
      // A canvas loses precision in partly transparent pixels, so they round differently from libvips.
      const bar = name === 'transparent.png' ? 5e-3 : 1e-3;
      if (!(difference <= bar && Math.abs(sum - 1) < 1e-3))
        throw new Error(`scores differ by ${difference.toFixed(6)}, they add up to ${sum}`);
      const decoded = resizeByArea(await readPictureFile(path));
      const steps = (await cropOf(page)).map((value, at) => Math.abs(value - decoded[at]));
      const [most, count] = [Math.max(...steps), steps.filter((step) => step > 0).length];
      // Decoders round differently, by half a step before the mean over an area.
      if (most > 1) throw new Error(`${count} of 3072 bytes differ, by up to ${most}`);
      return `they differ by ${difference.toExponential(1)}, and ${count} of 3072 bytes by 1`;
    });
  }
  await attempt(
    `${subject.name}, ${engine}, a test image: the scores of predict, and its label`,
    async () => {
      const [{ label, probabilities }] = JSON.parse(
        cli('predict', subject.run, '--test-image', '3', '--json'),
      ).pictures;
      await page.locator('#samples button').nth(3).click();
      await page.locator('#truth', { hasText: `test image 3: ${label}` }).waitFor();
      const difference = differenceOf(await scoresOf(page), probabilities);
      if (!(difference <= 1e-3)) throw new Error(`scores differ by ${difference}`);
      const own = await page.locator('#neighbours button[title^="test image 3:"]').count();
      expectSame(own, 0, 'the image itself among those like it');
      return `they differ by ${difference.toExponential(1)}`;
    },
  );
  await attempt(`${subject.name}, ${engine}: stages and twelve neighbours are drawn`, async () => {
    const empty = await page.evaluate(
      () =>
        [...document.querySelectorAll('#stages canvas')].filter((canvas) => {
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          return new Set(new Uint32Array(data.buffer)).size < 8;
        }).length,
    );
    expectSame(empty, 0, 'stages of one colour');
    expectSame(await page.locator('#stages canvas').count(), 4, 'stages');
    expectSame(await page.locator('#neighbours figure').count(), 12, 'neighbours');
  });
  expectSame(faults, [], 'errors of the page');
  await close();
}

async function testUse(browser, subject) {
  const { page, faults, requests, close } = await open(browser, pathToFileURL(subject.file).href);
  await attempt('from a file: nothing is fetched, and the page may not', async () => {
    expectSame(requests.length, 1, 'requests beside the page itself');
    const reached = await page.evaluate(() =>
      fetch('http://127.0.0.1:9/').then(
        () => 'connected',
        (error) => error.message,
      ),
    );
    expectSame(reached, 'Failed to fetch', 'a connection');
    expectSame(/Content Security Policy/.test(faults.splice(0).join()), true, 'the policy is why');
  });
  await attempt('dropped and pasted pictures are taken', async () => {
    for (const kind of ['drop', 'paste']) {
      const base64 = readFileSync(join(scratch, 'exact.png')).toString('base64');
      await page.evaluate(
        ([kind, base64, name]) => {
          const bytes = Uint8Array.from(atob(base64), (letter) => letter.codePointAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name, { type: 'image/png' }));
          document.body.dispatchEvent(
            kind === 'drop'
              ? new DragEvent(kind, { dataTransfer: data, bubbles: true })
              : new ClipboardEvent(kind, { clipboardData: data, bubbles: true }),
          );
        },
        [kind, base64, `${kind}.png`],
      );
      await page.locator('#truth', { hasText: `${kind}.png` }).waitFor();
    }
    const pixels = await sharp(join(scratch, 'exact.png')).removeAlpha().raw().toBuffer();
    expectSame(await cropOf(page), [...pixels], 'pixels of a picture of 32 x 32');
  });
  await attempt(
    'rejects a file that is not a picture or is truncated, with a message; the next picture works',
    async () => {
      const photo = readFileSync(join(scratch, 'baseline.jpg'));
      const heic = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic'), photo]);
      for (const [name, content, message] of [
        ['notes.txt', 'no picture', 'notes.txt is not a PNG, JPEG, WebP or GIF picture.'],
        ['photo.jpg', heic, 'photo.jpg is a HEIC picture.'],
        ['empty.png', '', 'empty.png is empty.'],
        ['damaged.jpg', photo.subarray(0, 100), 'damaged.jpg cannot be decoded as JPEG.'],
      ]) {
        writeFileSync(join(scratch, name), content);
        await page.locator('#file').setInputFiles(join(scratch, name));
        await page.locator('#problem', { hasText: message }).waitFor();
      }
      await give(page, join(scratch, 'plain.png'), 'plain.png');
      expectSame(await page.locator('#problem').isVisible(), false, 'a problem is shown');
    },
  );
  await attempt('the camera: frames are classified until it is stopped', async () => {
    await page.locator('#camera').click();
    await page.locator('#truth', { hasText: 'camera' }).waitFor();
    const seen = new Set();
    for (let tries = 0; seen.size < 3 && tries < 200; tries++) {
      seen.add(String(await cropOf(page)));
      await page.waitForTimeout(50);
    }
    if (seen.size < 3) throw new Error(`${seen.size} different frames`);
    await page.locator('#camera', { hasText: 'Stop' }).click();
    await page.locator('#camera', { hasText: 'Use the camera' }).waitFor();
    const still = String(await cropOf(page));
    await page.waitForTimeout(500);
    expectSame(String(await cropOf(page)) === still, true, 'the last frame stays');
    expectSame(
      await page.evaluate(() => document.getElementById('video').srcObject),
      null,
      'a stream',
    );
    await page.locator('#samples button').nth(1).click();
    await page.locator('#truth', { hasText: 'test image 1' }).waitFor();
  });
  expectSame(faults, [], 'errors of the page');
  await close();
}

/** The page detects a backend that computes wrong scores. */
async function testWrongScores(browser, subject) {
  await attempt('a backend whose scores are wrong is not used', async () => {
    const html = readFileSync(subject.file, 'utf8').replace(/"first":\[[^,]+/, '"first":[2');
    const file = join(scratch, 'wrong.html');
    writeFileSync(file, html);
    const opened = await open(browser, pathToFileURL(file).href);
    await opened.page.locator('#problem', { hasText: 'its scores are wrong by' }).waitFor();
    await opened.close();
  });
}

/** On a phone nothing is wider than the screen, and buttons are large enough to touch. */
async function testPhone(browser, subject) {
  const { page, close } = await open(browser, pathToFileURL(subject.file).href, {
    viewport: { width: 360, height: 740 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  });
  await attempt(
    'on a phone: nothing is wider than the screen, buttons can be touched',
    async () => {
      await page.locator('#samples button').nth(2).tap();
      await page.locator('#truth', { hasText: 'test image 2' }).waitFor();
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expectSame(width, 360, 'width of the page');
      for (const id of ['choose', 'camera']) {
        const { height } = await page.locator(`#${id}`).boundingBox();
        if (height < 44) throw new Error(`#${id} is ${height} px high`);
      }
    },
  );
  await close();
}

async function takePictures(browser) {
  cli('page', resolve(pictured), '-o', 'pictured');
  const folder = join(root, 'docs/pictures/page');
  mkdirSync(folder, { recursive: true });
  const screens = {
    desktop: { viewport: { width: 1280, height: 900 } },
    phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true },
  };
  for (const [name, screen] of Object.entries(screens)) {
    for (const colorScheme of ['light', 'dark']) {
      const address = pathToFileURL(join(scratch, 'pictured/index.html')).href;
      const { page, close } = await open(browser, address, { ...screen, colorScheme });
      const png = await page.screenshot({ fullPage: true });
      await sharp(png)
        .webp({ quality: 80 })
        .toFile(join(folder, `${name}-${colorScheme}.webp`));
      await close();
    }
  }
}

/** A minimal server of static files. */
async function serve() {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    createReadStream(join(scratch, new URL(request.url, 'http://x').pathname))
      .on('error', () => response.writeHead(404).end())
      .pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

const flags = [
  '--no-sandbox',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
];
const launch = (...more) =>
  chromium.launch({ executablePath: browserPath, args: [...flags, ...more] });
const browser = await launch();
const server = await serve();
try {
  const pictures = await writePictures(scratch);
  const demo = makePage('demo');
  const fastest = makePage('fastest');
  await testPictures(browser, demo, pictures, `${pathToFileURL(demo.file).href}?backend=wasm`);
  await testPictures(browser, fastest, pictures.slice(0, 3), `${server.url}/fastest/index.html`);
  await testUse(browser, demo);
  await testWrongScores(browser, demo);
  await testPhone(browser, demo);
  if (pictured !== undefined) await takePictures(browser);
  // WebGPU on the CPU runs the same shaders as on a GPU.
  const gpu = await launch('--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader');
  await testPictures(
    gpu,
    fastest,
    pictures.slice(0, 2),
    `${server.url}/fastest/index.html?backend=webgpu`,
  );
  await gpu.close();
} finally {
  await browser.close();
  server.close();
  rmSync(scratch, { recursive: true, force: true });
}
endTally();
