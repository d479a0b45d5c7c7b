import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { drawingPage } from './drawing-page';
import type { Figure } from './figure';

/** The dependencies of d3-graphviz. */
const libraries = [
  'd3-color',
  'd3-dispatch',
  'd3-ease',
  'd3-format',
  'd3-interpolate',
  'd3-path',
  'd3-selection',
  'd3-timer',
  'd3-drag',
  'd3-transition',
  'd3-zoom',
] as const;

/** Our own modules with which the page lays out drawings. They import only each other. */
const ownModules = [
  'node-path',
  'blocks',
  'outline-dot',
  'row-layout',
  'stack-rows',
  'wrap',
] as const;

/** The folder of the compiled modules of `graph/`; the tests run from the sources, which a page cannot run. */
function graphFolder(): string {
  const beside = join(__dirname, '../graph');
  return existsSync(join(beside, 'wrap.js')) ? beside : join(__dirname, '../../dist/graph');
}

/**
 * Loads d3-graphviz, with Graphviz as WebAssembly, into the page, so that the drawings of this notebook move,
 * can be zoomed, and open and close their blocks: show it once, in the first cell. It is 0.8 MB from this package, and needs no
 * network.
 *
 * A page that is not trusted runs no scripts, and shows the drawings as pictures.
 *
 * @see Magnus Jacobsson, d3-graphviz, https://github.com/magjac/d3-graphviz
 * @example
 * ```ts
 * await show(animateDrawings());
 * ```
 */
export async function animateDrawings(): Promise<Figure> {
  const graphviz = join(dirname(require.resolve('d3-graphviz')), 'build/d3-graphviz.min.js');
  const { resolve } = createRequire(graphviz);
  const files = [
    ...libraries.map((name) => [name, join(dirname(resolve(name)), `${name}.min.js`)] as const),
    ['d3-graphviz', graphviz] as const,
    ...ownModules.map((name) => [`./${name}`, join(graphFolder(), `${name}.js`)] as const),
  ];
  const modules = await Promise.all(
    files.map(async ([name, file]) => {
      const code = (await readFile(file, 'utf8')).replace(/^\/\/# sourceMappingURL=.*$/m, '');
      return `${JSON.stringify(name)}(exports, module, require, define) {\n${code}\n}`;
    }),
  );
  const message =
    'd3-graphviz is loaded: drawings are animated and can be zoomed, and a click opens a block.';
  return {
    bundle: {
      'text/html':
        `<small data-drawing-runtime>${message}</small>\n` +
        `<script>(${drawingPage})({${modules.join(',\n')}})</script>`,
      'text/plain': message,
    },
  };
}
