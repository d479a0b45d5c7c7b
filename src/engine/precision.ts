import { sizeOf } from '../base/host-tensor';
import { dataType } from './graph';
import type { TensorGraph, Value } from './graph';
import type { Precision } from './hardware';
import type { OpAttribute } from './backend';
import { ownOperations } from './raw/own-operations';

/** Operations that are computed in low precision: most of a network's time is spent on them. */
const computing = new Set([
  'Conv2D',
  'Conv2DBackpropInput',
  'Conv2DBackpropFilter',
  'MatMul',
  'BatchMatMul',
  'BatchMatMulV2',
]);

/** Operations that stay in low precision if all their inputs are; constant scalars are cast along with them. */
const following = new Set([
  'Add',
  'AddV2',
  'AddN',
  'Mul',
  'Sub',
  'Div',
  'RealDiv',
  'Reshape',
  'Transpose',
  'Pad',
  'PadV2',
  'ConcatV2',
  'Relu',
  'Elu',
  'AvgPool',
  'MaxPool',
]);

/** Gradients that read activations of the forward pass: in low precision if any of their inputs is. */
const leading = new Set(['ReluGrad', 'EluGrad', 'MaxPoolGrad', 'AvgPoolGrad']);

/** The number of leading inputs of fused batch norm that are activations; the others stay in fp32. */
const batchNormActivations = new Map([
  ['FusedBatchNormV3', 1],
  ['FusedBatchNormGradV3', 2],
]);

/** An operation as it is added to the graph. */
export interface CastOperation {
  readonly inputs: readonly Value[];
  readonly attributes: readonly OpAttribute[];
}

/**
 * Decides in which number format an operation is recorded, and adds the casts that it needs, each only once.
 *
 * Convolutions, matrix products and what lies between them are in low precision; batch norm statistics, losses, master
 * weights and the optimiser are in fp32. Kernel gradients leave their convolution in low precision and are cast to fp32 for
 * the master weights.
 *
 * @see Micikevicius et al., Mixed Precision Training, arXiv:1710.03740 (2018)
 */
export function castOperation(
  graph: TensorGraph,
  precision: Precision,
  op: string,
  inputs: readonly Value[],
  attributes: readonly OpAttribute[],
): CastOperation {
  const low = precision === 'fp16' ? dataType.float16 : dataType.bfloat16;
  const isFloat = ({ dtype }: Value): boolean => dtype === dataType.float32 || dtype === low;
  // A constant of the step, such as the scale of the logits; a learning rate that is fed keeps full precision.
  const isConstant = ({ ref, shape }: Value): boolean =>
    sizeOf(shape) === 1 && graph.entries[ref[0]].op === 'Const';

  const toLow = (count: number): CastOperation => ({
    inputs: inputs.map((input, index) => {
      if (!isFloat(input)) return input;
      return graph.cast(input, index < count ? low : dataType.float32);
    }),
    attributes: attributes.map((attribute) =>
      attribute.name === 'T' ? { ...attribute, value: low } : attribute,
    ),
  });

  if (precision !== 'fp32') {
    const floats = inputs.filter(isFloat);
    const someLow = floats.some(({ dtype }) => dtype === low);
    const restConstant = floats.every((input) => input.dtype === low || isConstant(input));
    const activations = batchNormActivations.get(op) ?? ownOperations.get(op)?.activations;
    if (computing.has(op) && floats.length > 0) return toLow(inputs.length);
    if (leading.has(op) && someLow) return toLow(inputs.length);
    if (following.has(op) && someLow && restConstant) return toLow(inputs.length);
    if (activations !== undefined && someLow) return toLow(activations);
  }
  return {
    inputs: inputs.map((input) => (isFloat(input) ? graph.cast(input, dataType.float32) : input)),
    attributes,
  };
}
