import { momentGradients } from '../analysis/gradients';
import type { Moment } from '../analysis/gradients';
import { createHessian } from '../analysis/hessian';
import type { Sample } from '../analysis/hessian';
import { lanczos } from '../analysis/lanczos';
import type { Eigenpairs } from '../analysis/lanczos';
import { lossSurface } from '../analysis/loss-surface';
import type { LossPlace, SurfaceGrid } from '../analysis/loss-surface';
import { NotebookError } from '../base/errors';
import { interruptSignal } from '../base/interrupt';
import { createRng } from '../base/rng';
import { durationText } from '../text/progress';
import type { FlatRow } from '../text/table';
import { wallClock } from '../train/timer';
import { inPlace } from './in-place';
import { tabulate } from './tabulate';

/** Networks to analyse, by name. */
export type Samples<N extends string = string> = Readonly<Record<N, Sample>>;

/**
 * Gradients of output moments of several networks, one after the other, with a live table of progress; see
 * {@link momentGradients}. For each network and moment, there is one vector per channel, `[size]` of the network's
 * `vectorLayout`. The stop button ends it after a batch.
 *
 * @throws NotebookError if there is no network
 * @throws TrainError, InterruptedError as `momentGradients`
 */
export async function gradientsLive<N extends string>(
  samples: Samples<N>,
  moments: readonly Moment[],
): Promise<Record<N, Record<Moment, Float32Array[]>>> {
  const named = entriesOf('gradientsLive', samples);
  const signal = interruptSignal();
  const report = openReport(`gradients of each output's ${moments.join(', ')}`, named.length);
  const found: Partial<Record<N, Record<Moment, Float32Array[]>>> = {};
  for (const [index, [network, sample]] of named.entries()) {
    const { length: batches } = sample.batches;
    const onProgress = report(index, (vectors) => ({ network, vectors, batches }));
    found[network] = await momentGradients({ ...sample, signal }, moments, onProgress);
  }
  return found as Record<N, Record<Moment, Float32Array[]>>;
}

/** A grid point of {@link surfacesLive}, as a row for figures and tables. */
export type NamedPlace<N extends string = string> = Pick<LossPlace, keyof LossPlace> & {
  readonly plane: N;
};

/**
 * The loss of several networks, each in its own plane around its weights, one after the other, with a live table of progress;
 * see {@link lossSurface}. The same network may appear with several planes. The stop button ends it after a grid point.
 *
 * @param planes two directions for each name, `[size]` of the network's `vectorLayout`; their lengths do not matter
 * @returns rows for `surfacePlot`, plane by plane
 * @throws NotebookError if there is no network
 * @throws TrainError, LayerError, InterruptedError as `lossSurface`
 */
export async function surfacesLive<N extends string>(
  samples: Samples<N>,
  planes: Readonly<Record<N, readonly [Float32Array, Float32Array]>>,
  grid: SurfaceGrid,
): Promise<NamedPlace<N>[]> {
  const named = entriesOf('surfacesLive', samples);
  const signal = interruptSignal();
  const report = openReport('loss around each network', named.length);
  const found: NamedPlace<N>[] = [];
  for (const [index, [plane, sample]] of named.entries()) {
    const onProgress = report(index, (places) => ({ plane, places }));
    const own = await lossSurface({ ...sample, signal }, planes[plane], grid, onProgress);
    found.push(...own.map((place) => ({ ...place, plane })));
  }
  return found;
}

/** How {@link eigenpairsLive} finds eigenpairs. */
export interface EigenpairsLiveOptions<N extends string = string> {
  /** Eigenpairs of each network, those of largest magnitude. */
  readonly count: number;
  /** As `lanczos` takes it. */
  readonly tolerance?: number;
  /** As `lanczos` takes it. */
  readonly basisSize?: number;
  /** Seed of the start vectors. Default: 0. */
  readonly seed?: number;
  /** By network: orthonormal vectors to project out, as `lanczos` takes them. */
  readonly complementOf?: Readonly<Record<N, readonly Float32Array[]>>;
}

