import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Observation, PowerLaw } from './power-law.ts';

/** A picture by itself follows the reader's colours by its own style. */
const STYLE = `
svg { color: #22242a; --line: #a1481a; --dot: #2f6c8f; font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { svg { color: #e4e3df; --line: #e8935f; --dot: #6fb2d6; } }
`;
const CURVE_POINTS = 60;

/** Observations with the curve that was fitted to them, as an SVG file; x is logarithmic. */
export function drawGrowth(label: string, observations: readonly Observation[], fit: PowerLaw | null): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const xs = observations.map(({ x }) => x);
  const [least, most] = [Math.min(...xs), Math.max(...xs)];
  const curve = Array.from({ length: CURVE_POINTS }, (_, i) => {
    const x = least * (most / least) ** (i / (CURVE_POINTS - 1));
    return { x: Math.log2(x), y: fit?.at(x) };
  });
  const svg = Plot.plot({
    // linkedom's document has what Plot calls; its type is not the browser's.
    document: document as unknown as Plot.PlotOptions['document'],
    width: 640,
    height: 320,
    marginLeft: 52,
    marginBottom: 46,
    style: { background: 'transparent', fontSize: '13px' },
    // A logarithmic scale of Plot's own leaves out labels of places that are no round numbers.
    x: { label, labelOffset: 40, ticks: [...new Set(xs)].map(Math.log2), tickFormat: (power) => short(2 ** power) },
    y: { label: 'validation, bits a byte', grid: true, nice: true },
    marks: [
      ...(fit === null ? [] : [Plot.lineY(curve, { x: 'x', y: 'y', stroke: 'var(--line)', strokeWidth: 2 })]),
      Plot.dot(observations, {
        x: ({ x }: Observation) => Math.log2(x),
        y: 'y',
        r: 3.5,
        stroke: 'var(--dot)',
        fill: 'var(--dot)',
        fillOpacity: 0.35,
      }),
    ],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${svg.outerHTML.replace('>', `><style>${STYLE}</style>`)}\n`;
}

/** 1300 → 1.3k, 2097152 → 2.1M */
export function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(2))}M`;
  if (value >= 1e4) return `${Math.round(value / 1e3)}k`;
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(2))}k`;
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(2)));
}
