import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** Pixels of a chart drawn for a desk, 720 wide, and for a phone, 360 wide. */
export interface Heights {
  readonly wide: number;
  readonly narrow: number;
}

/**
 * A chart as two drawings in `div`s of the classes `wide` and `narrow`, of which the page's style sheet shows one: scaled
 * down, the letters of one could not be read. `options` is asked for each width.
 */
export function drawing(options: (width: number) => Plot.PlotOptions, label: string, heights: Heights): string {
  return (['wide', 'narrow'] as const)
    .map((shown) => {
      const width = shown === 'wide' ? 720 : 360;
      const { document } = parseHTML('<!doctype html><html><body></body></html>');
      const svg = Plot.plot({
        // linkedom's document has what Plot calls; its type is not the browser's.
        document: document as unknown as Plot.PlotOptions['document'],
        width,
        height: heights[shown],
        marginTop: 34,
        marginBottom: 46,
        ariaLabel: label,
        style: { background: 'transparent', fontSize: '13px' },
        ...options(width),
      });
      svg.setAttribute('role', 'img');
      // The browser scales the drawing by its viewBox; fixed sizes would overflow.
      svg.removeAttribute('width');
      svg.removeAttribute('height');
      return `<div class="${shown}">${svg.outerHTML}</div>`;
    })
    .join('');
}
