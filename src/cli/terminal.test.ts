import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { displayProgress } from './terminal';
import type { Display } from './terminal';

/** A display on a stream that may be a terminal, and what it wrote there. */
function opened(terminal: { isTTY?: boolean; columns?: number }): {
  readonly display: Display;
  readonly written: string[];
} {
  const written: string[] = [];
  const stream = { ...terminal, write: (text: string) => written.push(text) };
  return { display: displayProgress(stream as unknown as NodeJS.WriteStream), written };
}

describe('on a terminal', () => {
  test('each line replaces the previous one, and the last one can be cleared', () => {
    const { display, written } = opened({ isTTY: true, columns: 80 });
    display.show('one');
    display.show('two');
    display.clear();
    display.clear();
    expect(written).toEqual(['\r\x1b[2Kone', '\r\x1b[2Ktwo', '\r\x1b[2K']);
  });

  test('a note clears the line first and stays', () => {
    const { display, written } = opened({ isTTY: true, columns: 80 });
    display.show('one');
    display.note('said');
    display.note('more');
    expect(written.join('')).toBe('\r\x1b[2Kone\r\x1b[2Ksaid\nmore\n');
  });

  test.each([
    [10, 9],
    [0, 79],
    [undefined, 79],
  ])('with %s columns shows %i characters, so that no line wraps', (columns, width) => {
    const { display, written } = opened({
      isTTY: true,
      ...(columns === undefined ? {} : { columns }),
    });
    expect(display.width).toBe(width);
    display.show('x'.repeat(200));
    expect(written).toEqual([`\r\x1b[2K${'x'.repeat(width)}`]);
  });
});

describe('elsewhere', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  test('a plain line every 30 seconds, the first after 30, and notes immediately', () => {
    const { display, written } = opened({});
    for (let sec = 0; sec <= 65; sec++) {
      display.show(`at ${sec}`);
      vi.advanceTimersByTime(1000);
    }
    display.note('said');
    display.clear();
    expect(written).toEqual(['at 30\n', 'at 60\n', 'said\n']);
  });
});
