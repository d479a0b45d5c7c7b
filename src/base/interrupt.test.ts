import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InterruptedError } from './errors';
import { interruptSignal } from './interrupt';
import { provideKernelHost } from './kernel-host';
import type { KernelHost } from './kernel-host';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('interruptSignal of a process', () => {
  // The test runner's own listeners would end it.
  const others = process.listeners('SIGINT');
  beforeEach(() => process.removeAllListeners('SIGINT'));
  afterEach(() => {
    process.removeAllListeners('SIGINT');
    for (const listener of others) process.on('SIGINT', listener);
  });

  test('is the same signal until Ctrl-C aborts it; the next Ctrl-C is not intercepted', async () => {
    const signal = interruptSignal();
    expect(interruptSignal()).toBe(signal);
    expect(process.listenerCount('SIGINT')).toBe(0);
    await tick();
    expect(process.listenerCount('SIGINT')).toBe(1);

    process.emit('SIGINT');
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBeInstanceOf(InterruptedError);
    expect(process.listenerCount('SIGINT')).toBe(0);

    const next = interruptSignal();
    expect(next.aborted).toBe(false);
    await tick();
    process.emit('SIGINT');
    expect(next.aborted).toBe(true);
  });
});

test('interruptSignal returns the signal of the kernel host, if there is one', () => {
  const { signal } = new AbortController();
  provideKernelHost({ interruptSignal: () => signal } as KernelHost);
  expect(interruptSignal()).toBe(signal);
  provideKernelHost(undefined as unknown as KernelHost);
});
