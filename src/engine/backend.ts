import type * as tfjs from '@tensorflow/tfjs-core';

/** One attribute of a TensorFlow operation, as the addon takes it. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** The C interface that the addon exposes: enumerations of attribute and element types, and the version. */
export interface Binding {
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_BOOL: number;
  readonly TF_Version: string;
}

/** The backend of `@tensorflow/tfjs-node-gpu`: each of its kernels ends in one of the two `execute` calls. */
export interface NodeBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  executeSingleOutput(
    op: string,
    attributes: readonly OpAttribute[],
    inputs: readonly tfjs.TensorInfo[],
  ): tfjs.Tensor;
  executeMultipleOutputs(
    op: string,
    attributes: readonly OpAttribute[],
    inputs: readonly tfjs.TensorInfo[],
    outputs: number,
  ): tfjs.Tensor[];
  /** Returns a handle on TensorBoard's file in a folder, for the two methods below. */
  summaryWriter(folder: string): tfjs.Tensor;
  createSummaryFileWriter(
    handle: tfjs.Tensor,
    folder: string,
    maxQueue: number,
    flushMs: number,
    suffix: string,
  ): void;
  writeScalarSummary(handle: tfjs.Tensor, step: number, name: string, value: number): void;
}
