import { runInNewContext } from 'node:vm';
import type { Figure } from '../src/notebook/figure';

/** What a figure of `plotly` passes to the page. */
export interface PushedFigure {
  readonly id: string;
  readonly data: readonly object[];
  readonly layout: object;
}

/** Runs the script of a figure of `plotly` and returns what it pushes. */
export function figureOf({ bundle }: Figure): PushedFigure {
  const [, script = ''] = /<script>(.*)<\/script>$/s.exec(bundle['text/html'] ?? '') ?? [];
  const window: { cifar10FastPlots?: PushedFigure[] } = {};
  runInNewContext(script, { window });
  const [figure] = window.cifar10FastPlots ?? [];
  if (figure === undefined) throw new Error('the figure pushes nothing');
  // Values of another context have other classes.
  return JSON.parse(JSON.stringify(figure)) as PushedFigure;
}
