/** More pixels are refused before anything is decoded: a photo of 64 megapixels fits. */
export const mostPixels: number = 2 ** 26;

/** Bytes of a file. No camera writes larger ones. */
export const mostBytes: number = 2 ** 28;

/** How the process that decodes a picture ends if it cannot be decoded: the exit code. An error of the program itself is 1. */
export const refused = 3;

/** What to do about a file that is no such picture. */
export const pictureAdvice = 'Give a .png, .jpg, .webp or .gif file.';

/** The formats that are read. */
const readableFormats: ReadonlySet<string> = new Set(['PNG', 'JPEG', 'WebP', 'GIF']);

/** Where the first bytes, as Latin-1, have a mark, and the format that it belongs to. The last ones are named, not read. */
const marks: readonly (readonly [at: number, mark: string, format: string])[] = [
  [0, '\x89PNG\r\n\x1a\n', 'PNG'],
  [0, '\xff\xd8\xff', 'JPEG'],
  [8, 'WEBP', 'WebP'],
  [0, 'GIF87a', 'GIF'],
  [0, 'GIF89a', 'GIF'],
  [4, 'ftyphei', 'a HEIC picture'],
  [4, 'ftypmif', 'a HEIC picture'],
  [4, 'ftypavi', 'an AVIF picture'],
  [0, 'II*\0', 'a TIFF picture'],
  [0, 'MM\0*', 'a TIFF picture'],
  [0, 'BM', 'a BMP picture'],
  [0, '%PDF', 'a PDF document'],
];

/**
 * The format of a picture by its first 16 bytes, whatever its name: a member of {@link readableFormats}, or words such as
 * `a HEIC picture`; `''` for any other.
 */
export function pictureFormat(bytes: Uint8Array): string {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  return marks.find(([at, mark]) => start.startsWith(mark, at))?.[2] ?? '';
}

/** What is wrong with the first bytes of a file, in words that follow its name; `undefined` if it is a picture that is read. */
export function refusalOf(bytes: Uint8Array): string | undefined {
  const format = pictureFormat(bytes);
  if (readableFormats.has(format)) return undefined;
  if (bytes.length === 0) return `is empty. ${pictureAdvice}`;
  return `is ${format === '' ? 'not a PNG, JPEG, WebP or GIF picture' : format}. ${pictureAdvice}`;
}
