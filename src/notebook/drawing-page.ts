/**
 * The script that runs in the page. It takes the libraries as functions, and draws every entry of
 * `window.cifar10FastDrawings`, present or pushed later: `{ id, now, before }`, outlines of a network and of the one before it.
 */
export const drawingPage: string = String.raw`(sources) => {
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
  const { closeBlocks } = load('./blocks');
  const { readable, wrap } = load('./wrap');
  // By a rule: d3-graphviz takes away attributes that Graphviz did not write, style among them.
  const look = document.createElement('style');
  look.textContent = '[data-drawing] svg { max-width: 100%; height: auto; border-radius: 8px; cursor: grab; }' +
    '[data-drawing] .cluster, [data-drawing] .node.closed { cursor: pointer; }' +
    '[data-drawing] .drawing-bar { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; font-size: 12px; }' +
    '[data-drawing] .drawing-bar button { font: inherit; padding: 1px 8px; cursor: pointer; }';
  document.head.append(look);
  const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const options = {
    useWorker: false, zoom: true, zoomScaleExtent: [0.5, 8], tweenShapes: false, tweenPrecision: '1.5%',
  };

  // A drawing takes the place of what is in the box once it is there.
  const place = async (box) => {
    const stage = document.createElement('div');
    stage.style.cssText = 'position:absolute;visibility:hidden';
    box.append(stage);
    const viz = select(stage).graphviz(options);
    if (viz.layoutSync === undefined) await new Promise((resolve) => viz.on('initEnd', resolve));
    const show = () => {
      for (const old of [...box.children]) if (old !== stage) old.remove();
      stage.style.cssText = '';
    };
    return { viz, show };
  };

  /** Scrolling the page is left alone: a wheel zooms with Ctrl, fingers move the drawing two at a time. */
  const isZoom = (event) => {
    if (event.type === 'wheel') return event.ctrlKey || event.metaKey;
    if (event.type === 'touchstart') return event.touches.length > 1;
    return event.type !== 'dblclick' && !event.button;
  };

  const draw = async (box, { now, before }) => {
    const { viz, show } = await place(box);
    let closed = await readable(now, viz.layoutSync);
    let isShown = false;
    const render = async (whole, blocks, milliseconds) => {
      const { text, engine } = await wrap(closeBlocks(whole, blocks), viz.layoutSync);
      viz.engine(engine);
      const duration = isStill ? 0 : milliseconds;
      if (isShown) viz.transition(() => transition('move').duration(duration).ease(easeCubicInOut));
      await new Promise((resolve, reject) => viz.on('end', resolve).onerror(reject).renderDot(text));
      viz.zoomBehavior()?.filter(isZoom);
    };
    let isBusy = false;
    const act = (action) => async () => {
      if (isBusy) return;
      isBusy = true;
      try {
        await action();
      } finally {
        isBusy = false;
      }
    };
    const change = async () => {
      await render(before, await readable(before, viz.layoutSync), 0);
      viz.resetZoom();
      await render(now, closed, 1800);
      box.dataset.live = 'moved';
    };
    const zoomBy = (factor) => viz.zoomBehavior().scaleBy(viz.zoomSelection(), factor);
    const bar = document.createElement('div');
    bar.className = 'drawing-bar';
    const button = (text, title, action) => {
      const made = document.createElement('button');
      Object.assign(made, { type: 'button', textContent: text, title, onclick: action });
      bar.append(made);
    };
    button('−', 'smaller', () => zoomBy(1 / 1.4));
    button('+', 'larger (or Ctrl + mouse wheel)', () => zoomBy(1.4));
    button('whole', 'the whole drawing', () => viz.resetZoom());
    const repeated = closed;
    const setClosed = (blocks) => act(() => render(now, (closed = blocks), 500));
    if (repeated.size > 0) {
      button('open all', 'open every block', setClosed(new Map()));
      button('close repeated', 'close blocks that repeat an earlier one', setClosed(repeated));
    }
    if (before !== undefined && !isStill) {
      button('show the change', 'animate the change from the previous network', act(change));
    }
    bar.append('Click a block to close or open it; drag to move.');

    await render(isStill ? now : (before ?? now), before === undefined || isStill ? closed : await readable(before, viz.layoutSync), 0);
    show();
    isShown = true;
    box.append(bar);
    box.addEventListener('click', (event) => {
      const part = event.target.closest('.cluster, .node.closed');
      const title = part?.querySelector('title')?.textContent;
      if (title === undefined) return;
      const blocks = new Map(closed);
      if (part.classList.contains('node')) blocks.delete(title.replace(/^\.\/%/, '%'));
      else blocks.set(title.replace(/^cluster_/, ''), undefined);
      setClosed(blocks)();
    });
    if (before === undefined || isStill) return;
    box.dataset.moves = '';
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      setTimeout(act(async () => {
        await render(now, closed, 1800);
        box.dataset.live = 'moved';
      }), 600);
    }, { threshold: 0.3 });
    watch.observe(box);
  };

  const push = (drawing) => {
    for (const box of document.querySelectorAll('[data-drawing="' + drawing.id + '"]:not([data-live])')) {
      box.dataset.live = '';
      draw(box, drawing).catch((error) => console.warn('cifar10-fast: cannot make a drawing interactive:', error));
    }
  };
  window.cifar10FastDrawings = { push };
  for (const drawing of waiting) push(drawing);
}`;
