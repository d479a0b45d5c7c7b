import type { MimeBundle } from '../base/kernel-host';
import { display } from './display';
import type { DisplayHandle } from './display';

/** Something to look at, ready to be shown: in several mime types, of which each viewer takes the richest that it can. */
export interface Figure {
  readonly bundle: MimeBundle;
  /** By mime type, as in `{'image/png': {width: 640}}`. */
  readonly metadata?: Readonly<Record<string, object>>;
}

/**
 * Shows a figure below the cell, or in the place of one that was shown before.
 *
 * Outside a notebook its line of text is printed. Figures are made asynchronously, so the promise of one will do.
 *
 * @returns a handle for showing another one in its place: `show(later, handle)`
 * @throws NotebookError for a figure without content
 * @example
 * ```ts
 * await show(chart(rows, { mark: 'line', x: 'epoch', y: 'valid_acc' }));
 * ```
 */
export async function show(
  figure: Figure | Promise<Figure>,
  update?: DisplayHandle,
): Promise<DisplayHandle> {
  const { bundle, metadata = {} } = await figure;
  return display(bundle, { metadata, ...(update === undefined ? {} : { update }) });
}
