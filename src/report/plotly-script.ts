import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/**
 * A script that loads plotly.js and draws every figure in `window.cifar10FastPlots`, now or pushed later: `id` of its container
 * (`data-plotly`), `data`, `layout`. A figure without a `width` is as wide as its container. The script contains the library,
 * compressed.
 */
export async function plotlyScript(): Promise<string> {
  const code = await readFile(require.resolve('plotly.js-dist'));
  const packed = await promisify(gzip)(code, { level: 9 });
  return `(${page})('${packed.toString('base64')}')`;
}

/** The code that runs in the page. */
const page = String.raw`(packed) => {
  const waiting = window.cifar10FastPlots ?? [];
  if (!Array.isArray(waiting)) return;

  const load = async () => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    const code = await new Response(stream).text();
    // The library also sets window.Plotly, which may belong to another version that the page has loaded.
    const { Plotly: before } = window;
    const module = { exports: {} };
    new Function('module', 'exports', 'define', code)(module, module.exports);
    if (before === undefined) delete window.Plotly;
    else window.Plotly = before;
    return module.exports;
  };
  let loading;

  const draw = async (box, { data, layout }) => {
    const plotly = await (loading ??= load());
    const stage = document.createElement('div');
    const isFitted = layout.width === undefined;
    stage.style.cssText = isFitted ? 'visibility:hidden' : 'position:absolute;visibility:hidden';
    box.append(stage);
    const size = isFitted ? {} : { width: Math.min(layout.width, box.clientWidth || layout.width) };
    // By default, version 4 has a button "Share chart...", which sends the data to Plotly's server.
    const config = { displaylogo: false, showSendToCloud: false, plotlyServerURL: '', responsive: isFitted };
    await plotly.newPlot(stage, data, { ...layout, ...size }, config);
    for (const old of [...box.children]) if (old !== stage) old.remove();
    stage.style.cssText = '';
    box.dataset.live = 'drawn';
  };

  // Pages remove outputs and insert them again, so every change triggers a scan for containers.
  const figures = new Map();
  const scan = () => {
    for (const box of document.querySelectorAll('[data-plotly]:not([data-live])')) {
      const figure = figures.get(box.dataset.plotly);
      if (figure === undefined) continue;
      box.dataset.live = '';
      const watch = new IntersectionObserver((entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        watch.disconnect();
        draw(box, figure).catch((error) => console.warn('cifar10-fast: cannot make a figure interactive:', error));
      });
      watch.observe(box);
    }
  };
  const push = (figure) => {
    figures.set(figure.id, figure);
    scan();
  };
  window.cifar10FastPlots = { push };
  for (const figure of waiting) push(figure);
  let isPlanned = false;
  new MutationObserver(() => {
    if (isPlanned) return;
    isPlanned = true;
    requestAnimationFrame(() => {
      isPlanned = false;
      scan();
    });
  }).observe(document.documentElement, { childList: true, subtree: true });
}`;
