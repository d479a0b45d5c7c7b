import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compare, expectClose } from '../expect-close';
import { engines } from './engine';
import { fixtureNames, readFixture } from './fixture';
import type { Fixture } from './fixture';
import { madeFixture } from './made-fixture';
import { isNumbers } from './subject';
import type { Measured, Said, Subject } from './subject';
import { subjectsOf } from './subjects';

declare module 'vitest' {
  /** What `npm run parity` prints about a test. */
  interface TaskMeta {
    file?: string;
    /** Where the value was measured: on the host, or in an engine's mode. */
    mode?: string;
    /** Name of the tensor or other value in the fixture. */
    name?: string;
    /** Error of the tensor relative to its largest element. */
    error?: number;
    note?: string;
  }
}

const other = process.env['PARITY_FOLDER'];
const folder = other ?? resolve(__dirname, '../fixtures/reference');

/** The fixtures of the folder; in addition to the reference's, one of our own. */
const fixtures: readonly (readonly [name: string, read: () => Fixture])[] = [
  ...fixtureNames(folder).map((name) => [name, () => readFixture(folder, name)] as const),
  ...(other === undefined ? [['made', madeFixture] as const] : []),
];

/** The subjects of a fixture; if it cannot be read, a single one that fails. */
async function readSubjects(file: string, read: () => Fixture): Promise<readonly Subject[]> {
  try {
    return await subjectsOf(read());
  } catch (error) {
    return [
      {
        file,
        isHost: true,
        expected: new Map([['is readable', { exactly: true }]]),
        measure: () => Promise.reject(error),
      },
    ];
  }
}

/** Fails unless a value meets the fixture's. `onError` receives a tensor's error, within the bar or not. */
function expectMet(
  name: string,
  said: Said,
  found: Said | undefined,
  onError: (error: number) => void,
): void {
  if (found === undefined) throw new Error(`${name}: the library has no such value.`);
  if (isNumbers(said) && isNumbers(found)) {
    onError(compare(found, said).error);
    expectClose(name, found, said);
    return;
  }
  expect(found).toEqual(said);
}

const [firstEngine] = engines;
const modes = [
  { mode: 'host', engine: firstEngine, isHost: true },
  ...engines.map((engine) => ({ mode: engine.mode, engine, isHost: false })),
];

describe.each(fixtures)('%s', async (file, read) => {
  const subjects = await readSubjects(file, read);
  const said = modes.flatMap(({ mode, engine, isHost }) =>
    subjects
      .filter((subject) => (subject.isHost ?? false) === isHost)
      .flatMap(({ expected, measure, missing }) => {
        let once: Promise<Measured> | undefined;
        const measured = (): Promise<Measured> => (once ??= measure(engine));
        return [...expected].map(
          ([name, value]) => [mode, name, { value, missing, measured }] as const,
        );
      }),
  );

  test.for(said)('%s %s', async ([mode, name, { value, missing, measured }], { task, skip }) => {
    Object.assign(task.meta, { file, mode, name });
    if (missing !== undefined) skip(missing);
    const { values, note } = await measured();
    if (note !== undefined) task.meta.note = note;
    expectMet(name, value, values.get(name), (error) => {
      task.meta.error = error;
    });
  });
});
