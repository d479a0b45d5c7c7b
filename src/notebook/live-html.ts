import { createHash } from 'node:crypto';
import { escapeXml } from '../graph/colours';
import { scriptJson } from '../text/script-json';

/** A figure that a script of the page draws over its picture. */
export interface LiveHtml {
  /** The attribute that names its box: `data-<kind>`. */
  readonly kind: 'plotly' | 'drawing';
  /** The list of the page that the script reads: a property of `window`. */
  readonly queue: string;
  /** What is drawn; the script gets it with an `id`, the same for the same figure. */
  readonly spec: object;
  /** The picture that stands there until then: words for it, its address, and how large it is shown. */
  readonly alt: string;
  readonly src: string;
  readonly size: string;
}

/** HTML of a figure that is a picture, and is drawn live where its script runs. */
export function liveHtml({ kind, queue, spec, alt, src, size }: LiveHtml): string {
  const json = JSON.stringify(spec);
  const id = createHash('sha256').update(json).digest('hex').slice(0, 16);
  return (
    `<div data-${kind}="${id}"><img alt="${escapeXml(alt)}" ${size} src="${src}"></div>\n` +
    `<script>(window.${queue} ??= []).push(${scriptJson(`{"id":"${id}",${json.slice(1)}`)})</script>`
  );
}
