/**
 * The content of one notebook display, by MIME type: a string for text, the value itself for JSON types; image bytes are
 * encoded as base64 when they are sent.
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
  /** By MIME type, as in `{'image/png': {width: 640}}`. */
  readonly metadata: Readonly<Record<string, object>>;
  readonly id: string;
  /** Whether this replaces the content of the display `id` instead of adding a display. */
  readonly isUpdate: boolean;
}

/**
 * What a Jupyter kernel provides to the library running in it.
 *
 * The host is found through a symbol on `globalThis`, not an import, so that the library in a notebook's folder and the
 * kernel that runs the notebook can be two installations.
 */
export interface KernelHost {
  /** The signal of the calling cell; see `interruptSignal`. */
  readonly interruptSignal: () => AbortSignal;
  readonly display: (message: DisplayMessage) => void;
  /** Clears the outputs of the calling cell; with `wait`, only when the next output arrives. */
  readonly clearOutput: (wait: boolean) => void;
}

const slot = Symbol.for('cifar10-fast.kernel-host');

/** The host of this process, if it has one. */
export function kernelHost(): KernelHost | undefined {
  return (globalThis as { [slot]?: KernelHost })[slot];
}

/** Sets the host of this process. */
export function provideKernelHost(host: KernelHost): void {
  Object.assign(globalThis, { [slot]: host });
}
