import { startCamera } from './camera';
import type { Camera } from './camera';
import { readData } from './data';
import type { PageData } from './data';
import { append, drawBars, drawPixels, drawPreview, drawStages, element } from './draw';
import { openNetwork } from './network';
import type { Answer, Network } from './network';
import { crop, decode, side } from './picture';
import { nearest } from './similar';

/** Number of test images offered, and of most similar ones shown. */
const offered = 20;
const neighbours = 12;

const preview = element('preview') as HTMLCanvasElement;
const video = element('video') as HTMLVideoElement;
const file = element('file') as HTMLInputElement;
const cameraButton = element('camera') as HTMLButtonElement;

/** The state of the page after start-up. */
interface Started {
  readonly data: PageData;
  readonly network: Network;
  readonly sheet: ImageBitmap;
}

/** Number of the latest request; the answer to an older one is not shown. */
let asked = 0;
let camera: Camera | undefined;
let shown: Answer | undefined;

function showProblem(error: unknown): void {
  const box = element('problem');
  box.hidden = error === undefined;
  box.textContent = error instanceof Error ? error.message : String(error);
}

/** Runs a user's action and shows its error in the page. */
function handle(action: () => Promise<void>): void {
  showProblem(undefined);
  action().catch(showProblem);
}

/** Classifies pixels `[32,32,3]` and shows the result, unless there is a newer request. */
async function show(
  { data, network, sheet }: Started,
  pixels: Uint8Array,
  { truth = '', testImage, turn }: { truth?: string; testImage?: number; turn: number },
): Promise<void> {
  const answer = await network.classify(pixels);
  if (turn !== asked) return;
  shown = answer;
  const { classes, test } = data.about;
  drawPixels(element('crop') as HTMLCanvasElement, pixels);
  element('truth').textContent = truth;
  drawBars(classes, answer.probabilities);
  drawStages(answer.stages);
  const box = element('neighbours');
  box.replaceChildren();
  for (const { index, cosine } of nearest(answer.features, data.features, neighbours, testImage)) {
    const figure = append(box, 'figure');
    addThumbnail(figure, { data, network, sheet }, index);
    const caption = append(figure, 'figcaption');
    append(caption, 'b', '', classes[test.labels[index]]);
    caption.append(cosine.toFixed(2));
  }
  element('engine').textContent =
    `${network.backend}, ${answer.milliseconds.toFixed(0)} ms for this picture. ${network.refused.join(' ')}`;
}

/** Adds a test image as a button that classifies it. */
function addThumbnail(to: HTMLElement, started: Started, index: number): void {
  const { classes, test } = started.data.about;
  const button = append(to, 'button', 'thumbnail');
  button.type = 'button';
  button.title = `test image ${index}: ${classes[test.labels[index]]}`;
  button.setAttribute('aria-label', button.title);
  drawPixels(append(button, 'canvas'), testPixels(started, index));
  button.addEventListener('click', () => handle(() => showTestImage(started, index)));
}

/** The pixels `[32,32,3]` of a test image. */
function testPixels({ data, sheet }: Pick<Started, 'data' | 'sheet'>, index: number): Uint8Array {
  const { columns } = data.about.test;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [side, side];
  const context = canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
  context.drawImage(sheet, -(index % columns) * side, -Math.floor(index / columns) * side);
  return crop(canvas, canvas);
}

async function showTestImage(started: Started, index: number): Promise<void> {
  const turn = begin();
  const { classes, test } = started.data.about;
  const pixels = testPixels(started, index);
  const canvas = document.createElement('canvas');
  drawPixels(canvas, pixels);
  drawPreview(preview, canvas, canvas);
  const truth = `test image ${index}: ${classes[test.labels[index]]}`;
  await show(started, pixels, { truth, testImage: index, turn });
}

async function showFile(started: Started, picture: File | undefined): Promise<void> {
  if (picture === undefined) return;
  const turn = begin();
  const name = picture.name || 'the picture';
  const bitmap = await decode(picture, name);
  if (turn === asked) {
    drawPreview(preview, bitmap, bitmap);
    await show(started, crop(bitmap, bitmap), { truth: name, turn });
  }
  bitmap.close();
}

/** Starts a new request: answers to earlier ones are not shown, and the camera is off. */
function begin(): number {
  asked += 1;
  camera?.stop();
  camera = undefined;
  cameraButton.ariaPressed = 'false';
  cameraButton.textContent = 'Use the camera';
  return asked;
}

/** Classifies camera frames one after the other until the next request. */
async function watchCamera(started: Started): Promise<void> {
  const turn = begin();
  const isWatched = (): boolean => turn === asked;
  // A second click would open the camera once more.
  cameraButton.disabled = true;
  const opened = await startCamera(video).finally(() => {
    cameraButton.disabled = false;
  });
  if (!isWatched()) {
    opened.stop();
    return;
  }
  camera = opened;
  cameraButton.ariaPressed = 'true';
  cameraButton.textContent = 'Stop the camera';
  try {
    while (isWatched()) {
      // Turning a phone swaps the video's width and height.
      const size = { width: video.videoWidth, height: video.videoHeight };
      drawPreview(preview, video, size);
      await show(started, crop(video, size), { truth: 'camera', turn });
      await new Promise(requestAnimationFrame);
    }
  } finally {
    if (isWatched()) begin();
  }
}

function listen(started: Started): void {
  const stage = element('stage');
  element('choose').addEventListener('click', () => file.click());
  file.addEventListener('change', () => {
    handle(() => showFile(started, file.files?.[0]));
    // Lets the user choose the same file again.
    file.value = '';
  });
  cameraButton.addEventListener('click', () => {
    if (camera === undefined) handle(() => watchCamera(started));
    else begin();
  });
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    stage.classList.add('over');
  });
  document.addEventListener('dragleave', () => stage.classList.remove('over'));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    stage.classList.remove('over');
    handle(() => showFile(started, event.dataTransfer?.files[0]));
  });
  document.addEventListener('paste', (event) => {
    handle(() => showFile(started, event.clipboardData?.files[0]));
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    if (shown !== undefined) drawStages(shown.stages);
  });
}

function describe({ about }: PageData): void {
  const { record, scale, seed, epoch, epochs, accPercent, parameters, tta } = about;
  const acc =
    accPercent === undefined ? 'not finished' : `${accPercent.toFixed(2)} % of test images right`;
  element('run').textContent = [
    record,
    `${scale} scale`,
    `seed ${seed}`,
    epoch === epochs ? `${epochs} epochs` : `after ${epoch} of ${epochs} epochs`,
    acc,
    `${parameters.toLocaleString('en-US')} trainable parameters`,
    ...(tta ? ['mean over the picture and its mirror image'] : []),
  ].join(' · ');
  document.title = `What ${record} sees`;
}

async function start(): Promise<void> {
  const data = readData();
  describe(data);
  const sheet = await createImageBitmap(data.sheet);
  const only = new URLSearchParams(location.search).get('backend');
  const first = testPixels({ data, sheet }, 0);
  const started = { data, sheet, network: await openNetwork(data, first, only) };
  const count = Math.min(offered, data.about.test.labels.length);
  for (let i = 0; i < count; i++) addThumbnail(element('samples'), started, i);
  listen(started);
  await showTestImage(started, 0);
}

handle(start);
