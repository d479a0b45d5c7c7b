import { strongest } from './channels';
import type { Activation } from './network';
import { contextOf, side } from './picture';

/** Number of channels shown per stage, and per row. */
const shownChannels = 16;
const perRow = 8;

/** Side of a channel's map and gap between two maps, in pixels of the canvas. */
const mapSide = 64;
const gap = 4;

/** The page's element with this id, which must exist. */
export function element(id: string): HTMLElement {
  return document.getElementById(id) as HTMLElement;
}

/** Appends a new element. */
export function append<K extends keyof HTMLElementTagNameMap>(
  to: HTMLElement,
  tag: K,
  className = '',
  text = '',
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  to.append(made);
  return made;
}

/** Draws pixels `[32,32,3]` into a canvas, one to one. */
export function drawPixels(canvas: HTMLCanvasElement, pixels: Uint8Array): void {
  canvas.width = side;
  canvas.height = side;
  const image = new ImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    image.data.set([pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2], 255], 4 * i);
  }
  contextOf(canvas).putImageData(image, 0, 0);
}

/** Draws a whole picture and shades everything outside its middle square. */
export function drawPreview(
  canvas: HTMLCanvasElement,
  picture: CanvasImageSource,
  { width, height }: { readonly width: number; readonly height: number },
): void {
  const context = contextOf(canvas);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const scale = Math.min(canvas.width / width, canvas.height / height);
  const [shownWidth, shownHeight] = [width * scale, height * scale];
  const [left, top] = [(canvas.width - shownWidth) / 2, (canvas.height - shownHeight) / 2];
  const square = Math.min(shownWidth, shownHeight);
  context.imageSmoothingEnabled = scale < 1;
  context.imageSmoothingQuality = 'high';
  context.fillStyle = 'white';
  context.fillRect(left, top, shownWidth, shownHeight);
  context.drawImage(picture, left, top, shownWidth, shownHeight);
  const [squareLeft, squareTop] = [(canvas.width - square) / 2, (canvas.height - square) / 2];
  context.fillStyle = 'rgb(0 0 0 / 55%)';
  context.beginPath();
  context.rect(left, top, shownWidth, shownHeight);
  context.rect(squareLeft, squareTop, square, square);
  context.fill('evenodd');
  context.strokeStyle = 'white';
  context.lineWidth = 2;
  context.strokeRect(squareLeft + 1, squareTop + 1, square - 2, square - 2);
}

/** Draws ten bars, in the order of the classes. The first call creates them, later calls update them. */
export function drawBars(classes: readonly string[], probabilities: Float32Array): void {
  const list = element('bars');
  if (list.childElementCount === 0) {
    for (const name of classes) {
      const row = append(list, 'li');
      append(row, 'span', '', name);
      append(append(row, 'div', 'track'), 'div', 'bar');
      append(row, 'span', 'value');
    }
  }
  const top = probabilities.indexOf(Math.max(...probabilities));
  [...list.children].forEach((row, i) => {
    const percent = 100 * probabilities[i];
    row.className = i === top ? 'top' : '';
    (row.querySelector('.bar') as HTMLElement).style.width = `${percent}%`;
    (row.querySelector('.value') as HTMLElement).textContent = `${percent.toFixed(1)} %`;
  });
  const share = probabilities[top];
  const word = share > 0.9 ? '' : share > 0.5 ? 'probably ' : 'perhaps ';
  element('verdict').textContent = `${word}${classes[top]}`;
}

/** Draws the strongest channels of each stage as maps, in the colours of the theme. */
export function drawStages(stages: readonly Activation[]): void {
  const box = element('stages');
  while (box.childElementCount < stages.length) {
    const figure = append(box, 'figure');
    append(figure, 'canvas', 'maps').setAttribute('role', 'img');
    append(figure, 'figcaption');
  }
  const ramp = rampOf(matchMedia('(prefers-color-scheme: dark)').matches);
  stages.forEach((stage, i) => {
    const [, height, width, channels] = stage.shape;
    const [canvas, caption] = box.children[i].children as unknown as [HTMLCanvasElement, Element];
    const shown = strongest(stage, shownChannels);
    const which = shown.length < channels ? `the ${shown.length} strongest of ` : '';
    caption.textContent = `${stage.name}: ${which}${channels} channels, ${height} × ${width}`;
    canvas.setAttribute('aria-label', caption.textContent);
    drawMaps(canvas, shown, { width, height }, ramp);
  });
}

function drawMaps(
  canvas: HTMLCanvasElement,
  shown: ReturnType<typeof strongest>,
  { width, height }: { readonly width: number; readonly height: number },
  ramp: Uint8ClampedArray,
): void {
  const step = mapSide + gap;
  canvas.width = perRow * step - gap;
  canvas.height = Math.ceil(shown.length / perRow) * step - gap;
  const context = contextOf(canvas);
  context.imageSmoothingEnabled = false;
  const one = document.createElement('canvas');
  [one.width, one.height] = [width, height];
  shown.forEach(({ shares }, at) => {
    const image = new ImageData(width, height);
    shares.forEach((share, pixel) => {
      const from = 4 * Math.round(255 * share);
      image.data.set(ramp.subarray(from, from + 4), 4 * pixel);
    });
    contextOf(one).putImageData(image, 0, 0);
    const [left, top] = [(at % perRow) * step, Math.floor(at / perRow) * step];
    context.drawImage(one, left, top, mapSide, mapSide);
  });
}

/** 256 colours `[256,4]` from a map's background to its largest value: bright in the dark theme, dark in the light one. */
function rampOf(isDark: boolean): Uint8ClampedArray {
  const stops = isDark
    ? [[30, 33, 40], [32, 74, 135], [72, 158, 232], [232, 246, 255]] // prettier-ignore
    : [
        [238, 240, 243],
        [150, 190, 235],
        [40, 105, 190],
        [10, 30, 80],
      ];
  const out = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1);
    const from = Math.min(stops.length - 2, Math.floor(at));
    for (let channel = 0; channel < 3; channel++) {
      const [a, b] = [stops[from][channel], stops[from + 1][channel]];
      out[4 * i + channel] = a + (at - from) * (b - a);
    }
    out[4 * i + 3] = 255;
  }
  return out;
}
