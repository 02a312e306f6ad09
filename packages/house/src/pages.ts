import { loadDrawing } from '@lathe/history';
import type { FileScore } from './score.ts';

const STYLE = `
:root { --ground: #fbfaf8; --text: #22242a; --quiet: #666a73; --rule: #e3e1dc; --one: #a1481a; --two: #2f6c8f; --heat: 161, 72, 26; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #17181b; --text: #e4e3df; --quiet: #9a9da5; --rule: #34363b; --one: #e8935f; --two: #6fb2d6; --heat: 232, 147, 95; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); font-size: .92rem; }
figure { margin: .6rem 0; }
svg { width: 100%; height: auto; color: var(--text); }
.narrow { display: none; }
.legend { list-style: none; margin: .3rem 0; padding: 0; font-size: .92rem; color: var(--quiet); }
.legend i { display: inline-block; width: .75rem; height: .75rem; border-radius: .15rem; margin-right: .4rem; }
.scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: .4rem; }
ol { margin: 0; padding: .4rem 0; font: .82rem/1.55 ui-monospace, monospace; list-style: none; counter-reset: line; min-width: max-content; }
ol li { counter-increment: line; white-space: pre; padding-right: 1rem; }
ol li::before { content: counter(line); display: inline-block; width: 3.5rem; padding-right: 1rem; text-align: right; opacity: .6; user-select: none; }
@media (max-width: 30rem) {
  .wide { display: none; }
  .narrow { display: block; }
  ol li::before { width: 2.8rem; padding-right: .6rem; }
}
`;

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><main>${body}</main></body></html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}

export interface LossCurves {
  readonly title: string;
  /** `[step, nats a token]` */
  readonly training: readonly (readonly [number, number])[];
  readonly validation: readonly (readonly [number, number])[];
}

const HEIGHTS = { wide: 340, narrow: 300 };

/** Training and validation loss over steps, as one page without scripts. */
export async function lossPage({ title, training, validation }: LossCurves): Promise<string> {
  const [drawing, Plot] = await Promise.all([loadDrawing(), import('@observablehq/plot')]);
  const rows = (pairs: LossCurves['training']) => pairs.map(([step, loss]) => ({ step, loss }));
  const chart = drawing(
    (width) => ({
      marginLeft: 48,
      x: { label: 'step', ticks: width / 90 },
      y: { label: 'nats a token', grid: true, nice: true },
      marks: [
        Plot.lineY(rows(training), { x: 'step', y: 'loss', stroke: 'var(--two)', strokeOpacity: 0.7 }),
        Plot.lineY(rows(validation), { x: 'step', y: 'loss', stroke: 'var(--one)', strokeWidth: 2, marker: 'circle' }),
      ],
    }),
    'Training and validation loss over steps',
    HEIGHTS,
  );
  const best = validation.reduce<readonly [number, number] | null>(
    (low, point) => (low === null || point[1] < low[1] ? point : low),
    null,
  );
  const told = best === null ? 'validation' : `validation, best ${best[1].toFixed(4)} at step ${formatCount(best[0])}`;
  return page(
    title,
    `<h1>${escapeHtml(title)}</h1><ul class="legend"><li><i style="background:var(--two)"></i>training, mean of ten steps</li><li><i style="background:var(--one)"></i>${told}</li></ul><figure>${chart}</figure>`,
  );
}

function formatCount(value: number): string {
  return value.toLocaleString('en-GB');
}

/** Bits above what a line of that length costs at which its background is fullest. */
const HOTTEST_BITS = 40;
const FULLEST = 0.55;

/** By the square root: most lines are a few bits above, and those shall be seen too. */
function heatOf(excess: number): number {
  return FULLEST * Math.sqrt(Math.min(1, Math.max(0, excess) / HOTTEST_BITS));
}

/** The files, each line's background the stronger the more surprising the line is for its length. */
export function scorePage(model: string, files: readonly { score: FileScore; text: string }[]): string {
  const sections = files.map(({ score, text }) => {
    const source = text.split('\n');
    const lines = score.lines.map(
      ({ line, bits, tokens, excess }) =>
        `<li style="background:rgba(var(--heat), ${heatOf(excess).toFixed(3)})" title="${bits.toFixed(1)} bits in ${tokens} tokens, ${Math.abs(excess).toFixed(1)} ${excess < 0 ? 'below' : 'above'} lines of that length">${escapeHtml(source[line - 1] ?? '') || ' '}</li>`,
    );
    return `<h2>${escapeHtml(score.path)}</h2><p class="quiet">${score.bitsPerToken.toFixed(2)} bits a token, ${score.bitsPerByte.toFixed(2)} a byte, ${formatCount(score.tokens)} tokens</p><div class="scroll" tabindex="0"><ol>${lines.join('')}</ol></div>`;
  });
  return page(
    `How files read to ${model}`,
    `<h1>How files read to ${escapeHtml(model)}</h1><p class="quiet">The stronger the colour, the less the model expected the line, next to lines of the same length in the same file.</p>${sections.join('')}`,
  );
}
