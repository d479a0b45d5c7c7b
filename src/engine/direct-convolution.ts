import type { OpAttribute } from './backend';
import { dataType } from './graph';
import type { TensorGraph, Value } from './graph';
import { readHardware } from './hardware';
import { loadTensorflow } from './tensorflow';

const convolutions = new Set(['Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter']);

/** Whether an operation is a convolution of TensorFlow's or a gradient of one. */
export function isConvolution(op: string): boolean {
  return convolutions.has(op);
}

/**
 * Adds a convolution of TensorFlow's, or a gradient of one.
 *
 * In bf16 it is computed from the same 16-bit values in fp32 where oneDNN has no bf16: TensorFlow would take its own kernels
 * there, which are many times as slow and add up kernel gradients in bf16, so that 1,024 ones give 512
 * (`findings/tensorflow-bf16-kernel-gradient-sums-in-bf16.sh`).
 */
export function addConvolution(
  graph: TensorGraph,
  op: string,
  inputs: readonly Value[],
  attributes: readonly OpAttribute[],
): Value {
  const isLow = ({ dtype }: Value): boolean => dtype === dataType.bfloat16;
  if (!inputs.some(isLow) || hasBf16Convolutions()) {
    return graph.add(op, inputs, attributes).outputs[0];
  }
  const [wide] = graph.add(
    op,
    inputs.map((input) => (isLow(input) ? graph.cast(input, dataType.float32) : input)),
    attributes.map((given) => (given.name === 'T' ? { ...given, value: dataType.float32 } : given)),
  ).outputs;
  // A kernel gradient meets master weights in fp32.
  return op === 'Conv2DBackpropFilter' ? wide : graph.cast(wide, dataType.bfloat16);
}

/** oneDNN has bf16 from AVX-512 on, with or without instructions for it. */
function hasBf16Convolutions(): boolean {
  if (loadTensorflow().gpu) return true;
  return (
    process.env['TF_ENABLE_ONEDNN_OPTS'] !== '0' && readHardware().cpuFlags.includes('avx512f')
  );
}
