import { ExportError } from '../base/errors';
import { firstNotFinite } from '../base/host-tensor';
import type { HostVariables } from '../nn/network';

/** @throws ExportError if a variable holds NaN or infinity */
export function checkFinite(variables: HostVariables, action: 'predict' | 'export'): void {
  const bad = firstNotFinite(Object.entries(variables));
  if (bad === undefined) return;
  throw new ExportError(
    `${action}: ${bad}. Training diverged, or the file is damaged: take another checkpoint.`,
  );
}
