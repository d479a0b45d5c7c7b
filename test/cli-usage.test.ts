import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cliHere } from './cli-here';
import { cliIn, linkLibrary } from './cli-process';
import { blocksOf, pattern, saidIn, sectionsOf } from './markdown';

/** Help, and the errors of wrong usage. */
const root = resolve(__dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-cli-usage-'));
const { cli } = cliIn(scratch);
const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

beforeAll(() => linkLibrary(scratch));

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('help', () => {
  test('of the program and of every command that it lists', async () => {
    const whole = await cli(['--help']);
    expect(whole).toMatchObject({ code: 0, stderr: '' });
    await expect(whole.stdout).toMatchFileSnapshot('output/help.txt');
    const names = [...whole.stdout.matchAll(/^ {2}(\S+) {2,}/gm)].map((match) => match[1]);
    expect(names).toEqual(
      expect.arrayContaining(['train', 'runs', 'show', 'list', 'draw', 'data', 'info']),
    );
    for (const name of names) {
      const { code, stdout, stderr } = await cliHere([name, '--help'], scratch);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      await expect(stdout).toMatchFileSnapshot(`output/help-${name}.txt`);
    }
  });

  test('"help", "-h" and no command print it; no command is wrong usage', async () => {
    const { stdout } = await cli(['--help']);
    expect(await cli(['help'])).toEqual({ code: 0, stdout, stderr: '' });
    expect(await cli(['-h'])).toEqual({ code: 0, stdout, stderr: '' });
    expect(await cli([])).toEqual({ code: 2, stdout, stderr: '' });
    const list = await cli(['list', '--help']);
    expect(list).toMatchObject({ code: 0, stderr: '' });
    for (const flag of ['--help', '-h'])
      expect(await cliHere(['list', flag], scratch)).toEqual(list);
  });

  test("--version prints the package's version", async () => {
    const { version } = JSON.parse(read(root, 'package.json')) as { readonly version: string };
    expect(await cli(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('wrong usage exits with code 2, prints one line that says what to do, and changes nothing', () => {
  test.each([
    ['trian demo', 'unknown command "trian". Nearest: "train". "cifar10-fast --help" lists them.'],
    ['train', 'train: EXPERIMENT is missing. Usage: cifar10-fast train [EXPERIMENT] [flags]'],
    [
      'train demo more',
      'train: "more" is one argument too many. Usage: cifar10-fast train [EXPERIMENT] [flags]',
    ],
    ['train dmeo', 'experiment "dmeo" does not exist. Nearest: "demo".'],
    ['draw dmeo', 'experiment "dmeo" does not exist. Nearest: "demo".'],
    [
      'train demo --sacle smoke',
      'train: unknown flag --sacle. Nearest: "--scale". "cifar10-fast train --help"',
    ],
    ['train demo --data_dri x', 'train: unknown flag --data_dri. Nearest: "--data-dir".'],
    [
      'train demo -seed 1',
      'train: unknown flag -seed; long flags start with two dashes. Nearest: "--seed".',
    ],
    [
      'train demo --scale smok',
      '--scale "smok" is not one of smoke, pocket, full. Nearest: "smoke".',
    ],
    ['train fastest --budget soon', '--budget "soon" is not a time. Give one as in --budget 5m'],
    ['train fastest --at-most 0m', '--at-most "0m" is not a time. Give one as in --at-most 5m'],
    ['train fastest --to 101', '--to "101" is not a percentage. Give one, as in --to 94.'],
    ['train fastest --budget 5m --to 94', '--budget and --to both set the length of the run.'],
    ['train fastest --budget 5m --at-most 9m', '--budget and --at-most both set the length of the'],
    ['train fastest --to 93 --epochs 5', '--to and --epochs both set the length of the run. Give'],
    [
      'train fastest --budget 5m --epochs 5',
      '--budget and --epochs both set the length of the run',
    ],
    [
      'train fastest --budget 5m --set run.epochs=5',
      '--budget and --set run.epochs both set the length of the run. Give one of them.',
    ],
    [
      'train fastest --scale pocket --to 93',
      '--to estimates the length from full-scale runs of fastest as it is, not at pocket scale. Add --scale full, or give a',
    ],
    [
      'train demo --to 93',
      '--to estimates the length from full-scale runs of demo as it is, not at pocket scale. Add',
    ],
    [
      'train fastest --to 93 --batch-size 500',
      '--to estimates the length from full-scale runs of fastest as it is, without the change of data.batchSize. Leave that',
    ],
    [
      'train --resume x --budget 5m',
      'train: --resume reads all settings of the run from x; leave out --budget.',
    ],
    ['train demo --precision fp64', '--precision "fp64" is not one of auto, fp32, bf16, fp16.'],
    ['train demo --eager --precision bf16', '--eager computes in fp32 only'],
    ['train demo --eager --xla', '--xla compiles the captured step; leave out --eager.'],
    [
      'train demo --seed ten',
      '--seed "ten" is not a whole number of at least 0. Give one, as in --seed 0.',
    ],
    ['train demo --seed -1', '--seed "-1" is not a whole number of at least 0.'],
    ['train demo --seed 1.5', '--seed "1.5" is not a whole number of at least 0.'],
    ['train demo --seed 0x10', '--seed "0x10" is not a whole number of at least 0.'],
    [
      'train demo --seed 9007199254740993',
      '--seed "9007199254740993" is above 2^53 - 1, the largest number that counts exactly.',
    ],
    ['train demo --seed', '--seed needs a value: --seed N.'],
    ['train demo --seed=', '--seed needs a value: --seed N.'],
    [
      'train demo --resume runs/demo-smoke-0',
      'train: --resume reads all settings of the run from runs/demo-smoke-0; leave out demo.',
    ],
    [
      'train --resume=a --seed 1',
      'train: --resume reads all settings of the run from a; leave out --seed.',
    ],
    [
      'train --resume a --eager',
      'train: --resume reads all settings of the run from a; leave out --eager.',
    ],
    [
      'train --resume a --set run.epochs=3',
      'train: --resume reads all settings of the run from a; leave out --set.',
    ],
    ['train demo --epochs +4', '--epochs +4 adds to a finished run. Name it, as in --resume'],
    ['train demo --lr fast', '--lr "fast" is not a number above 0. Give one, as in --lr 0.4.'],
    [
      'train demo --batch-size 1.5',
      'override: "data.batchSize" is 1.5; expected a whole number of at least 1',
    ],
    [
      'train --resume a --epochs 28',
      '--epochs "28": with --resume, give the number of epochs to add, as in --epochs +4.',
    ],
    [
      'train --resume a --epochs +4 --inexact',
      '--inexact resumes an unfinished run; --epochs +N makes a new one from a finished run.',
    ],
    ['train demo --lrr 1', 'train: unknown flag --lrr. Nearest: "--lr".'],
    ['train demo --qq', 'train: unknown flag --qq. "cifar10-fast train --help" lists them.'],
    [
      'train demo --set net.model=dawn',
      'override: "net.model" of experiment "demo" is resnet9 and cannot be changed, because other networks have other fields.',
    ],
    ['show demo optmi', 'show: experiment "demo" has no "optmi". Nearest: "optim".'],
    ['list nonsense', 'list: no experiment has "nonsense" in its name, title or notebook.'],
    ['list --scale smoke', 'list: --scale needs --time. Add it, or leave out --scale.'],
    [
      'runs lst',
      'runs: unknown action "lst"; known: list, compare, open, delete. Nearest: "list".',
    ],
    ['runs compare one', 'runs compare: give two runs or more: cifar10-fast runs compare RUN RUN.'],
    ...['-o page.html', '--compare A B', '--goal abc', '--predictions', '--open'].map(
      (flags): [string, string] => {
        const flag = flags === '-o page.html' ? '--output' : flags.split(' ')[0];
        return [
          `report results --steps ${flags}`,
          `report --steps does not use ${flag}. Leave it out.`,
        ];
      },
    ),
    ['report results --data-dir .', 'report: --data-dir needs --predictions, --output or --open.'],
    [
      'runs delete demo --status stopped --since 2026-11-01 --yes',
      'runs delete does not use --status. Leave it out.',
    ],
    ['runs list --yes', 'runs list does not use --yes. Leave it out.'],
    ['runs compare a b --scale smoke', 'runs compare does not use --scale. Leave it out.'],
    ['runs open a --json', 'runs open does not use --json. Leave it out.'],
    ...['Infinity', '1e999', '-1', 'NaN'].map((gpus): [string, string] => [
      `sweep demo --ray 127.0.0.1:1 --gpus=${gpus}`,
      `--gpus "${gpus}" is not a number of GPUs. Give one, as in --gpus 1.`,
    ]),
    ['runs delete', 'runs delete: give the runs: cifar10-fast runs delete RUN… --yes.'],
    [
      'runs list --since monday',
      '--since "monday" is not a day. Give one, as in --since 2026-11-23.',
    ],
    ['train demo --inexact', '--inexact needs --resume FOLDER.'],
    [
      'train demo --checkpoints few',
      '--checkpoints "few" is not a whole number of at least 0. Give one, as in --checkpoints 2.',
    ],
    ['train demo --log-dir --json', '--log-dir needs a value: --log-dir DIR.'],
    ['data --verify=yes', '--verify takes no value; write it alone.'],
    [
      'draw demo --output net.png',
      '--output "net.png" does not end in .svg or .dot. Give a name that does.',
    ],
    ['list --jsn', 'list: unknown flag --jsn. Nearest: "--json".'],
    ['info now', 'info: "now" is one argument too many. Usage: cifar10-fast info [flags]'],
  ])('%s', async (line, message) => {
    const cwd = mkdtempSync(join(scratch, 'usage-'));
    const { code, stdout, stderr } = await cliHere(line.split(' '), cwd);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`cifar10-fast: ${message}`);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

test.each(['constructor', 'toString', '__proto__', 'valueOf'])(
  '--%s is not a flag',
  async (name) => {
    const { code, stderr } = await cliHere(['list', `--${name}`], scratch);
    expect(code).toBe(2);
    expect(stderr).toContain(`unknown flag --${name}.`);
  },
);

test('wrong usage also ends a process with exit code 2', async () => {
  const line = ['train', 'dmeo'];
  const outcome = await cli(line);
  expect(outcome).toMatchObject({ code: 2, stdout: '' });
  expect(outcome).toEqual(await cliHere(line, scratch));
});

const broken = [...sectionsOf(read(root, 'docs/errors.md'))].flatMap(([name, text]) => {
  const [example] = blocksOf(text);
  const isOurs = example?.language === 'sh' && example.text.startsWith('npx cifar10-fast ');
  const [command] = example?.text.split('\n') ?? [];
  return isOurs ? [{ name, command, message: saidIn(example.text) }] : [];
});

describe('docs/errors.md', () => {
  test.each(broken)(
    '$name: the broken command prints the documented error',
    async ({ command, message }) => {
      const { code, stdout, stderr } = await cli(command.split(' ').slice(2));
      expect({ code: code === 1 || code === 2, stdout }).toEqual({ code: true, stdout: '' });
      expect(stderr.trim()).toMatch(pattern(message));
    },
  );

  test('shows a command for every error that can occur before training', () => {
    expect(broken.map(({ name }) => name)).toEqual([
      'UsageError',
      'DataError',
      'ExperimentError',
      'RunError',
      'KernelError',
    ]);
  });
});
