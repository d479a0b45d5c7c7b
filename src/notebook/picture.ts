import { PNG } from 'pngjs';
import { NotebookError } from '../base/errors';
import { escapeXml } from '../graph/colours';
import type { Figure } from './figure';
import { raster, rasterMetadata } from './raster';
import { fontFamily, ink } from './theme';

/** How pictures are laid out. */
export interface PictureOptions {
  /** Shape of one picture. Default: `[32,32,3]`. */
  readonly shape?: readonly [height: number, width: number, channels: 1 | 3];
  /** A line below each picture, or several with `\n` between them. */
  readonly captions?: readonly string[];
  /** Pictures per row. Default: 10. */
  readonly columns?: number;
  /** Width of a picture in pixels of the page. Default: 72. */
  readonly size?: number;
  readonly title?: string;
}

/**
 * Small pictures side by side, enlarged without blurring, with captions.
 *
 * `images` is `[N,H,W,C]` in row-major order, 0 to 255. Fractions are rounded and values outside clamped, so the result of
 * `unnormalise` can be shown as it is.
 *
 * @throws NotebookError if the length is not a whole number of pictures, or there is not one caption for each
 * @example
 * ```ts
 * const { images, labels } = subset(cifar10.valid, 10);
 * await show(pictures(images, { captions: [...labels].map((label) => classes[label]) }));
 * ```
 */
export async function pictures(
  images: Uint8Array | Uint8ClampedArray | Float32Array,
  { shape = [32, 32, 3], captions, columns = 10, size = 72, title }: PictureOptions = {},
): Promise<Figure> {
  const [height, width, channels] = shape;
  const length = height * width * channels;
  const count = images.length / length;
  if (!Number.isInteger(count) || count === 0) {
    throw new NotebookError(
      `pictures: ${images.length} values are not a whole number of pictures [${shape.join()}] of ${length}. ` +
        'Give [N,H,W,C] in rows, and the shape of one picture.',
    );
  }
  if (captions !== undefined && captions.length !== count) {
    throw new NotebookError(
      `pictures: ${captions.length} captions for ${count} pictures. Give one for each.`,
    );
  }
  const [gap, line, margin] = [10, 15, 14];
  const lines = captions?.map((caption) => caption.split('\n')) ?? [];
  const captionHeight = Math.max(0, ...lines.map((caption) => caption.length)) * line;
  const tall = (size * height) / width;
  const top = margin + (title === undefined ? 0 : 26);
  // Wide enough for the longest line, at about half the font size per letter.
  const longest = Math.max(0, ...lines.flat().map((text) => text.length)) * 6.5;
  const [stepX, stepY] = [Math.max(size, longest) + gap, tall + captionHeight + gap];
  const inset = (stepX - gap - size) / 2;
  const rows = Math.ceil(count / columns);
  const totalWidth = Math.min(columns, count) * stepX - gap + 2 * margin;
  const totalHeight = top + rows * stepY - gap + margin + (captions === undefined ? 0 : 4);
  const cells = Array.from({ length: count }, (_, index) => {
    const x = margin + inset + (index % columns) * stepX;
    const y = top + Math.floor(index / columns) * stepY;
    const pixels = images.subarray(index * length, (index + 1) * length);
    const texts = (lines[index] ?? []).map((text, row) => {
      const color = row === 0 ? ink.text : ink.faint;
      return `<text x="${x + size / 2}" y="${y + tall + line * (row + 1)}" fill="${color}">${escapeXml(text)}</text>`;
    });
    const href = `data:image/png;base64,${encode(pixels, shape).toString('base64')}`;
    return (
      `<image x="${x}" y="${y}" width="${size}" height="${tall}" image-rendering="optimizeSpeed" ` +
      `preserveAspectRatio="none" href="${href}"/>${texts.join('')}`
    );
  });
  const heading =
    title === undefined
      ? ''
      : `<text x="${margin}" y="${margin + 13}" font-size="15" font-weight="600" fill="${ink.text}">${escapeXml(title)}</text>`;
  const picture = await raster(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${totalWidth}" height="${totalHeight}" font-family="${fontFamily}" ` +
      `font-size="12">${heading}<g text-anchor="middle">${cells.join('')}</g></svg>`,
    { hasPhotos: true },
  );
  const listed = lines.map((caption) => caption.join(', ')).join('; ');
  return {
    bundle: {
      'image/png': picture.png,
      'text/plain': `${title ?? 'pictures'} (${count})${listed === '' ? '' : `: ${listed}`}`,
    },
    metadata: rasterMetadata(picture),
  };
}

/** One picture as PNG. */
function encode(
  pixels: ArrayLike<number>,
  [height, width, channels]: readonly [number, number, number],
): Buffer {
  const png = new PNG({ width, height });
  const bytes = new Uint8ClampedArray(png.data.buffer, png.data.byteOffset, png.data.length);
  for (let i = 0; i < height * width; i++) {
    for (let channel = 0; channel < 3; channel++) {
      bytes[4 * i + channel] = pixels[channels * i + (channels === 1 ? 0 : channel)];
    }
    bytes[4 * i + 3] = 255;
  }
  return PNG.sync.write(png);
}
