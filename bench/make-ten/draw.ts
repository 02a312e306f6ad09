import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** New tokens a second over the whole job, prompt included. */
export interface Speed {
  readonly side: string;
  readonly n: number;
  readonly tokensPerSecond: number;
  readonly isBusy: boolean;
}

/** A picture by itself follows the reader's colours by its own style. */
const STYLE = `
svg { color: #22242a; --0: #a1481a; --1: #2f6c8f; --2: #5d7a34; font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { svg { color: #e4e3df; --0: #e8935f; --1: #6fb2d6; --2: #a9c77a; } }
`;

/** Speed over the number of candidates, both logarithmic, a line a side; dashed with a busy neighbour. */
export function drawSpeeds(speeds: readonly Speed[]): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const sides = [...new Set(speeds.map(({ side }) => side))];
  const sizes = [...new Set(speeds.map(({ n }) => n))];
  const at = { x: ({ n }: Speed) => Math.log2(n), y: 'tokensPerSecond' } as const;
  const lines = sides.flatMap((side, i) =>
    [false, true].map((isBusy) => ({
      label: isBusy ? `${side}, busy neighbour` : side,
      stroke: `var(--${i})`,
      isBusy,
      points: speeds.filter((speed) => speed.side === side && speed.isBusy === isBusy),
    })),
  );
  const svg = Plot.plot({
    // linkedom's document has what Plot calls; its type is not the browser's.
    document: document as unknown as Plot.PlotOptions['document'],
    width: 760,
    height: 380,
    marginLeft: 56,
    marginRight: 230,
    marginBottom: 44,
    style: { background: 'transparent', fontSize: '13px' },
    // A logarithmic scale of Plot's own leaves out labels of places that are no round numbers.
    x: { label: 'candidates', ticks: sizes.map(Math.log2), tickFormat: (power) => String(Math.round(2 ** power)) },
    y: { label: 'new tokens a second, prompt included', type: 'log', grid: true, nice: true },
    marks: lines
      .filter(({ points }) => points.length > 0)
      .flatMap(({ label, stroke, isBusy, points }) => [
        Plot.lineY(points, {
          ...at,
          stroke,
          strokeWidth: isBusy ? 1.2 : 2,
          ...(isBusy ? { strokeDasharray: '4 3' } : {}),
          marker: 'circle',
        }),
        Plot.text(points.slice(-1), { ...at, text: () => label, fill: stroke, textAnchor: 'start', dx: 8 }),
      ]),
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${svg.outerHTML.replace('>', `><style>${STYLE}</style>`)}\n`;
}
