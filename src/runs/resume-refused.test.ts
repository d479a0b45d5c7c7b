import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import { resumeRun } from './train';
import { long, data, fileOf, resume, useRuns } from '../../test/small-run';
import type { RunFile } from '../../test/small-run';
import { noise } from '../../test/noise-data';

const { path, whole, stopped } = useRuns();

describe('resuming is refused', () => {
  let folder: string;

  beforeAll(async () => {
    ({ folder } = await stopped('refused', 5));
  }, long);

  /** A copy of the run with a changed `run.json`. */
  function changed(name: string, change: (file: RunFile) => unknown): string {
    const copy = path(name);
    cpSync(folder, copy, { recursive: true });
    writeFileSync(join(copy, 'run.json'), JSON.stringify(change(fileOf(copy))));
    return copy;
  }

  test('without a run', async () => {
    await expect(resume(path('none'))).rejects.toThrow(/none cannot be read: it does not exist/);
    await expect(resume(path())).rejects.toThrow(
      `run: ${path()} has no run.json. Train the experiment again.`,
    );
  });

  test.each([
    ['text', () => 'text', 'it is "text"; expected an object: a run.'],
    ['null', () => null, 'it is null; expected an object: a run.'],
    [
      'a seed that is a text',
      (file: RunFile) => ({ ...file, seed: '3' }),
      '"seed" is "3"; expected a whole number of at least 0.',
    ],
    [
      'an unknown model',
      (file: RunFile) => ({ ...file, experiment: { ...file.experiment, net: { model: 'x' } } }),
      '"experiment.net',
    ],
  ])('with %s in its run.json', async (what, change, fault) => {
    const copy = changed(what, change);
    await expect(resume(copy)).rejects.toThrow(`run: ${join(copy, 'run.json')}: ${fault}`);
  });

  test('with a run.json of an older version that lacks a field', async () => {
    const copy = changed('older', (file) => ({ ...file, environment: undefined }));
    await expect(resume(copy)).rejects.toThrow(
      `run: ${join(copy, 'run.json')} lacks "environment", which older versions did not write. Train the experiment again.`,
    );
  });

  test('with a truncated run.json', async () => {
    const copy = changed('cut', (file) => file);
    const text = readFileSync(join(copy, 'run.json'));
    writeFileSync(join(copy, 'run.json'), text.subarray(0, text.length / 2));
    await expect(resume(copy)).rejects.toThrow(/run\.json is not JSON/);
  });

  test('with the checkpoint of another run', async () => {
    const copy = changed('other', (file) => ({ ...file, seed: 4 }));
    const before = readdirSync(copy);
    await expect(resume(copy)).rejects.toThrow(
      `run: checkpoint-1.safetensors in ${copy} belongs to another run than run.json there. `,
    );
    expect(readdirSync(copy)).toEqual(before);
  });

  test('without an intact checkpoint', async () => {
    const copy = changed('broken', (file) => file);
    writeFileSync(join(copy, 'checkpoint-1.safetensors'), 'broken');
    await expect(resume(copy)).rejects.toThrow(/no intact checkpoint in .*Remove them/);
  });

  test('with other data', async () => {
    const other = { ...data, valid: noise(33, 1) };
    await expect(resumeRun(folder, { data: other })).rejects.toThrow(
      /would not give a bit-identical result: the data is [0-9a-f]{64}, was [0-9a-f]{64}\. Undo that/,
    );
  });

  test(
    'twice at the same time',
    async () => {
      const copy = changed('twice', (file) => file);
      const both = await Promise.allSettled([resume(copy), resume(copy)]);
      const [lost, won] = both.toSorted((a, b) => (a.status > b.status ? -1 : 1));
      expect(lost).toMatchObject({
        reason: new RunError(
          `run: ${copy} is being trained by another process. Wait until it ends, or stop it.`,
        ),
      });
      expect(won.status).toBe('fulfilled');
    },
    long,
  );

  test(
    'on another machine, unless isInexact is set; run.json then lists the differences',
    async () => {
      const copy = changed('elsewhere', (file) => ({
        ...file,
        versions: { ...file.versions, tensorflow: '2.9.1' },
        hardware: { ...file.hardware, cpu: 'Zuse Z3', cores: 99 },
        environment: { ...file.environment, ONEDNN_MAX_CPU_ISA: 'SSE41' },
      }));
      const differences = [
        `TensorFlow is ${whole().versions.tensorflow}, was 2.9.1`,
        `the processor is ${whole().hardware.cpu}, was Zuse Z3`,
        'ONEDNN_MAX_CPU_ISA is nothing, was SSE41',
      ];
      await expect(resume(copy)).rejects.toThrow(
        new RunError(
          `run: ${copy} would not give a bit-identical result: ${differences.join('; ')}. ` +
            'Undo that, or resume with --inexact, which run.json records.',
        ),
      );
      const run = await resume(copy, { isInexact: true });
      expect(run.rows).toHaveLength(3);
      const file = fileOf(copy);
      expect(file.resumed).toMatchObject([{ epoch: 1, batches: 0, differences }]);
      expect(file.versions).toEqual(whole().versions);
    },
    long,
  );

  test(
    'with an algorithm that is not available here',
    async () => {
      const gone = { pass: 'forward', shape: 'bf16 1x1x1 1->1', candidates: [], chosen: 'direct' };
      const copy = changed('algorithms', (file) => ({
        ...file,
        algorithms: [...file.algorithms, gone],
      }));
      await expect(resume(copy)).rejects.toThrow(
        /algorithms are .*, were .*direct for the forward of bf16 1x1x1 1->1\. Undo that/,
      );
    },
    long,
  );
});
