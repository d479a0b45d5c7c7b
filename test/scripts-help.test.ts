import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(__dirname, '..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};

/** Our program in each npm script (the last one, if several), with the arguments that the npm script passes first. */
const named = Object.values(scripts).flatMap((command) => {
  const [, program, given = ''] =
    /^.*node ((?:scripts|bench)\/[\w-]+\.mjs)(.*)$/.exec(command) ?? [];
  return program === undefined
    ? []
    : [{ program, given: given.split(' ').filter((word) => word !== '') }];
});

/** The other programs: their head shows how they are run. */
const others = ['scripts', 'bench'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.mjs'))
    .map((file) => `${folder}/${file}`)
    .filter((file) => {
      const isNamed = named.some(({ program }) => program === file);
      return !isNamed && readFileSync(join(root, file), 'utf8').includes(`\n//   node ${file}`);
    })
    .map((program) => ({ program, given: [] as string[] })),
);

const programs = [...named, ...others];

/** Without any other program on PATH, such as a browser: options are read before anything is looked for. */
function run(program: string, ...args: readonly string[]): ReturnType<typeof spawnSync> {
  const env = { ...process.env, PATH: '' };
  return spawnSync(process.execPath, [join(root, program), ...args], { encoding: 'utf8', env });
}

describe.each(programs)('$program $given', ({ program, given }) => {
  test('--help prints what it does and its options, and does nothing', () => {
    const { status, stdout, stderr } = run(program, ...given, '--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/npm run|node (?:scripts|bench)\//);
  });

  // jupyter.mjs passes other options to Jupyter.
  test.skipIf(program === 'scripts/jupyter.mjs')('refuses an option that it does not have', () => {
    const { status, stdout, stderr } = run(program, ...given, '--no-such-option');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('--no-such-option');
  });
});

test('an npm script runs one program of ours after set-ups, so that its options reach that program', () => {
  const several = Object.entries(scripts).filter(
    ([, command]) =>
      (command.match(/node (?:scripts|bench)\/(?![\w-]+-setup\.mjs)/g) ?? []).length > 1,
  );
  expect(several).toEqual([]);
});
