import { describe, expect, test } from 'vitest';
import { UsageError } from '../base/errors';
import { parseFlags } from './flags';
import type { Command, Given } from './flags';

const command: Command = {
  name: 'go',
  positionals: ['EXPERIMENT', '[MORE]'],
  flags: {
    'data-dir': { value: 'DIR', help: '' },
    output: { value: 'FILE', short: 'o', help: '' },
    compare: { value: 'A B', help: '' },
    set: { value: 'PATH=VALUE', help: '', isRepeatable: true },
    json: { help: '' },
  },
  examples: [],
  run: () => Promise.resolve(0),
};

const parsed = (...args: string[]): Given => parseFlags(command, args);

describe('parseFlags', () => {
  test('reads values, switches, lists and positionals in any order', () => {
    const line = '--json demo --data_dir=a_b=c --set a_b=1 x --set=b=2 -o p.html';
    const given = parsed(...line.split(' '));
    expect(given.positionals).toEqual(['demo', 'x']);
    expect([...given.values]).toEqual([
      ['data-dir', 'a_b=c'],
      ['output', 'p.html'],
    ]);
    expect([...given.lists]).toEqual([['set', ['a_b=1', 'b=2']]]);
    expect([...given.switches]).toEqual(['json']);
  });

  test('a flag with two words takes two arguments, and not the next', () => {
    const given = parsed('--compare', 'one', 'two', 'three');
    expect(given.values.get('compare')).toBe('one two');
    expect(given.positionals).toEqual(['three']);
    expect(parsed('--compare', 'a@b=[1, 2]', 'c', 'x').lists.get('compare')).toEqual([
      'a@b=[1, 2]',
      'c',
    ]);
    expect(parsed('--compare=a c', 'x').lists.get('compare')).toEqual(['a', 'c']);
  });

  test('everything after -- is positional', () => {
    expect(parsed('a', '--', '--data_dir').positionals).toEqual(['a', '--data_dir']);
  });

  test('a value may start with dashes after an equals sign', () => {
    expect(parsed('a', '--output=--x').values.get('output')).toBe('--x');
  });

  test.each([
    [['--constructor', 'x'], 'go: unknown flag --constructor.'],
    [['--toString'], 'go: unknown flag --toString.'],
    [['--__proto__', 'x'], 'go: unknown flag --'],
    [['--hasOwnProperty=1'], 'go: unknown flag --hasOwnProperty.'],
    [['--jsn'], 'go: unknown flag --jsn. Nearest: "--json". "cifar10-fast go --help" lists'],
    [['--no'], 'go: unknown flag --no. "cifar10-fast go --help" lists them.'],
    [['-x'], 'go: unknown flag -x; long flags start with two dashes.'],
    [['-json'], 'go: unknown flag -json; long flags start with two dashes. Nearest: "--json".'],
    [['--jason_'], 'go: unknown flag --jason_.'],
    [['a', '--json=1'], '--json takes no value; write it alone.'],
    [['a', '--output'], '--output needs a value: --output FILE.'],
    [['a', '--output', '--json'], '--output needs a value: --output FILE.'],
    [['a', '--output='], '--output needs a value: --output FILE.'],
    [['--compare', 'one'], '--compare needs 2 values: --compare A B.'],
    [['--compare', 'one', '--json'], '--compare needs 2 values: --compare A B.'],
    [['a', '-o', 'x', '--output', 'y'], '--output is given twice; give it once.'],
    [[], 'go: EXPERIMENT is missing. Usage: cifar10-fast go EXPERIMENT [MORE] [flags]'],
    [['a', 'b', 'c'], 'go: "c" is one argument too many.'],
  ])('%j is an error that says what to do', (args, message) => {
    expect(() => parsed(...args)).toThrow(UsageError);
    expect(() => parsed(...args)).toThrow(message);
  });
});
