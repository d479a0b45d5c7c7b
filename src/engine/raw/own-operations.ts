/** The activations of our own operations, and their numbers in the attribute `activation` (`native/elementwise.h`). */
export const ownActivations = { none: 0, relu: 1, gelu: 2, silu: 3, celu: 4 } as const;

/** An activation of our own operations: its kind, and the alpha of CELU. */
export interface OwnActivation {
  readonly kind: keyof typeof ownActivations;
  readonly alpha?: number;
}

type Shape = readonly number[];

/** What the engine needs to know about one of our own operations. */
export interface OwnOperation {
  /** The number of leading inputs that are activations, in any precision; all later floats are float32. */
  readonly activations: number;
  /** Shapes of the outputs; TensorFlow infers none for these operations. */
  readonly shapes: (
    inputs: readonly Shape[],
    attribute: (name: string) => number,
  ) => readonly Shape[];
}

/** The operations of `native/elementwise-kernels.cc`, by name. */
export const ownOperations: ReadonlyMap<string, OwnOperation> = new Map<string, OwnOperation>([
  ['Cifar10FastActivation', { activations: 1, shapes: ([x]) => [x] }],
  ['Cifar10FastActivationGrad', { activations: 2, shapes: ([, x, bias]) => [x, bias] }],
  ['Cifar10FastBatchNorm', { activations: 1, shapes: ([x, , bias]) => [x, bias, bias, bias] }],
  ['Cifar10FastBatchNormGrad', { activations: 2, shapes: ([, x, , bias]) => [x, bias, bias] }],
  ['Cifar10FastBatchNormInference', { activations: 1, shapes: ([x]) => [x] }],
  [
    'Cifar10FastMaxPool',
    {
      activations: 1,
      shapes: ([[n, height, width, channels]], attribute) => {
        const size = attribute('size');
        const pooled = [n, Math.floor(height / size), Math.floor(width / size), channels];
        return [pooled, pooled];
      },
    },
  ],
  [
    'Cifar10FastMaxPoolGrad',
    {
      activations: 1,
      shapes: ([[n, , , channels]], attribute) => [
        [n, attribute('height'), attribute('width'), channels],
      ],
    },
  ],
]);
