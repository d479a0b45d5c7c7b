import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Figure } from './figure';

/** What d3-graphviz reads, itself last. */
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

/**
 * Loads d3-graphviz, with Graphviz as WebAssembly, into the page, so that the drawings of this notebook come to life: show
 * it once, in the first cell. 0.8 MB, from this package; nothing is fetched from a network.
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
  ];
  const modules = await Promise.all(
    files.map(async ([name, file]) => {
      const code = (await readFile(file, 'utf8')).replace(/^\/\/# sourceMappingURL=.*$/m, '');
      return `${JSON.stringify(name)}(exports, module, require, define) {\n${code}\n}`;
    }),
  );
  const told = 'd3-graphviz is loaded: drawings move from one network to the next.';
  return {
    bundle: {
      'text/html':
        `<small data-drawing-runtime>${told}</small>\n` +
        `<script>(${page})({${modules.join(',\n')}})</script>`,
      'text/plain': told,
    },
  };
}

/**
 * What runs in the page. It is given the libraries as functions, and draws what is in `window.cifar10FastDrawings`, now and
 * whenever something is pushed.
 */
const page = String.raw`(sources) => {
  const waiting = window.cifar10FastDrawings ?? [];
  if (!Array.isArray(waiting)) return;

  const loaded = {};
  const load = (name) => {
    if (loaded[name] === undefined) {
      const module = { exports: {} };
      sources[name](module.exports, module, load);
      loaded[name] = module.exports;
    }
    return loaded[name];
  };
  const { select } = load('d3-selection');
  const { easeCubicInOut } = load('d3-ease');
  const { transition } = load('d3-transition');
  load('d3-graphviz');
  // By a rule: d3-graphviz takes away attributes that Graphviz did not write, style among them.
  const look = document.createElement('style');
  look.textContent = '[data-drawing] svg { max-width: 100%; height: auto; border-radius: 8px; }';
  document.head.append(look);
  const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const options = { useWorker: false, zoom: false, tweenShapes: false, tweenPrecision: '1.5%' };

  const render = (viz, dot) =>
    new Promise((resolve, reject) => viz.on('end', resolve).onerror(reject).renderDot(dot));

  // A drawing takes the place of what is in the box once it is there.
  const place = async (box, dot) => {
    const stage = document.createElement('div');
    stage.style.cssText = 'position:absolute;visibility:hidden';
    box.append(stage);
    const viz = select(stage).graphviz(options);
    await render(viz, dot);
    for (const old of [...box.children]) if (old !== stage) old.remove();
    stage.style.cssText = '';
    return viz;
  };

  const draw = async (box, { dot, from }) => {
    let viz = await place(box, isStill ? dot : (from ?? dot));
    if (from === undefined || isStill) return;
    let isMoving = false;
    const move = async () => {
      isMoving = true;
      viz.transition(() => transition('move').duration(1800).ease(easeCubicInOut));
      await render(viz, dot);
      isMoving = false;
      box.dataset.live = 'moved';
    };
    box.style.cursor = 'pointer';
    box.title = 'Click to see again how it comes out of the network before';
    box.addEventListener('click', async () => {
      if (isMoving) return;
      viz = await place(box, from);
      await move();
    });
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      setTimeout(move, 600);
    }, { threshold: 0.3 });
    watch.observe(box);
  };

  const push = (drawing) => {
    for (const box of document.querySelectorAll('[data-drawing="' + drawing.id + '"]:not([data-live])')) {
      box.dataset.live = '';
      draw(box, drawing).catch((error) => console.warn('cifar10-fast: a drawing stays a picture:', error));
    }
  };
  window.cifar10FastDrawings = { push };
  for (const drawing of waiting) push(drawing);
}`;
