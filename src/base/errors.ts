/**
 * Errors that a user can act on: one class per module.
 *
 * A message names the module or function, then the node or file, then what was found and what was expected, and ends
 * with what to do. `docs/errors.md` has a page for each class: cause, broken code, repair. When an error is wrapped the
 * original stays in `cause`.
 */
export class Cifar10FastError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A wrong flag, experiment or option: printed without a stack, exit code 2. */
export class UsageError extends Cifar10FastError {}

/** CIFAR-10 could not be found, fetched, verified or decoded. */
export class DataError extends Cifar10FastError {}

/** An augmentation does not fit its images. */
export class AugmentError extends Cifar10FastError {}

/** A network description that names nodes that do not exist, or repeats them. */
export class GraphError extends Cifar10FastError {}

/** A table or log whose rows do not have the expected columns or values. */
export class ReportError extends Cifar10FastError {}

/** TensorFlow is missing, broken or not set up. */
export class EngineError extends Cifar10FastError {}

/** A step that a session cannot run or capture: it sets a value that the state does not hold, or changes a shape. */
export class CaptureError extends Cifar10FastError {}

/** A layer whose inputs or parameters have the wrong shape. */
export class LayerError extends Cifar10FastError {}

/** An optimiser or schedule whose parameters or settings it cannot use. */
export class OptimError extends Cifar10FastError {}

/** Training that cannot start or continue: a loss that is NaN, a batch larger than the data. */
export class TrainError extends Cifar10FastError {}

/** Training whose loss or weights became NaN or infinite. */
export class DivergedError extends TrainError {
  /** From 1. */
  readonly epoch: number;
  /** The first step of that epoch with such a loss, from 1; undefined if a weight or the test loss showed it. */
  readonly step?: number;

  constructor(
    message: string,
    { epoch, step, ...options }: ErrorOptions & { readonly epoch: number; readonly step?: number },
  ) {
    super(message, options);
    this.epoch = epoch;
    if (step !== undefined) this.step = step;
  }
}

/** An experiment that the catalogue does not have, or an override that does not fit it. */
export class ExperimentError extends Cifar10FastError {}

/** A run folder that cannot be written or read back. */
export class RunError extends Cifar10FastError {}

/** The Jupyter kernel cannot be installed or started. */
export class KernelError extends Cifar10FastError {}

/** Something that cannot be shown in a notebook. */
export class NotebookError extends Cifar10FastError {}

/** A picture that cannot be read, or a network that cannot be written for other programs. */
export class ExportError extends Cifar10FastError {}

/** The run was stopped by the user; its state was saved. Exit code 130. */
export class InterruptedError extends Cifar10FastError {}
