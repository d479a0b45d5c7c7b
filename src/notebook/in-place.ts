import { display } from './display';
import type { DisplayHandle } from './display';
import type { Figure } from './figure';

/** Shows a figure in the place of the one before. */
export type InPlace = (figure: () => Figure, options?: { readonly isLast?: boolean }) => void;

/**
 * Opens a place below the cell in which one figure stands after the other, a new one at most once a second; the last one is
 * shown whenever it comes. Figures that are not shown are not made.
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
