import { dirname, join } from 'node:path';
import { ink, zoom } from './theme';

/** A PNG, and the size at which it is shown. */
export interface Raster {
  readonly png: Uint8Array;
  /** Pixels of the page; the PNG itself has {@link zoom} times as many. */
  readonly width: number;
  readonly height: number;
}

/** What the SVG of a {@link raster} contains. */
export interface RasterOptions {
  /** Whether there are photographs, which need more than 256 colours. Default: false. */
  readonly hasPhotos?: boolean;
}

/**
 * Renders an SVG as PNG. Text is set in Arimo, which has the widths of Arial and comes with the package, so the same SVG
 * gives the same pixels on every machine, even one without fonts.
 */
export async function raster(
  svg: string,
  { hasPhotos = false }: RasterOptions = {},
): Promise<Raster> {
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
  const [width, height] = [image.width / zoom, image.height / zoom];
  return { png: hasPhotos ? image.asPng() : await indexed(image.asPng()), width, height };
}

/** A PNG of up to 256 colours: a third of the bytes; a chart's edges differ by at most 0.2 of 255 on average. */
async function indexed(png: Uint8Array): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp');
  return sharp(png).removeAlpha().png({ palette: true, dither: 0, effort: 7 }).toBuffer();
}

/** The metadata of a raster in a bundle: its size on the page. Without it, a viewer would show every pixel. */
export function rasterMetadata({ width, height }: Raster): Readonly<Record<string, object>> {
  return { 'image/png': { width, height } };
}
