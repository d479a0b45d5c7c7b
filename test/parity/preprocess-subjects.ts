import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crop } from '../../src/augment/crop';
import { cutout } from '../../src/augment/cutout';
import { flipLR } from '../../src/augment/flip';
import { gatherTables } from '../../src/augment/gather';
import { batchFolder } from '../../src/data/cache';
import { decodeRecords, imageBytes, recordBytes } from '../../src/data/decode';
import { normalise, reflectPad } from '../../src/data/normalise';
import { whitening } from '../../src/nn/whiten';
import { gatherBatch, residentSplit, residentTables } from '../../src/train/batches';
import type { BatchFeed } from '../../src/train/batches';
import type { Numbers } from '../expect-close';
import type { Engine } from './engine';
import type { AugmentationEntry, Fixture } from './fixture';
import { vector } from './subject';
import type { Said, Subject } from './subject';

type PreprocessFixture = Extract<Fixture, { readonly kind: 'preprocess' }>;

/** Preparing images on the host, augmenting them on the device, and whitening. */
export function preprocessSubjects(fixture: PreprocessFixture): Subject[] {
  const { name, spec, tensors } = fixture;
  const starting = (prefix: string): ReadonlyMap<string, Said> =>
    new Map([...tensors].filter(([key]) => key.startsWith(prefix)));
  const raw = tensors.get('raw_uint8');
  const known = /^(raw_uint8|padded_uint8|normalised|augmented\/\d+|whitening\/.*)$/;
  const stranger = [...tensors.keys()].find((key) => !known.test(key));
  if (raw === undefined || stranger !== undefined) {
    throw new Error(
      `parity: ${name} ${raw === undefined ? 'has no tensor "raw_uint8"' : `has a tensor "${stranger}", which the suite does not know`}.`,
    );
  }
  const images = Uint8Array.from(raw.data);
  const [count, height, width, channels] = raw.shape;
  const padded = tensors.get('padded_uint8');
  const pad = padded === undefined ? 4 : (padded.shape[1] - height) / 2;
  const subjects: Subject[] = [
    {
      file: name,
      isHost: true,
      expected: new Map([...starting('padded_uint8'), ...starting('normalised')]),
      measure: async () => ({
        values: new Map<string, Said>([
          [
            'padded_uint8',
            {
              shape: [count, height + 2 * pad, width + 2 * pad, channels],
              data: reflectPad(images, pad, height),
            },
          ],
          ['normalised', { shape: raw.shape, data: normalise(images) }],
        ]),
      }),
    },
    {
      file: name,
      expected: starting('augmented/'),
      measure: async (engine) => ({
        values: await augment(spec, { shape: raw.shape, data: normalise(images) }, pad, engine),
      }),
    },
  ];
  const first = tensors.get('whitening/first_images');
  if (first !== undefined) subjects.push(whiteningSubject(name, tensors, first.data));
  return subjects;
}

/** The whitening convolution of some training images, which come from the cache, not from the fixture. */
function whiteningSubject(
  file: string,
  tensors: PreprocessFixture['tensors'],
  firstImages: ArrayLike<number>,
): Subject {
  const [from, to] = Array.from(firstImages);
  const path = join(batchFolder(), 'data_batch_1.bin');
  const absolute = (values: ArrayLike<number>): Float64Array => Float64Array.from(values, Math.abs);
  return {
    file,
    isHost: true,
    expected: new Map<string, Said>(
      [...tensors].filter(([key]) => /^whitening\/(?!first_images$)/.test(key)),
    ),
    measure: async () => {
      const images = new Uint8Array((to - from) * imageBytes);
      const records = readFileSync(path).subarray(from * recordBytes, to * recordBytes);
      decodeRecords(records, images, new Uint8Array(to - from));
      const { eigenvalues, eigenvectors, kernel } = whitening({
        shape: [to - from, 32, 32, 3],
        data: normalise(images),
      });
      return {
        values: new Map<string, Said>([
          ['whitening/eigenvalues', vector(eigenvalues)],
          [
            'whitening/eigenvectors_abs',
            { shape: eigenvectors.shape, data: absolute(eigenvectors.data) },
          ],
          ['whitening/filter_abs', { shape: kernel.shape, data: absolute(kernel.data) }],
        ]),
      };
    },
    ...(existsSync(path)
      ? {}
      : { missing: `CIFAR-10 is not there (${path}); run ./kernel-setup.sh` }),
  };
}

/** Augments each image by its own entry, on the device, as training does. */
async function augment(
  entries: readonly AugmentationEntry[],
  { shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array },
  pad: number,
  engine: Engine,
): Promise<ReadonlyMap<string, Numbers>> {
  const [count, height, width, channels] = shape;
  const found = new Map<string, Numbers>();
  for (const [index, entry] of entries.entries()) {
    if (entry.order.join() !== 'crop,flip,cutout') {
      throw new Error(
        `parity: image ${index} is augmented by ${entry.order.join(', ')}; the suite knows crop, flip, cutout.`,
      );
    }
    const transforms = [crop(height, width), flipLR(), cutout(...entry.cutout)];
    const tables = gatherTables(transforms, [height, width], pad);
    const session = engine.open({
      images: residentSplit(data, new Int32Array(count), channels),
      tables: residentTables(tables),
    });
    const of = (value: number): Int32Array => Int32Array.of(value);
    const batch: BatchFeed = {
      order: of(index),
      cropY: of(entry.crop_y0),
      cropX: of(entry.crop_x0),
      flip: of(entry.flip ? 1 : 0),
      boxY: of(entry.cutout_y0),
      boxX: of(entry.cutout_x0),
    };
    const gather = session.capture(
      'gather',
      (state, { batch }) => {
        const { input } = gatherBatch(state.images, state.tables, batch, [height, width], true);
        return { outputs: { input } };
      },
      { batch },
    );
    const { input } = await gather({ batch });
    session.dispose();
    found.set(`augmented/${index}`, { shape: input.shape.slice(1), data: input.data });
  }
  return found;
}
