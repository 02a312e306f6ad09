import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { axes } from './grid.ts';
import { drawn, figuresOf, tables } from './report.ts';
import type { Result } from './train-point.ts';

/** Results whose loss is known: a power of parameters, layers and tokens, and worse with a longer context. */
function resultsOf(bits: (axis: string, x: number) => number) {
  const made = { parameters: [] as Result[], layers: [] as Result[], context: [] as Result[], tokens: [] as Result[] };
  for (const seed of [1, 2])
    for (const [axis, points] of Object.entries(axes(seed, () => 4e-3)))
      for (const point of points) {
        const x = { parameters: point.nEmbd, layers: point.nLayer, context: point.blockSize, tokens: point.tokens }[
          axis
        ]!;
        const noise = 0.001 * (seed - 1.5) * (Math.log2(x) % 2 < 1 ? 1 : -1);
        const behind = [1, 2, 4, 8, 16, 32, 64, 128]
          .filter((from) => from < point.blockSize)
          .map((from) => ({ from, to: 2 * from - 1, bits: 2 + 3 / Math.sqrt(from * (2 * from - 1)) + noise }));
        const end = { from: point.blockSize, to: point.blockSize, bits: 9 };
        made[axis as keyof typeof made].push({
          ...point,
          corpus: '',
          parameters: 1000,
          bits: bits(axis, x) + noise,
          bitsBehind: [...behind, end],
          wallSeconds: 2,
          cpuSeconds: 1,
        });
      }
  return made;
}

describe('the report', () => {
  const results = resultsOf((axis, x) => (axis === 'context' ? 2 + x / 1000 : 1 + 5 * x ** -0.3));
  const figures = figuresOf(results);
  const of = (name: string) => figures.find((figure) => figure.name === name)!;

  it('fits what falls and leaves what does not', () => {
    expect(figures.map(({ name }) => name)).toEqual(['parameters', 'layers', 'context', 'tokens', 'position']);
    expect(of('context').fits).toBe(null);
    expect(of('layers').fits!.floored.b.value).toBeCloseTo(0.3, 1);
    expect(of('layers').fits!.floored.floor.value).toBeCloseTo(1, 1);
    expect(of('layers').fits!.preferred).toBe(of('layers').fits!.floored);
  });

  it('takes position from the longest windows, without their last place', () => {
    expect(of('position').observations).toHaveLength(2 * 8);
    expect(of('position').fits!.floored.floor.value).toBeCloseTo(2, 1);
  });

  it('prints every point once with each seed, and says where there is no fit', () => {
    const text = tables(figures, results, new Map([[64, results.tokens.slice(0, 3)]]));
    expect(text).toContain('| context | the loss does not fall |');
    expect(text.match(/^\| 1,048,576 \|/gm)).toHaveLength(1);
    expect(text).toMatch(/^\| 8 \| 2\.0080 \| 2\.00\d\d, 2\.00\d\d \| 0\.004 \| 1,000 \| 1 \|$/m);
  });

  it('draws pictures that follow the colour scheme of who looks', () => {
    const picture = drawn(of('layers'));
    const { document } = parseHTML(picture);
    const svg = document.querySelector('svg')!;
    expect(svg.getAttribute('xmlns')).toBe('http://www.w3.org/2000/svg');
    expect(svg.querySelector('style')!.textContent).toContain('prefers-color-scheme: dark');
    expect(svg.querySelectorAll('circle')).toHaveLength(12);
    expect(svg.querySelectorAll('path[stroke="var(--line)"], g[stroke="var(--line)"] path')).toHaveLength(1);
    expect(drawn(of('context'))).not.toContain('stroke="var(--line)"');
  });
});
