import type { MimeBundle } from '../base/kernel-host';
import { escapeXml } from '../graph/colours';
import { display } from './display';
import type { DisplayOptions } from './display';

/** Something to look at, ready to be shown: in several mime types, of which each viewer takes the richest that it can. */
export interface Figure {
  readonly bundle: MimeBundle;
  /** By mime type, as in `{'image/png': {width: 640}}`. */
  readonly metadata?: Readonly<Record<string, object>>;
}

/** A sentence in the place of a figure: why there is nothing to draw. */
export function sentence(text: string): Figure {
  return { bundle: { 'text/html': `<p>${escapeXml(text)}</p>`, 'text/plain': text } };
}

/**
 * Shows a figure below the cell, or in the place of what `display` has shown before.
 *
 * Outside a notebook its line of text is printed. Figures are made asynchronously, so the promise of one will do. It returns
 * nothing, so that it may stand last in a cell, whose value would be printed.
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
