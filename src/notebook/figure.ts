import type { MimeBundle } from '../base/kernel-host';
import { escapeXml } from '../graph/colours';
import { display } from './display';
import type { DisplayOptions } from './display';

/** A figure ready to be shown, in several MIME types, from which each viewer picks the richest that it supports. */
export interface Figure {
  readonly bundle: MimeBundle;
  /** By MIME type, as in `{'image/png': {width: 640}}`. */
  readonly metadata?: Readonly<Record<string, object>>;
}

/** A sentence in place of a figure, which says why there is nothing to draw. */
export function sentence(text: string): Figure {
  return { bundle: { 'text/html': `<p>${escapeXml(text)}</p>`, 'text/plain': text } };
}

/**
 * Shows a figure below the cell, or in place of an earlier display.
 *
 * Outside a notebook, its line of text is printed. Figures are made asynchronously, so a promise of one is accepted. Returns
 * nothing, because the value of the last expression in a cell is printed.
 *
 * @throws NotebookError for a figure without content
 * @example
 * ```ts
 * await show(chart(rows, { mark: 'line', x: 'epoch', y: 'valid_acc' }));
 * ```
 */
export async function show(
  figure: Figure | Promise<Figure>,
  options: Pick<DisplayOptions, 'update'> = {},
): Promise<void> {
  const { bundle, metadata = {} } = await figure;
  display(bundle, { ...options, metadata });
}
