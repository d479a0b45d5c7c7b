import type { PageAbout } from '../src/export/page-about';

/** The data that `cifar10-fast page` embeds in the page. */
export interface PageData {
  readonly about: PageAbout;
  /** The content of a graph model's `model.json`. */
  readonly model: GraphModelJson;
  readonly weights: ArrayBuffer;
  /** Features of the test images, `[N,C]`; each row has its own scale. */
  readonly features: Int8Array;
  /** The test images, {@link PageAbout.test.columns} in a row. */
  readonly sheet: Blob;
}

/** The parts of `model.json` that TF.js takes by name. */
export interface GraphModelJson {
  readonly modelTopology: object;
  readonly signature: object;
  readonly weightsManifest: readonly { readonly weights: readonly object[] }[];
}

/** Reads the embedded data and removes its elements from the page. */
export function readData(): PageData {
  return {
    about: JSON.parse(take('about')) as PageAbout,
    model: JSON.parse(take('model')) as GraphModelJson,
    weights: bytes(take('weights')).buffer,
    features: new Int8Array(bytes(take('features')).buffer),
    sheet: new Blob([bytes(take('sheet'))], { type: 'image/webp' }),
  };
}

function take(id: string): string {
  const element = document.getElementById(id);
  if (element === null) {
    throw new Error(
      `this file lacks its "${id}" data. Generate the page again: npx cifar10-fast page RUN -o DIR`,
    );
  }
  const text = element.textContent ?? '';
  element.remove();
  return text;
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}
