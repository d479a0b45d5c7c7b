/** The most pixels of a picture; more are rejected before decoding. A 64-megapixel photo fits. */
export const mostPixels: number = 2 ** 26;

/** The largest file, in bytes. No camera writes larger ones. */
export const mostBytes: number = 2 ** 28;

/** Exit code of the decoder process for a picture that cannot be decoded. An error of the program itself is 1. */
export const refused = 3;

/** Advice for a file in another format. */
export const pictureAdvice = 'Give a .png, .jpg, .webp or .gif file.';

/** The supported formats. */
const readableFormats: ReadonlySet<string> = new Set(['PNG', 'JPEG', 'WebP', 'GIF']);

/** Magic bytes as Latin-1, their offset and their format. The last formats are recognised but not supported. */
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
 * The format of a picture from its first 16 bytes, whatever its file name: a member of {@link readableFormats}, a phrase such
 * as `a HEIC picture`, or `''` if unknown.
 */
export function pictureFormat(bytes: Uint8Array): string {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  return marks.find(([at, mark]) => start.startsWith(mark, at))?.[2] ?? '';
}

/** Why a file is not supported, worded to follow its name; `undefined` for a supported file. */
export function refusalOf(bytes: Uint8Array): string | undefined {
  const format = pictureFormat(bytes);
  if (readableFormats.has(format)) return undefined;
  if (bytes.length === 0) return `is empty. ${pictureAdvice}`;
  return `is ${format === '' ? 'not a PNG, JPEG, WebP or GIF picture' : format}. ${pictureAdvice}`;
}
