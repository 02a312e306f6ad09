import { drawGrowth, short } from './draw.ts';
import { type Axis, coordinate } from './grid.ts';
import { fitPowerLaw, type Observation, type PowerLaw } from './power-law.ts';
import type { Result } from './train-point.ts';

const RESAMPLES = 1000;

/** One figure: what was varied, what came out, and the curve through it. */
export interface Figure {
  readonly name: Axis | 'position';
  readonly label: string;
  readonly observations: readonly Observation[];
  /** Null where the loss does not fall along the axis: a power law would say nothing. */
  readonly fits: { readonly plain: PowerLaw; readonly floored: PowerLaw; readonly preferred: PowerLaw } | null;
}

const LABELS: Readonly<Record<Figure['name'], string>> = {
  parameters: 'parameters without the embedding →',
  layers: 'layers →',
  context: 'context, bytes →',
  tokens: 'tokens trained on →',
  position: 'bytes that stand before, within a window of 256 →',
};

export function figuresOf(results: Readonly<Record<Axis, readonly Result[]>>): readonly Figure[] {
  const along = Object.entries(results).map(([axis, runs]) =>
    figure(
      axis as Axis,
      runs.map((run) => ({ x: coordinate(axis as Axis, run), y: run.bits })),
    ),
  );
  const longest = Math.max(...results.context.map(({ blockSize }) => blockSize));
  const positions = results.context
    .filter(({ blockSize }) => blockSize === longest)
    // The last place of a window alone is too few bytes to count.
    .flatMap(({ bitsBehind }) => bitsBehind.filter(({ to }) => to < longest))
    .map(({ from, to, bits }) => ({ x: Math.sqrt(from * to), y: bits }));
  return [...along, figure('position', positions)];
}

function figure(name: Figure['name'], observations: readonly Observation[]): Figure {
  const label = LABELS[name];
  if (!falls(observations)) return { name, label, observations, fits: null };
  const [plain, floored] = [false, true].map((floor) => fitPowerLaw(observations, { floor, resamples: RESAMPLES })) as [
    PowerLaw,
    PowerLaw,
  ];
  return {
    name,
    label,
    observations,
    fits: { plain, floored, preferred: floored.leftOut < plain.leftOut ? floored : plain },
  };
}

/** A rise by less than this share is not counted as one. */
const LEVEL = 0.01;

/** Whether no mean over seeds lies above the one before it by more than a hundredth, or twice the scatter of seeds. */
function falls(observations: readonly Observation[]): boolean {
  const groups = grouped(observations);
  const means = groups.map(({ ys }) => mean(ys));
  const least = 2 * scatter(groups);
  return means.every((value, i) => i === 0 || value <= means[i - 1]! + Math.max(least, LEVEL * value));
}

/** Standard deviation of one run about the mean of its place, all places together; 0 with a single seed. */
export function scatter(groups: readonly { readonly ys: readonly number[] }[]): number {
  const squares = groups.flatMap(({ ys }) => ys.map((y) => (y - mean(ys)) ** 2));
  const freedom = groups.reduce((sum, { ys }) => sum + ys.length - 1, 0);
  return freedom === 0 ? 0 : Math.sqrt(squares.reduce((a, b) => a + b, 0) / freedom);
}

export function grouped(observations: readonly Observation[]): readonly { x: number; ys: number[] }[] {
  const groups = new Map<number, number[]>();
  for (const { x, y } of observations) groups.set(x, [...(groups.get(x) ?? []), y]);
  return [...groups].map(([x, ys]) => ({ x, ys })).sort((a, b) => a.x - b.x);
}

export function drawn({ label, observations, fits }: Figure): string {
  return drawGrowth(label, observations, fits?.preferred ?? null);
}

/** The tables of docs/growth.md. */
export function tables(
  figures: readonly Figure[],
  results: Readonly<Record<Axis, readonly Result[]>>,
  rates: ReadonlyMap<number, readonly Result[]>,
): string {
  const probes = [...rates].map(
    ([width, tried]) =>
      `| ${width} | ${tried.map(({ rate, bits }) => `${rate}: ${bits.toFixed(3)}`).join(', ')} | **${tried.reduce((a, b) => (b.bits < a.bits ? b : a)).rate}** |`,
  );
  const parts = [
    `| width | learning rate: bits a byte | taken |\n|---|---|---|\n${probes.join('\n')}`,
    `| along | L∞ + a · x^−b: L∞ | a | b | ± of a run | a · x^−b: b | ± of a run | error on a place left out, with and without L∞ |\n|---|---|---|---|---|---|---|---|\n${figures.map(fitRow).join('\n')}`,
  ];
  for (const { name, observations } of figures) {
    const rows = grouped(observations).map(({ x, ys }) => {
      const runs = name === 'position' ? [] : results[name].filter((run) => coordinate(name, run) === x);
      const more = runs[0]
        ? ` ${runs[0].rate} | ${runs[0].parameters.toLocaleString('en')} | ${Math.round(mean(runs.map(({ cpuSeconds }) => cpuSeconds)))} |`
        : '';
      return `| ${name === 'position' ? short(x) : x.toLocaleString('en')} | ${mean(ys).toFixed(4)} | ${ys.map((y) => y.toFixed(4)).join(', ')} |${more}`;
    });
    const head =
      name === 'position'
        ? '| bytes before | bits a byte | each seed |\n|---|---|---|'
        : `| ${name} | bits a byte | each seed | learning rate | all parameters | CPU s |\n|---|---|---|---|---|---|`;
    parts.push(`### ${name}\n\n${head}\n${rows.join('\n')}`);
  }
  return `${parts.join('\n\n')}\n`;
}

function fitRow({ name, fits }: Figure): string {
  if (fits === null) return `| ${name} | the loss does not fall | | | | | | |`;
  const { plain, floored, preferred } = fits;
  const interval = ({ value, low, high }: PowerLaw['b'], digits: number) =>
    `${value.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
  const [with_, without] = [floored.leftOut.toFixed(3), plain.leftOut.toFixed(3)];
  return `| ${name} | ${interval(floored.floor, 2)} | ${floored.a.toPrecision(3)} | ${interval(floored.b, 2)} | ${floored.residual.toFixed(3)} | ${interval(plain.b, 3)} | ${plain.residual.toFixed(3)} | ${preferred === floored ? `**${with_}**, ${without}` : `${with_}, **${without}**`} |`;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
