import { afterEach, expect, test } from 'vitest';
import { provideKernelHost } from '../base/kernel-host';
import type { DisplayMessage, KernelHost } from '../base/kernel-host';
import { inPlace } from './in-place';

afterEach(() => provideKernelHost(undefined as unknown as KernelHost));

test('inPlace replaces the previous figure, at most once a second, and always shows the last', () => {
  const seen: DisplayMessage[] = [];
  provideKernelHost({
    display: (message: DisplayMessage) => void seen.push(message),
  } as unknown as KernelHost);
  let [now, made] = [100, 0];
  const draw = inPlace(() => now);
  const figure = (): { bundle: { 'text/plain': string } } => {
    made++;
    return { bundle: { 'text/plain': `at ${now}` } };
  };
  for (now of [100, 100.5, 101.2, 101.9]) draw(figure);
  draw(figure, { isLast: true });
  expect(made).toBe(3);
  expect(seen.map(({ data, isUpdate }) => [data['text/plain'], isUpdate])).toEqual([
    ['at 100', false],
    ['at 101.2', true],
    ['at 101.9', true],
  ]);
  expect(new Set(seen.map(({ id }) => id)).size).toBe(1);
});
