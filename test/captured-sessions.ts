import { afterEach } from 'vitest';
import type { HostTensor } from '../src/base/host-tensor';
import type { Tree } from '../src/base/tree';
import { createSession } from '../src/engine/session';
import type { Session } from '../src/engine/session';

/** For a test file: opens captured sessions and disposes of them after each test. */
export function useSessions(): <S extends Tree<HostTensor>>(initial: S) => Session<S> {
  const open: { dispose(): void }[] = [];
  afterEach(() => {
    for (const made of open.splice(0)) made.dispose();
  });
  return (initial) => {
    const made = createSession(initial, { mode: 'captured' });
    open.push(made);
    return made;
  };
}

/** `[N]` */
export function vector(...numbers: readonly number[]): HostTensor {
  return { shape: [numbers.length], data: Float32Array.from(numbers) };
}

/** `[]` */
export function scalar(value: number): HostTensor {
  return { shape: [], data: new Float32Array([value]) };
}
