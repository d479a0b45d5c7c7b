/**
 * What one display of a notebook shows, by mime type: text is a string, JSON types take the value itself, and bytes of
 * a picture are encoded for the wire.
 */
export interface MimeBundle {
  readonly 'text/plain'?: string;
  readonly 'text/html'?: string;
  readonly 'text/markdown'?: string;
  readonly 'text/latex'?: string;
  readonly 'image/svg+xml'?: string;
  /** Bytes, or base64. */
  readonly 'image/png'?: Uint8Array | string;
  /** Bytes, or base64. */
  readonly 'image/jpeg'?: Uint8Array | string;
  readonly 'application/json'?: object;
  readonly 'application/vnd.vegalite.v5+json'?: object;
  readonly 'application/vnd.vega.v5+json'?: object;
  readonly [mime: string]: string | Uint8Array | object | undefined;
}

/** One output on its way to a notebook. */
export interface DisplayMessage {
  readonly data: Readonly<Record<string, string | object>>;
  /** By mime type, as in `{'image/png': {width: 640}}`. */
  readonly metadata: Readonly<Record<string, object>>;
  readonly id: string;
  /** Whether the display `id` is drawn anew, in the place of a new one. */
  readonly isUpdate: boolean;
}

/**
 * What the program around the library does for it, where that is a Jupyter kernel.
 *
 * It is found by a symbol on `globalThis` and not by an import, so that the library in a notebook's folder and the kernel
 * that runs the notebook may be two installations.
 */
export interface KernelHost {
  /** The signal of the cell that asks; see `interruptSignal`. */
  readonly interruptSignal: () => AbortSignal;
  readonly display: (message: DisplayMessage) => void;
  /** Removes the outputs of the cell that asks; with `wait`, as soon as there is a new one. */
  readonly clearOutput: (wait: boolean) => void;
}

const slot = Symbol.for('cifar10-fast.kernel-host');

/** The host of this process, if it has one. */
export function kernelHost(): KernelHost | undefined {
  return (globalThis as { [slot]?: KernelHost })[slot];
}

/** Makes `host` the one of this process. */
export function provideKernelHost(host: KernelHost): void {
  Object.assign(globalThis, { [slot]: host });
}
