import { afterEach, expect, test, vi } from 'vitest';
import { provideKernelHost } from '../base/kernel-host';
import type { DisplayMessage, KernelHost } from '../base/kernel-host';
import { show } from './figure';

afterEach(() => {
  provideKernelHost(undefined as unknown as KernelHost);
  vi.restoreAllMocks();
});

test('shows a figure once its promise resolves, and another one in its place', async () => {
  const seen: DisplayMessage[] = [];
  provideKernelHost({
    display: (message: DisplayMessage) => void seen.push(message),
  } as unknown as KernelHost);
  const metadata = { 'image/png': { width: 10, height: 5 } };
  const one = { bundle: { 'image/png': new Uint8Array([1]), 'text/plain': 'one' }, metadata };
  expect(await show(Promise.resolve(one))).toBeUndefined();
  const update = { id: seen[0].id };
  await show({ bundle: { 'text/plain': 'two' } }, { update });
  expect(seen).toEqual([
    { ...update, data: { 'image/png': 'AQ==', 'text/plain': 'one' }, metadata, isUpdate: false },
    { ...update, data: { 'text/plain': 'two' }, metadata: {}, isUpdate: true },
  ]);
});
