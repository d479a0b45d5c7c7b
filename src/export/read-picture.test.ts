import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ExportError } from '../base/errors';
import { readPicture, readPictureFile } from './read-picture';
import type { DecoderOptions } from './read-picture';

const home = mkdtempSync(join(tmpdir(), 'read-picture-'));
const pictures = join(__dirname, '../../test/fixtures/pictures');
const options: DecoderOptions = { program: join(home, 'picture-decoder.js') };

beforeAll(() => {
  for (const name of ['picture-decoder', 'picture-format']) {
    const source = readFileSync(join(__dirname, `${name}.ts`), 'utf8');
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        module: ts.ModuleKind.CommonJS,
        target: ts.ScriptTarget.ES2022,
        esModuleInterop: true,
      },
    });
    writeFileSync(join(home, `${name}.js`), outputText);
  }
  symlinkSync(join(__dirname, '../../node_modules'), join(home, 'node_modules'));
});
afterAll(() => rmSync(home, { recursive: true }));

/** A program that stands in for the decoder. */
function decoder(name: string, source: string): string {
  const path = join(home, name);
  writeFileSync(path, source);
  return path;
}

describe('readPictureFile', () => {
  test.each(['rgb.png', 'animated.gif', 'lossless.webp', 'alpha.png'])('%s', async (name) => {
    const { width, height, data } = await readPictureFile(join(pictures, name), options);
    expect([width, height, data.length]).toEqual([12, 8, 288]);
  });

  test('rotates a JPEG by its EXIF orientation', async () => {
    const found = await readPictureFile(join(pictures, 'orientation-6.jpg'), options);
    expect([found.width, found.height]).toEqual([16, 32]);
    expect([...found.data.subarray(0, 3)]).toEqual([30, 41, 221]);
  });

  test.each([
    [
      'nothing',
      () => join(home, 'absent.png'),
      'cannot be read: ENOENT: no such file or directory',
    ],
    ['a folder', () => home, 'cannot be read: it is a folder, not a regular file'],
    ['a device', () => '/dev/zero', 'cannot be read: it is a device, not a regular file'],
    [
      'a named pipe',
      () => {
        execFileSync('mkfifo', [join(home, 'pipe.png')]);
        return join(home, 'pipe.png');
      },
      'cannot be read: it is a named pipe, not a regular file',
    ],
  ])('refuses %s', async (_, path, message) => {
    await expect(readPictureFile(path(), options)).rejects.toThrow(message);
  });
});

describe('readPicture refuses', () => {
  test.each([
    ['an empty file', '', 'x is empty. Give a .png, .jpg, .webp or .gif file.'],
    ['text', 'hello', 'x is not a PNG, JPEG, WebP or GIF picture. Give'],
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'x is not a PNG, JPEG'],
    ['HEIC', '\0\0\0\x18ftypheic', 'x is a HEIC picture. Give a .png'],
    ['TIFF', 'II*\0', 'x is a TIFF picture.'],
    ['PDF', '%PDF-1.7', 'x is a PDF document.'],
    ['the first bytes of a JPEG', '\xff\xd8\xff', 'x cannot be decoded as JPEG: '],
    ['the first bytes of a PNG', '\x89PNG\r\n\x1a\n', 'x cannot be decoded as PNG: '],
  ])('%s', async (_, text, message) => {
    const running = readPicture(Buffer.from(text, 'latin1'), 'x', options);
    await expect(running).rejects.toThrow(ExportError);
    await expect(running).rejects.toThrow(message);
  });

  const png = readFileSync(join(pictures, 'rgb.png'));

  test('a picture that takes too long', async () => {
    const program = decoder('slow.js', 'setInterval(() => undefined, 1000)');
    await expect(readPicture(png, 'x', { program, timeoutSec: 0.5 })).rejects.toThrow(
      'x cannot be decoded as PNG: it took longer than 0.5 s.',
    );
  });

  test('a picture that takes too much memory', async () => {
    const program = decoder(
      'large.js',
      'const all = []; for (;;) all.push(Buffer.alloc(2 ** 24, 1));',
    );
    await expect(readPicture(png, 'x', { program, memoryMiB: 512 })).rejects.toThrow(
      /x cannot be decoded as PNG: the decoder, which has 512 MiB of memory, ended with .* \(.*alloc/,
    );
  });

  test('decoder output with too few bytes', async () => {
    const program = decoder(
      'short.js',
      'process.stdout.write(Buffer.of(2, 0, 0, 0, 2, 0, 0, 0, 9))',
    );
    await expect(readPicture(png, 'x', { program })).rejects.toThrow(
      'the decoder returned 1 bytes for 2 x 2 pixels',
    );
  });
});
