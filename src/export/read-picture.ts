import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ExportError } from '../base/errors';
import { readRegularFile } from '../base/read-file';
import type { Picture } from './picture';
import { mostBytes, pictureAdvice, pictureFormat, refusalOf, refused } from './picture-format';

/** How the decoder runs. */
export interface DecoderOptions {
  /** The decoder program. Default: this package's own. */
  readonly program?: string;
  /** Time limit of the decoder. Default: 30. */
  readonly timeoutSec?: number;
  /** Memory that the decoder may allocate. Default: 2048. */
  readonly memoryMiB?: number;
}

/**
 * Reads a PNG, JPEG, WebP or GIF file as {@link readPicture} does.
 *
 * @throws ExportError if the file does not exist, is larger than 256 MiB, or is not such a picture
 */
export async function readPictureFile(path: string, options?: DecoderOptions): Promise<Picture> {
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(path, mostBytes);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/, \w+(?: '.*)?$/, '');
    throw new ExportError(`predict: ${path} cannot be read: ${reason}. ${pictureAdvice}`, {
      cause,
    });
  }
  return readPicture(bytes, path, options);
}

/**
 * Decodes the first frame of a PNG, JPEG, WebP or GIF picture: rotated by its EXIF orientation, converted to sRGB by its
 * colour profile, on white where it is transparent, with the upper 8 of 16 bits.
 *
 * A separate process decodes it, limited to `timeoutSec` and `memoryMiB`, so that a picture that crashes the decoder does
 * not crash this process.
 *
 * @param bytes of the file
 * @param name of the file, for errors
 * @throws ExportError if the format is unsupported, pixel data is missing or damaged, it has more than 2^26 pixels, or
 *   decoding takes too long
 */
export async function readPicture(
  bytes: Uint8Array,
  name: string,
  options: DecoderOptions = {},
): Promise<Picture> {
  const refusal = refusalOf(bytes);
  if (refusal !== undefined) throw new ExportError(`predict: ${name} ${refusal}`);
  const format = pictureFormat(bytes);
  const fail = (reason: string): ExportError =>
    new ExportError(
      `predict: ${name} cannot be decoded as ${format}: ${reason}. Save it again, or take another copy.`,
    );
  const { output, problem } = await runDecoder(bytes, options);
  if (problem !== undefined) throw fail(problem);
  const [width, height] = new Uint32Array(new Uint8Array(output.subarray(0, 8)).buffer);
  const data = new Uint8Array(output.buffer, output.byteOffset + 8, output.length - 8);
  if (data.length !== width * height * 3) {
    throw fail(`the decoder returned ${data.length} bytes for ${width} x ${height} pixels`);
  }
  return { width, height, data };
}

async function runDecoder(
  bytes: Uint8Array,
  { program, timeoutSec = 30, memoryMiB = 2048 }: DecoderOptions,
): Promise<{ readonly output: Buffer; readonly problem?: string }> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      'ulimit -c 0; ulimit -d "$0" && exec "$@"',
      String(memoryMiB * 1024),
      process.execPath,
      program ?? ownProgram(),
    ],
    { env, stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutSec * 1000, killSignal: 'SIGKILL' },
  );
  // A decoder that has exited stops reading; its exit status gives the reason.
  child.stdin.on('error', () => undefined);
  child.stdin.end(bytes);
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, 2000);
  });
  const started = performance.now();
  const [code, signal] = await new Promise<[number | null, string | null]>((done, fail) => {
    child.once('error', fail);
    child.once('close', (...end) => done(end));
  });
  const output = Buffer.concat(parts);
  if (code === 0) return { output };
  if (code === refused) return { output, problem: said };
  const isLate = signal === 'SIGKILL' && performance.now() - started >= timeoutSec * 1000;
  if (isLate) return { output, problem: `it took longer than ${timeoutSec} s` };
  const reason = said.split('\n').find((line) => /Error/.test(line)) ?? 'no error message';
  const end = signal ?? `exit code ${code}`;
  const problem = `the decoder, which has ${memoryMiB} MiB of memory, ended with ${end} (${reason})`;
  return { output, problem };
}

/** The compiled decoder. Tests run from the sources, where it is not next to this file. */
function ownProgram(): string {
  const beside = join(__dirname, 'picture-decoder.js');
  return existsSync(beside) ? beside : join(__dirname, '../../dist/export/picture-decoder.js');
}
