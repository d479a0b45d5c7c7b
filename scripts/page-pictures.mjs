// Test pictures in every format that the page of `cifar10-fast page` accepts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

/** A picture with smooth colours, edges and some grain, like a photo. */
function photo(width, height) {
  const data = Buffer.alloc(width * height * 3);
  let state = 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [x / width, y / height];
      const inside = (u - 0.55) ** 2 + (v - 0.45) ** 2 < 0.06 ? 90 : 0;
      const beam = Math.abs(u - v) < 0.04 ? -70 : 0;
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const grain = (state >>> 24) / 16 - 8;
      const at = 3 * (y * width + x);
      const colours = [
        70 + 110 * u + inside,
        120 + 60 * Math.sin(7 * v) + beam,
        190 - 120 * v - inside / 2,
      ];
      colours.forEach((colour, i) => {
        data[at + i] = Math.max(0, Math.min(255, Math.round(colour + grain)));
      });
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** A green rectangle that fades out to the right. */
function transparent(width, height) {
  const data = Buffer.alloc(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    data.set([30, 160, 60, Math.round((255 * (i % width)) / width)], 4 * i);
  }
  return sharp(data, { raw: { width, height, channels: 4 } });
}

/** Writes the pictures into a folder; returns the name and path of each. */
export async function writePictures(folder) {
  const made = [
    ['baseline.jpg', photo(640, 427).jpeg({ quality: 85 })],
    ['progressive.jpg', photo(427, 640).jpeg({ quality: 70, progressive: true })],
    ['turned.jpg', photo(640, 427).jpeg({ quality: 90 }).withMetadata({ orientation: 6 })],
    ['mirrored.jpg', photo(500, 333).jpeg({ quality: 90 }).withMetadata({ orientation: 7 })],
    ['grey.jpg', photo(300, 300).greyscale().jpeg()],
    ['large.jpg', photo(5000, 3600).jpeg({ quality: 80 })],
    ['plain.png', photo(333, 250).png()],
    ['palette.png', photo(200, 200).png({ palette: true })],
    ['transparent.png', transparent(160, 120).png()],
    ['small.png', photo(20, 27).png()],
    ['exact.png', photo(32, 32).png()],
    ['lossy.webp', photo(640, 480).webp({ quality: 80 })],
    ['lossless.webp', photo(320, 240).webp({ lossless: true })],
    ['turned.png', photo(320, 200).png().withMetadata({ orientation: 8 })],
    ['colours.gif', photo(320, 240).gif()],
  ];
  const written = [];
  for (const [name, picture] of made) {
    const path = join(folder, name);
    writeFileSync(path, await picture.toBuffer());
    written.push({ name, path });
  }
  return written;
}
