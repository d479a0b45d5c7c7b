import { afterEach, describe, expect, test, vi } from 'vitest';
import { NotebookError } from '../base/errors';
import { provideKernelHost } from '../base/kernel-host';
import type { DisplayMessage, KernelHost } from '../base/kernel-host';
import { clearOutput, display } from './display';

afterEach(() => {
  provideKernelHost(undefined as unknown as KernelHost);
  vi.restoreAllMocks();
});

describe('display', () => {
  test('hands a bundle to the kernel: bytes as base64, JSON as it is, without undefined entries', () => {
    const seen: DisplayMessage[] = [];
    const collect = (message: DisplayMessage): number => seen.push(message);
    provideKernelHost({ display: collect } as unknown as KernelHost);
    // A view into a larger buffer: only its own bytes count.
    const png = new Uint8Array([0, 137, 80, 78, 71, 0]).subarray(1, 5);
    const spec = { mark: 'line' };
    const first = display(
      {
        'image/png': png,
        'application/vnd.vegalite.v5+json': spec,
        'text/plain': 'x',
        'application/x-none': undefined,
      },
      { metadata: { 'image/png': { width: 10 } } },
    );
    const second = display({ 'text/plain': 'y' }, { update: first });
    expect(second.id).toBe(first.id);
    expect(seen).toEqual([
      {
        data: {
          'image/png': 'iVBORw==',
          'application/vnd.vegalite.v5+json': spec,
          'text/plain': 'x',
        },
        metadata: { 'image/png': { width: 10 } },
        id: first.id,
        isUpdate: false,
      },
      { data: { 'text/plain': 'y' }, metadata: {}, id: first.id, isUpdate: true },
    ]);
    expect(display({ 'text/plain': 'z' }).id).not.toBe(first.id);
  });

  test('prints the text outside a notebook', () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    display({ 'text/plain': 'hello', 'text/html': '<b>hello</b>' });
    display({ 'text/html': '<b>hello</b>' });
    expect(write.mock.calls).toEqual([['hello\n']]);
  });

  test('refuses a bundle without content', () => {
    expect(() => display({})).toThrow(NotebookError);
  });
});

test('clearOutput calls the kernel, and does nothing without one', () => {
  const clear = vi.fn<KernelHost['clearOutput']>();
  clearOutput();
  provideKernelHost({ clearOutput: clear } as unknown as KernelHost);
  clearOutput();
  clearOutput({ wait: true });
  expect(clear.mock.calls).toEqual([[false], [true]]);
});
