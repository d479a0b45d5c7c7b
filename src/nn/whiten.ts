import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { LayerError } from '../base/errors';
import { isHostTensor } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import type { HostVariables } from './network';

/** The statistics of the patches of some images, and the convolution that whitens them; d = 3 size^2. */
export interface Whitening {
  /** `[d]`, descending: the mean square of the patches along each eigenvector. */
  readonly eigenvalues: Float64Array;
  /** `[d,size,size,3]`: orthonormal vectors; the element of the largest magnitude is positive in each. */
  readonly eigenvectors: HostTensor;
  /**
   * `[size,size,3,d]`: the kernel whose filter i is eigenvector i / sqrt(eigenvalue i + epsilon); with both signs
   * `[size,size,3,2d]`, followed by the negatives of these filters.
   */
  readonly kernel: HostTensor;
}

/** Options of {@link whitening}. */
export interface WhiteningOptions {
  /** Height and width of a patch; default: 3. */
  readonly size?: number;
  /** Added to each eigenvalue; default: 0.01. */
  readonly epsilon?: number;
  /** Append the negative of each filter, for an activation that keeps one side only; default: false. */
  readonly hasBothSigns?: boolean;
}

const colours = 3;

/**
 * The convolution whose output channels are uncorrelated and, up to epsilon, of variance 1: the scaled eigenvectors of the
 * patches of the images.
 *
 * Small eigenvalues belong to fine patterns that are mostly noise; epsilon limits the scale of their filters. An
 * eigenvector is defined only up to its sign, so the sign is fixed: the same images give the same kernel on any machine.
 *
 * @param images `[N,H,W,3]`, normalised, not padded; the study uses the first 10,000 of the training set (1.2 s on one
 *   AVX-512 core)
 * @throws LayerError if the images have another shape, or are too small for the patches
 */
export function whitening(
  images: HostTensor,
  { size = 3, epsilon = 1e-2, hasBothSigns = false }: WhiteningOptions = {},
): Whitening {
  const covariance = patchCovariance(images, size);
  const d = colours * size * size;
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(
    Matrix.from1DArray(d, d, covariance),
    { assumeSymmetric: true },
  );
  const order = realEigenvalues.map((_, index) => index);
  order.sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);

  const eigenvalues = Float64Array.from(order, (index) => realEigenvalues[index]);
  const eigenvectors = new Float32Array(d * d);
  const filters = hasBothSigns ? 2 * d : d;
  const kernel = new Float32Array(d * filters);
  for (const [i, column] of order.entries()) {
    const vector = eigenvectorMatrix.getColumn(column);
    const largest = vector.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
    const scale = 1 / Math.sqrt(eigenvalues[i] + epsilon);
    for (const [j, x] of vector.entries()) {
      const signed = x * Math.sign(largest);
      eigenvectors[i * d + j] = signed;
      kernel[j * filters + i] = signed * scale;
      if (hasBothSigns) kernel[j * filters + d + i] = -signed * scale;
    }
  }
  return {
    eigenvalues,
    eigenvectors: { shape: [d, size, size, colours], data: eigenvectors },
    kernel: { shape: [size, size, colours, filters], data: kernel },
  };
}

/**
 * Initial values of a network with the whitening kernel `[size,size,3,d]` of some images in the fixed first convolution.
 *
 * @param variables initial values of a network with whitened input, from `initNetwork`; not modified
 * @param whitened the images to pass to {@link whitening}, or its result
 * @param path of the convolution
 * @throws LayerError if there is no such convolution, or its kernel has another shape
 */
export function whitenInput(
  variables: HostVariables,
  whitened: HostTensor | Whitening,
  path = 'prep/whiten',
): HostVariables {
  const { kernel } = isHostTensor(whitened) ? whitening(whitened) : whitened;
  const name = `${path}/weight`;
  const old = variables[name];
  if (old === undefined) {
    throw new LayerError(
      `whiten: the network has no "${name}".${nearestHint(name, Object.keys(variables))} ` +
        'Use a network with whitened input, or pass the path of its first convolution.',
    );
  }
  if (old.shape.join() !== kernel.shape.join()) {
    throw new LayerError(
      `whiten: "${name}" has shape [${old.shape.join()}], but the whitening kernel has ` +
        `[${kernel.shape.join()}]. Set the size and cout of the convolution to match it.`,
    );
  }
  return { ...variables, [name]: kernel };
}

