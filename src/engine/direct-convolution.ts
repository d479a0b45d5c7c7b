import type { OpAttribute } from './backend';
import { dataType } from './graph';
import type { TensorGraph, Value } from './graph';
import { readHardware } from './hardware';
import { loadTensorflow } from './tensorflow';

const convolutions = new Set(['Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter']);

/** Whether an operation is one of TensorFlow's convolutions or a gradient of one. */
export function isConvolution(op: string): boolean {
  return convolutions.has(op);
}

/**
 * Adds one of TensorFlow's convolutions, or a gradient of one.
 *
 * Where oneDNN does not support bf16, a bf16 convolution is computed in fp32 from the same 16-bit values: TensorFlow would
 * use its own kernels, which are many times slower and accumulate kernel gradients in bf16, so that 1,024 ones sum to 512
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
  // A kernel gradient stays in fp32, like the master weights.
  return op === 'Conv2DBackpropFilter' ? wide : graph.cast(wide, dataType.bfloat16);
}

/** oneDNN supports bf16 on processors with AVX-512, with or without bf16 instructions. */
function hasBf16Convolutions(): boolean {
  if (loadTensorflow().gpu) return true;
  return (
    process.env['TF_ENABLE_ONEDNN_OPTS'] !== '0' && readHardware().cpuFlags.includes('avx512f')
  );
}
