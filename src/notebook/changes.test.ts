import { expect, test } from 'vitest';
import { ExperimentError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { changes } from './changes';

test('the differences of two experiments are a table of both values', () => {
  const { bundle } = changes('post4-final-20', findExperiment('post4-final-24'));
  expect(bundle['text/plain']).toBe(
    [
      'from post4-final-20 to post4-final-24',
      'changes     from                    to',
      'optim.lr    0 → 0.4 at 4 → 0 at 20  0 → 0.4 at 5 → 0 at 24',
      'run.epochs  20                      24',
    ].join('\n'),
  );
  expect(bundle['text/html']).toContain('<td');
});

test('a quotient of many digits is rounded', () => {
  const text = String(changes('speedrun-network', 'speedrun-sgd').bundle['text/plain']);
  expect(text).toMatch(/optim\.weightDecay +0\.0005 +0\.0013304\n/);
  const whole = changes('post8-final', 'speedrun-network').bundle['text/plain'];
  expect(whole).toMatch(/net\.weight +0\.0625 +0\.11111\n/);
});

test('a table without differences says so', () => {
  const text = changes('post1-baseline', 'post1-main-thread').bundle['text/plain'];
  expect(text).toContain('nothing but the seed');
});

test('an unknown experiment is an error that names the nearest', () => {
  expect(() => changes('post1-baselin', 'demo')).toThrow(ExperimentError);
  expect(() => changes('demo', 'post1-baselin')).toThrow(/Nearest: "post1-baseline"/);
});
