import type { HostTensor } from '../../src/base/host-tensor';
import type { Tree } from '../../src/base/tree';
import { createSession } from '../../src/engine/session';
import type { Session, SessionMode } from '../../src/engine/session';

/** A way of running steps: each opens a session that owns the state it is given. */
export interface Engine {
  readonly mode: SessionMode;
  readonly open: <S extends Tree<HostTensor>>(initial: S) => Session<S>;
}

const modes: readonly SessionMode[] = ['eager', 'captured'];

/** Every engine that the suite runs on. */
export const engines: readonly Engine[] = modes.map((mode) => ({
  mode,
  open: (initial) => createSession(initial, { mode, precision: 'fp32' }),
}));
