import { createHash } from 'node:crypto';
import { escapeXml } from '../graph/colours';
import { scriptJson } from '../text/script-json';

/** A figure that a script of the page draws in place of its picture. */
export interface LiveHtml {
  /** The attribute that names its box: `data-<kind>`. */
  readonly kind: 'plotly' | 'drawing';
  /** The property of `window` with the list that the script reads. */
  readonly queue: string;
  /** What is drawn; the script gets it with an `id`, the same for the same figure. */
  readonly spec: object;
  /** The picture that is shown until then: its alternative text, its address, and the attributes of its size. */
  readonly alt: string;
  readonly src: string;
  readonly size: string;
}

/** HTML of a figure: a picture, which is drawn live where its script runs. */
export function liveHtml({ kind, queue, spec, alt, src, size }: LiveHtml): string {
  const json = JSON.stringify(spec);
  const id = createHash('sha256').update(json).digest('hex').slice(0, 16);
  return (
    `<div data-${kind}="${id}"><img alt="${escapeXml(alt)}" ${size} src="${src}"></div>\n` +
    `<script>(window.${queue} ??= []).push(${scriptJson(`{"id":"${id}",${json.slice(1)}`)})</script>`
  );
}
