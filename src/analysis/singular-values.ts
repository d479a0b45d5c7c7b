import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { LayerError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';

/**
 * The singular values of a matrix `[rows,columns]`, the largest first: how much it stretches along each of its principal
 * directions. In float64; a 512 x 512 matrix takes seconds.
 *
 * @throws LayerError if the tensor is empty or not a matrix
 */
export function singularValues({ shape, data }: HostTensor): Float64Array {
  const [rows, columns] = shape;
  if (shape.length !== 2 || data.length === 0) {
    throw new LayerError(
      `singularValues: the tensor has shape [${shape.join()}]; expected [rows,columns], at least one of each. ` +
        'Reshape it to a matrix.',
    );
  }
  const matrix = Matrix.from1DArray(rows, columns, [...data]);
  const { diagonal } = new SingularValueDecomposition(matrix, {
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
    autoTranspose: true,
  });
  return Float64Array.from(diagonal.toSorted((a, b) => b - a));
}
