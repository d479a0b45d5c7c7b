import { display } from './display';
import type { DisplayHandle } from './display';
import type { Figure } from './figure';

/** Shows a figure in place of the previous one. */
export type InPlace = (figure: () => Figure, options?: { readonly isLast?: boolean }) => void;

/**
 * Opens a display below the cell in which figures replace each other, at most once a second; the last one is always shown.
 * Figures that are not shown are not made.
 *
 * @param clock in seconds
 */
export function inPlace(clock: () => number): InPlace {
  let handle: DisplayHandle | undefined;
  let shown = -Infinity;
  return (figure, { isLast = false } = {}) => {
    const now = clock();
    if (!isLast && now - shown < 1) return;
    shown = now;
    const { bundle, metadata = {} } = figure();
    handle = display(bundle, { metadata, ...(handle === undefined ? {} : { update: handle }) });
  };
}
