/**
 * Draws the losses that checkpoints record as one SVG file, which follows the reader's light or dark colours:
 *
 *     npm exec -- node bench/shakespeare/curves.ts OUT.svg 'LABEL=run.safetensors' ['LABEL=other.safetensors']
 *
 * Thick with dots: validation. Thin: training, the mean of ten steps.
 */
import { writeFileSync } from 'node:fs';
import { readCheckpoint } from '@lathe/transformer';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

const STYLE = `
svg { color: #22242a; --0: #a1481a; --1: #2f6c8f; font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { svg { color: #e4e3df; --0: #e8935f; --1: #6fb2d6; } }
`;
/** Losses above are the first steps, which would leave the rest no room. */
const HIGHEST = 3;

const [out, ...sources] = process.argv.slice(2);
if (out === undefined || sources.length === 0 || sources.length > 2)
  throw new Error("expected OUT.svg and one or two 'LABEL=run.safetensors'");
const runs = await Promise.all(
  sources.map(async (source, i) => {
    const at = source.indexOf('=');
    const { progress } = await readCheckpoint(source.slice(at + 1));
    const points = (losses: readonly (readonly [number, number])[]) =>
      losses.map(([step, loss]) => ({ step, loss })).filter(({ loss }) => loss <= HIGHEST);
    return {
      label: source.slice(0, at),
      stroke: `var(--${i})`,
      training: points(progress.training),
      validation: points(progress.validation),
    };
  }),
);
const { document } = parseHTML('<!doctype html><html><body></body></html>');
const line = { x: 'step', y: 'loss' } as const;
const svg = Plot.plot({
  // linkedom's document has what Plot calls; its type is not the browser's.
  document: document as unknown as Plot.PlotOptions['document'],
  width: 720,
  height: 340,
  marginLeft: 48,
  marginRight: 150,
  style: { background: 'transparent', fontSize: '13px' },
  x: { label: 'iterations' },
  y: { label: 'nats a character', grid: true, nice: true },
  marks: runs.flatMap(({ label, stroke, training, validation }) => [
    Plot.lineY(training, { ...line, stroke, strokeOpacity: 0.4, strokeWidth: 1 }),
    Plot.lineY(validation, { ...line, stroke, strokeWidth: 2, marker: 'circle' }),
    Plot.text(validation.slice(-1), {
      ...line,
      text: ({ loss }: { loss: number }) => `${label} ${loss.toFixed(3)}`,
      fill: stroke,
      textAnchor: 'start',
      dx: 8,
    }),
  ]),
});
svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
writeFileSync(out, `${svg.outerHTML.replace('>', `><style>${STYLE}</style>`)}\n`);
