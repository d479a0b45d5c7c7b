import { singularValues } from '../analysis/singular-values';
import type { HostTensor } from '../base/host-tensor';
import { createSession } from '../engine/session';
import { newtonSchulz } from '../optim/muon';
import type { MuonOptions } from '../optim/muon';

/** The singular values of a matrix after some iterations of Newton-Schulz, the largest first. */
export interface OrthogonalSpectrum {
  /** 0: the matrix divided by its norm. */
  readonly iterations: number;
  /** `[n]`, one per column of the matrix. */
  readonly values: Float64Array;
}

/**
 * The singular values of a kernel's gradient under Newton-Schulz, as Muon applies it, in fp32.
 *
 * @param kernel `[kh,kw,cin,cout]`, reshaped to `[kh kw cin, cout]`, with at least as many rows as columns
 * @throws OptimError if the matrix has more columns than rows
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
