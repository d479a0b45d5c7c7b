import { dirname, join } from 'node:path';
import { ink, zoom } from './theme';

/** A picture of pixels, and the size at which it is to be shown. */
export interface Raster {
  readonly png: Uint8Array;
  /** Pixels of the page; the picture itself has {@link zoom} times as many. */
  readonly width: number;
  readonly height: number;
}

/**
 * An SVG picture as PNG. Text is set in Arimo, which has the widths of Arial and comes with the package, so the same
 * SVG gives the same pixels on every machine, one without fonts included.
 */
export async function raster(svg: string): Promise<Raster> {
  const { renderAsync } = await import('@resvg/resvg-js');
  const fonts = dirname(require.resolve('@expo-google-fonts/arimo/package.json'));
  const image = await renderAsync(svg, {
    background: ink.ground,
    fitTo: { mode: 'zoom', value: zoom },
    font: {
      loadSystemFonts: false,
      fontFiles: ['400Regular/Arimo_400Regular.ttf', '700Bold/Arimo_700Bold.ttf'].map((file) =>
        join(fonts, file),
      ),
      defaultFontFamily: 'Arimo',
      sansSerifFamily: 'Arimo',
    },
  });
  return { png: image.asPng(), width: image.width / zoom, height: image.height / zoom };
}

/** What a bundle says about a raster: its size on the page, without which a viewer would show every pixel. */
export function rasterMetadata({ width, height }: Raster): Readonly<Record<string, object>> {
  return { 'image/png': { width, height } };
}
