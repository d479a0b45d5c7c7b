import { describe, expect, test } from 'vitest';
import type { EpochRow } from '../train/training';
import { liveCurves, liveHtml, liveText } from './live-view';
import type { LiveRun, LiveState } from './live-view';

const row = (epoch: number): EpochRow => ({
  epoch,
  lr: 0.1 * epoch,
  train: { time: 2, loss: 2 / epoch, acc: 0.2 * epoch },
  valid: { time: 0.5, loss: 1.8 / epoch, acc: 0.25 * epoch },
  'total time': 2 * epoch,
});
const run = (name: string, epochs: number, done: number): LiveRun => ({
  name,
  epochs,
  trace: Array.from({ length: 2 * done }, (_, index) => ({
    at: (index + 1) / 2,
    loss: 2 / (index + 1),
    acc: index / 10,
  })),
  rows: Array.from({ length: done }, (_, index) => row(index + 1)),
});
const state: LiveState = {
  headline: 'demo <pocket>\nabout 3:20',
  runs: [run('seed 0', 3, 2)],
  share: 0.5,
  progress: {
    phase: 'train',
    epoch: 3,
    epochs: 3,
    done: 5120,
    total: 49_664,
    timeSec: 4,
    loss: 0.5,
    acc: 0.8,
    leftSec: 65,
  },
};

test('names of runs are left-aligned, numbers right-aligned', () => {
  const html = liveHtml({ ...state, runs: [run('seed 0', 3, 2), run('seed 1', 3, 1)] });
  expect(html).toMatch(/text-align:left[^>]*>seed 1</);
  expect(html).toMatch(/text-align:right[^>]*>0\.1000</);
});

describe('liveText', () => {
  test('shows the progress and the time left', () => {
    expect(liveText(state).split('\n')).toEqual([
      'demo <pocket>',
      'about 3:20',
      'epoch 3 of 3, 10 %  ·  1,280 images/s  ·  loss 0.5000  ·  accuracy 80.00 %  ·  1:05 left',
      '',
      '       epoch           lr   train time   train loss    train acc   valid loss    valid acc   total time',
      '           1       0.1000       2.0000       2.0000       0.2000       1.8000       0.2500       2.0000',
      '           2       0.2000       2.0000       1.0000       0.4000       0.9000       0.5000       4.0000',
    ]);
  });

  test('has no table before the first epoch is over, and shows the note instead of progress', () => {
    expect(liveText({ headline: 'h', runs: [run('a', 3, 0)], share: 0 })).toBe('h\nwarming up');
    expect(liveText({ ...state, runs: [], note: 'stopped' })).toBe(
      'demo <pocket>\nabout 3:20\nstopped',
    );
  });

  test('shows the end of a long log', () => {
    const log = Array.from({ length: 9 }, (_, index) => `run ${index + 1}`);
    const shown = (lines: readonly string[]): string[] =>
      liveText({ headline: 'h', log: lines, runs: [], share: 0, note: 'n' }).split('\n');
    expect(shown(log)).toEqual(['h', '…', 'run 5', 'run 6', 'run 7', 'run 8', 'run 9', 'n']);
    expect(shown(log.slice(0, 2))).toEqual(['h', 'run 1', 'run 2', 'n']);
  });

  test('of many epochs, keeps those of the current run and the last ones of the others', () => {
    const runs = [run('a', 24, 24), run('b', 24, 12)];
    const lines = liveText({ ...state, runs })
      .split('\n')
      .slice(5);
    expect(lines.map((line) => line.trim().split(/\s+/).slice(0, 2).join(' '))).toEqual([
      'a 24',
      ...Array.from({ length: 12 }, (_, index) => `b ${index + 1}`),
    ]);
  });
});

describe('liveHtml', () => {
  test('is one element without scripts or style sheets, its texts escaped', () => {
    const html = liveHtml(state);
    expect(html).toMatch(/^<div [^>]*data-live="on">.*<\/div>$/s);
    expect(html).not.toMatch(/<script|<style|class=|<pocket>/);
    expect(html).toContain('demo &lt;pocket&gt;<br>about 3:20');
    expect(html).toContain('width:50.0%');
    expect(html.match(/<tr>/g)).toHaveLength(3);
    expect(liveHtml({ ...state, note: 'done' })).toContain('data-live="off"');
  });
});

describe('liveCurves', () => {
  test('draws a line per run for loss and one for accuracy, and a point per epoch', async () => {
    const picture = liveCurves([run('seed 0', 3, 2), run('seed 1', 3, 1)]);
    expect(picture.match(/<polyline/g)).toHaveLength(4);
    expect(picture.match(/<circle/g)).toHaveLength(6);
    await expect(picture.replaceAll('><', '>\n<')).toMatchFileSnapshot(
      '../../test/output/live-curves.svg',
    );
  });

  test('stays within its frame whatever the loss does', () => {
    const wild = {
      ...run('a', 2, 1),
      trace: [
        { at: 0.1, loss: 1e9, acc: 0.1 },
        { at: 0.2, loss: NaN, acc: 0.1 },
      ],
    };
    const ys = [...liveCurves([wild]).matchAll(/points="([^"]*)"/g)].flatMap(([, points]) =>
      points.split(' ').map((point) => Number(point.split(',')[1])),
    );
    expect(ys).toHaveLength(3);
    expect(ys.every((y) => y >= 30 && y <= 200)).toBe(true);
  });
});