/**
 * The covariance of all `size` x `size` patches inside the images: P^T P / (rows - 1), where each row of P is a patch, in
 * the order row, column, colour. The mean is not subtracted, as in the reference. Row-major `[d,d]`, d = 3 size^2.
 *
 * Entries for two positions of a patch with the same offset sum over the same pairs of pixels, except at the border. So
 * each pair of pixels is multiplied once, products are summed by zone (each of the first and last rows and columns, and
 * the middle), and each entry adds up the zones it covers. Sums are float64: in float32 the last filters would be off by
 * up to 6e-4, measured on 10,000 images.
 *
 * @throws LayerError if the images are not `[N,H,W,3]` with H and W of at least 2 size - 1
 */
export function patchCovariance({ shape, data }: HostTensor, size = 3): Float64Array {
  const [count, height, width, channels] = shape;
  if (shape.length !== 4 || channels !== colours || Math.min(height, width) < 2 * size - 1) {
    throw new LayerError(
      `whiten: the images have shape [${shape.join()}]; expected [N,H,W,3] with H and W of at least ` +
        `${2 * size - 1}. Pass normalised images, channels last.`,
    );
  }
  const d = colours * size * size;
  const rows = count * (height - size + 1) * (width - size + 1);
  const covariance = new Float64Array(d * d);
  const place = (y: number, x: number, colour: number): number => (y * size + x) * colours + colour;
  for (let down = 0; down < size; down++) {
    for (let right = down === 0 ? 0 : 1 - size; right < size; right++) {
      const sums = pairSums({ data, count, height, width, size, down, right });
      for (let y = 0; y + down < size; y++) {
        for (let x = Math.max(0, -right); x < size && x + right < size; x++) {
          for (let pair = 0; pair < colours * colours; pair++) {
            let total = 0;
            for (let i = y; i < y + size; i++) {
              for (let j = x; j < x + size; j++) {
                total += sums[(i * (2 * size - 1) + j) * colours * colours + pair];
              }
            }
            const a = place(y, x, Math.floor(pair / colours));
            const b = place(y + down, x + right, pair % colours);
            covariance[a * d + b] = total / (rows - 1);
            covariance[b * d + a] = total / (rows - 1);
          }
        }
      }
    }
  }
  return covariance;
}

/**
 * The sums of the nine products of the colours of pixels (y, x) and (y + down, x + right), `[zone,zone,9]`. The zones of y
 * and of x are each of the first size - 1 positions, the middle, and each of the last size - 1.
 */
function pairSums({
  data,
  count,
  height,
  width,
  size,
  down,
  right,
}: {
  readonly data: ArrayLike<number>;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly size: number;
  readonly down: number;
  readonly right: number;
}): Float64Array {
  const zones = 2 * size - 1;
  const zoneStart = (zone: number, extent: number): number =>
    zone < size ? zone : extent - zones + zone;
  const zoneOf = Int32Array.from({ length: height }, (_, y) =>
    y < size ? y : Math.max(size - 1, y - height + zones),
  );
  const distance = (down * width + right) * colours;
  const sums = new Float64Array(zones * zones * colours * colours);
  for (let n = 0; n < count; n++) {
    for (let y = 0; y + down < height; y++) {
      const row = (n * height + y) * width;
      for (let zone = 0; zone < zones; zone++) {
        const from = Math.max(zoneStart(zone, width), -right);
        const to = Math.min(zoneStart(zone + 1, width), width - right);
        let [rr, rg, rb, gr, gg, gb, br, bg, bb] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
        for (let p = (row + from) * colours; p < (row + to) * colours; p += colours) {
          const q = p + distance;
          const red = data[p];
          const green = data[p + 1];
          const blue = data[p + 2];
          rr += red * data[q];
          rg += red * data[q + 1];
          rb += red * data[q + 2];
          gr += green * data[q];
          gg += green * data[q + 1];
          gb += green * data[q + 2];
          br += blue * data[q];
          bg += blue * data[q + 1];
          bb += blue * data[q + 2];
        }
        const at = (zoneOf[y] * zones + zone) * colours * colours;
        sums[at] += rr;
        sums[at + 1] += rg;
        sums[at + 2] += rb;
        sums[at + 3] += gr;
        sums[at + 4] += gg;
        sums[at + 5] += gb;
        sums[at + 6] += br;
        sums[at + 7] += bg;
        sums[at + 8] += bb;
      }
    }
  }
  return sums;
}
