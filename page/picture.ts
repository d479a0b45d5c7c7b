import { mostBytes, mostPixels, pictureFormat, refusalOf } from '../src/export/picture-format';
import { middleSquare, resizeSquare } from '../src/export/resize';

/** Side of the network's input, in pixels. */
export const side = 32;

/**
 * Decodes a picture as a viewer shows it: the first frame, turned as its EXIF orientation says, in sRGB.
 *
 * @param name for errors
 * @throws Error if it is not PNG, JPEG, WebP or GIF, is too large, or is damaged; the messages are those of `predict`
 */
export async function decode(file: Blob, name: string): Promise<ImageBitmap> {
  if (file.size > mostBytes) throw new Error(`${name} is larger than 256 MiB.`);
  const start = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  const refusal = refusalOf(start);
  if (refusal !== undefined) throw new Error(`${name} ${refusal}`);
  let picture: ImageBitmap;
  try {
    picture = await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch {
    throw new Error(
      `${name} cannot be decoded as ${pictureFormat(start)}. Save it again, or take another copy.`,
    );
  }
  if (picture.width * picture.height > mostPixels) {
    throw new Error(`${name} has more than ${mostPixels.toLocaleString('en-US')} pixels.`);
  }
  return picture;
}

/**
 * The network's input for a picture: its middle square on white, resized as by `predict`. The canvas is only as high as one
 * row of the result, because browsers limit a canvas's area.
 *
 * @returns `[32,32,3]`
 */
export function crop(
  picture: CanvasImageSource,
  { width, height }: { readonly width: number; readonly height: number },
): Uint8Array {
  const square = middleSquare(width, height);
  const canvas = document.createElement('canvas');
  canvas.width = square.side;
  canvas.height = Math.ceil(square.side / side) + 1;
  const context = contextOf(canvas, { willReadFrequently: true });
  // Pixels are copied one to one; the browser must not resize.
  context.imageSmoothingEnabled = false;
  return resizeSquare(square.side, side, (from, to) => {
    const rows = to - from;
    const { left, top } = square;
    context.clearRect(0, 0, square.side, rows);
    context.drawImage(picture, left, top + from, square.side, rows, 0, 0, square.side, rows);
    const { data } = context.getImageData(0, 0, square.side, rows);
    return { data: onWhite(data), rowLength: 4 * square.side, channels: 4 };
  });
}

/**
 * Blends pixels `[...,4]` with white. libvips, which `predict` uses, rounds down, by half a step on average. A canvas stores
 * partly transparent pixels too coarsely to round each one like libvips, so half a step is subtracted.
 */
export function onWhite(data: Uint8ClampedArray): ArrayLike<number> {
  const out = Float32Array.from(data);
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3];
    if (alpha === 255) continue;
    for (let channel = i; channel < i + 3; channel++) {
      out[channel] = (data[channel] * alpha) / 255 + (255 - alpha) - (alpha > 0 ? 0.5 : 0);
    }
  }
  return out;
}

/** @throws Error if the browser returns no context */
export function contextOf(
  canvas: HTMLCanvasElement,
  settings?: CanvasRenderingContext2DSettings,
): CanvasRenderingContext2D {
  const context = canvas.getContext('2d', settings);
  if (context === null)
    throw new Error('this browser does not let a page draw. Use another browser.');
  return context;
}
