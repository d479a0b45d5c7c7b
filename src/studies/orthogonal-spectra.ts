import { singularValues } from '../analysis/singular-values';
import type { HostTensor } from '../base/host-tensor';
import { createSession } from '../engine/session';
import { newtonSchulz } from '../optim/muon';
import type { MuonOptions } from '../optim/muon';

/** The singular values of a matrix after so many iterations of Newton-Schulz, the largest first. */
export interface OrthogonalSpectrum {
  /** 0: the matrix divided by its norm. */
  readonly iterations: number;
  /** `[n]`: as many as the matrix has columns. */
  readonly values: Float64Array;
}

/**
 * What Newton-Schulz makes of the singular values of a kernel's gradient, as Muon applies it, in fp32.
 *
 * @param kernel `[kh,kw,cin,cout]`, taken as `[kh kw cin, cout]`; with at least as many rows as columns
 * @throws OptimError if the matrix is wide
 */
export async function orthogonalSpectra(
  kernel: HostTensor,
  { iterations, coefficients }: Omit<MuonOptions, 'rescale'>,
): Promise<OrthogonalSpectrum[]> {
  const columns = kernel.shape[kernel.shape.length - 1];
  const rows = kernel.data.length / columns;
  const x = Float32Array.from(kernel.data);
  const session = createSession({});
  try {
    const spectra: OrthogonalSpectrum[] = [];
    for (let count = 0; count <= iterations; count++) {
      const run = session.capture(
        `${count} iterations`,
        (_, { matrix }) => ({
          outputs: {
            y: newtonSchulz(matrix.reshape([rows, columns]), { iterations: count, coefficients }),
          },
        }),
        { matrix: x },
      );
      const { y } = await run({ matrix: x });
      const values = singularValues({ shape: [rows, columns], data: y.data });
      spectra.push({ iterations: count, values });
    }
    return spectra;
  } finally {
    session.dispose();
  }
}