/**
 * Leading eigenpairs of the Hessians of several networks, one after the other, with a live table of progress: a row after
 * every ten products, and one at the end; see {@link createHessian} and {@link lanczos}. Shows the time of a product after
 * the first two. The stop button ends it after a batch.
 *
 * @throws NotebookError if there is no network
 * @throws TrainError, InterruptedError, RangeError as those two
 */
export async function eigenpairsLive<N extends string>(
  samples: Samples<N>,
  { seed = 0, complementOf, ...options }: EigenpairsLiveOptions<N>,
): Promise<Record<N, Eigenpairs>> {
  const named = entriesOf('eigenpairsLive', samples);
  const signal = interruptSignal();
  const draw = inPlace(wallClock);
  const startedAt = wallClock();
  const rows: FlatRow[] = [];
  const found: Partial<Record<N, Eigenpairs>> = {};
  let timing = '';
  const columns = { network: '', products: '', seconds: '', total: 'total seconds', ended: '' };
  const figure = (all: readonly FlatRow[]) => (): ReturnType<typeof tabulate> =>
    tabulate(all, {
      title: `${options.count} eigenpairs of each${timing}`,
      columns: all.some((row) => 'ended' in row)
        ? columns
        : { network: '', products: '', seconds: '', total: 'total seconds' },
      digits: { seconds: 1, total: 1 },
    });
  for (const [index, [network, sample]] of named.entries()) {
    const hessian = createHessian({ ...sample, signal });
    let [rowStart, first] = [wallClock(), NaN];
    const row = (products: number): FlatRow => {
      const now = wallClock();
      return { network, products, seconds: now - rowStart, total: now - startedAt };
    };
    try {
      const pairs = await lanczos(hessian.product, hessian.layout.size, {
        ...options,
        rng: createRng(seed, 'lanczos'),
        ...(complementOf === undefined ? {} : { complementOf: complementOf[network] }),
        onProduct: (products) => {
          const now = wallClock();
          // The first product includes TensorFlow's one-time work.
          if (products === 1) first = now;
          if (products === 2 && index === 0) timing = `, ${(now - first).toFixed(2)} s per product`;
          draw(figure([...rows, row(products)]));
          if (products % 10 > 0) return;
          rows.push(row(products));
          rowStart = now;
        },
      });
      found[network] = pairs;
      // The last row of ten products may be the end itself.
      const last = rows.at(-1);
      const hasEnd = last?.['network'] === network && last['products'] === pairs.products;
      const end = hasEnd ? { ...rows.pop() } : row(pairs.products);
      rows.push({ ...end, ended: pairs.isConverged ? 'converged' : 'not converged' });
      draw(figure(rows), { isLast: true });
    } finally {
      hessian.dispose();
    }
  }
  return found as Record<N, Eigenpairs>;
}

/** A live table with one row per part: `report(index, row)` returns the function to call as part `index` advances. */
function openReport(
  title: string,
  parts: number,
): (index: number, row: (progress: string) => FlatRow) => (done: number, total: number) => void {
  const draw = inPlace(wallClock);
  const startedAt = wallClock();
  const rows: FlatRow[] = [];
  return (index, row) => {
    const start = wallClock();
    return (done, total) => {
      const now = wallClock();
      const isLast = done === total;
      const share = (index + done / total) / parts;
      const left = ((now - startedAt) * (1 - share)) / share;
      rows[index] = { ...row(`${done} of ${total}`), seconds: now - start };
      const heading = share < 1 ? `${title}: ${durationText(left)} left` : title;
      draw(() => tabulate(rows, { title: heading, digits: { seconds: 1 } }), { isLast });
    };
  };
}

function entriesOf<N extends string>(call: string, samples: Samples<N>): [N, Sample][] {
  const named = Object.entries(samples) as [N, Sample][];
  if (named.length > 0) return named;
  throw new NotebookError(`${call}: no networks given. Give at least one, by name.`);
}
