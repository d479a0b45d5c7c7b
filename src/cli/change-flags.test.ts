import { describe, expect, test } from 'vitest';
import { UsageError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { changeFlags, changesOf, withChanges } from './change-flags';
import { parseFlags } from './flags';
import type { Command } from './flags';

const command: Command = {
  name: 'go',
  positionals: [],
  flags: { ...changeFlags },
  examples: [],
  run: () => Promise.resolve(0),
};
const changes = (line: string): unknown => changesOf(parseFlags(command, line.split(' ')));

describe('changesOf', () => {
  test('short flags become overrides, before those of --set', () => {
    expect(changes('--set optim.momentum=0.8 --lr 0.6 --epochs 8 --batch-size=128')).toEqual([
      { path: 'run.epochs', value: 8 },
      { path: 'data.batchSize', value: 128 },
      { path: 'optim.lr', value: 0.6 },
      { path: 'optim.momentum', value: 0.8 },
    ]);
    const demo = withChanges(findExperiment('demo'), [{ path: 'run.epochs', value: 12 }]);
    expect(demo.run.epochs).toBe(12);
    expect(demo.overrides).toEqual(['run.epochs=12']);
  });

  test.each([
    ['--epochs ten', '--epochs "ten" is not a number above 0. Give one, as in --epochs 24.'],
    ['--lr 0', '--lr "0" is not a number above 0. Give one, as in --lr 0.4.'],
    ['--batch-size -1', '--batch-size "-1" is not a number above 0.'],
    ['--epochs +4', '--epochs +4 adds to a finished run. Name it, as in --resume runs/demo-pocket'],
    [
      '--lr 0.1 --set optim.lr=0.2',
      '--lr and --set optim.lr are the same value. Give one of them.',
    ],
  ])('%s is wrong usage', (line, message) => {
    expect(() => changes(line)).toThrow(UsageError);
    expect(() => changes(line)).toThrow(message);
  });
});
