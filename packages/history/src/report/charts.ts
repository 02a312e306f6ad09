import * as Plot from '@observablehq/plot';
import type { AuditDocument } from '../document.ts';
import { drawing } from './drawing.ts';

/** Shown operations, bottom of the stack first, each with its name and the style sheet's colour. */
export const SHOWN_OPERATIONS = [
  { key: 'added', name: 'added', colour: 'var(--op-added)' },
  { key: 'updated', name: 'updated', colour: 'var(--op-updated)' },
  { key: 'findReplaced', name: 'find/replaced', colour: 'var(--op-replaced)' },
  { key: 'moved', name: 'moved', colour: 'var(--op-moved)' },
  { key: 'copyPasted', name: 'copy/pasted', colour: 'var(--op-copied)' },
  { key: 'deleted', name: 'deleted', colour: 'var(--op-deleted)' },
] as const;

export const CURVE_COLOURS = ['var(--curve-1)', 'var(--curve-2)', 'var(--curve-3)', 'var(--curve-4)', 'var(--curve-5)'];

const HEIGHTS = { wide: 290, narrow: 260 };

function draw(options: Plot.PlotOptions, label: string): string {
  return drawing(() => ({ marginLeft: 52, marginRight: 16, ...options }), label, HEIGHTS);
}

function monthDate(month: string): Date {
  return new Date(`${month}-15T00:00:00Z`);
}

/** Changed lines a month, stacked by operation. */
export function operationsChart(audit: AuditDocument): string {
  const rows = audit.months.flatMap(({ month, operations }) =>
    SHOWN_OPERATIONS.map(({ key, colour }, order) => ({
      start: new Date(`${month}-01T00:00:00Z`),
      end: nextMonth(month),
      lines: operations[key],
      colour,
      order,
    })),
  );
  // Between the bars of many years there is no room for gaps.
  const gap = audit.months.length > 100 ? 0 : 0.5;
  return draw(
    {
      x: { type: 'utc', label: null },
      y: { label: 'lines', grid: true, tickFormat: 's' },
      marks: [
        Plot.rectY(
          rows,
          Plot.stackY({
            x1: 'start',
            x2: 'end',
            y: 'lines',
            fill: 'colour',
            order: 'order',
            insetLeft: gap,
            insetRight: gap,
          }),
        ),
        Plot.ruleY([0]),
      ],
    },
    'Changed lines a month by operation',
  );
}

function nextMonth(month: string): Date {
  const [year, number] = month.split('-').map(Number);
  return new Date(Date.UTC(year, number, 1));
}

/** Churn a month with its interval; months whose window has not passed are not drawn. */
export function churnChart(audit: AuditDocument): string {
  const rows = audit.months
    .filter(({ churn }) => churn.changed > 0)
    .map(({ month, churn }) => ({ month: monthDate(month), ...churn, high: Math.min(1, churn.high) }));
  // One line alone has the interval 0…100 %: drawn, it would press everything else flat.
  const told = rows.filter((row) => row.high - row.low < 0.9);
  return draw(
    {
      x: { type: 'utc', label: null },
      y: {
        label: `churned within ${audit.churn.windowDays} days`,
        grid: true,
        percent: true,
        tickFormat: (value: number) => `${value} %`,
      },
      marks: [
        Plot.ruleX(told, { x: 'month', y1: 'low', y2: 'high', stroke: 'var(--interval)', strokeWidth: 2 }),
        Plot.dot(told, { x: 'month', y: 'rate', r: 2.5, fill: 'var(--accent)' }),
        Plot.ruleY([audit.churn.rate], { stroke: 'var(--accent)', strokeDasharray: '4 4', strokeOpacity: 0.7 }),
        Plot.ruleY([0]),
      ],
    },
    'Churn a month with 95 % intervals',
  );
}

export type Curve = AuditDocument['curves'][number];

/** Kaplan–Meier curves with their bands. Colours follow the order of `curves`. */
export function survivalChart(curves: readonly Curve[], label: string): string {
  const longest = Math.max(1, ...curves.flatMap((curve) => curve.points.map((point) => point.days)));
  const rows = curves.flatMap((curve, i) => {
    const colour = CURVE_COLOURS[i % CURVE_COLOURS.length];
    const start = { days: 0, surviving: 1, low: 1, high: 1 };
    return [start, ...curve.points].map((point) => ({ ...point, group: curve.group, colour }));
  });
  return draw(
    {
      x: { label: 'age in days', domain: [0, longest], grid: true },
      y: {
        label: 'still there',
        domain: [0, 100],
        percent: true,
        grid: true,
        tickFormat: (value: number) => `${value} %`,
      },
      marks: [
        Plot.areaY(rows, {
          x: 'days',
          y1: 'low',
          y2: 'high',
          z: 'group',
          fill: 'colour',
          fillOpacity: 0.18,
          curve: 'step-after',
        }),
        Plot.lineY(rows, {
          x: 'days',
          y: 'surviving',
          z: 'group',
          stroke: 'colour',
          strokeWidth: 1.8,
          curve: 'step-after',
        }),
        Plot.ruleY([0]),
      ],
    },
    label,
  );
}

/** Ages at which the months are compared. */
export const COHORT_AGES = [
  { age: 90, colour: 'var(--curve-2)' },
  { age: 365, colour: 'var(--curve-1)' },
] as const;

/** Of the lines written in each month, the share still there at some ages, with 95 % intervals. */
export function cohortChart(audit: AuditDocument): string {
  const rows = audit.survival.flatMap(({ group, days, surviving, low, high }) => {
    const shown = COHORT_AGES.find(({ age }) => age === days);
    if (!shown || !group.startsWith('month:')) return [];
    return [{ month: monthDate(group.slice('month:'.length)), surviving, low, high, colour: shown.colour }];
  });
  return draw(
    {
      x: { type: 'utc', label: 'written in' },
      y: {
        label: 'still there',
        domain: [0, 100],
        percent: true,
        grid: true,
        tickFormat: (value: number) => `${value} %`,
      },
      marks: [
        Plot.ruleX(rows, { x: 'month', y1: 'low', y2: 'high', stroke: 'colour', strokeOpacity: 0.35, strokeWidth: 2 }),
        Plot.dot(rows, { x: 'month', y: 'surviving', r: 2.2, fill: 'colour' }),
        Plot.ruleY([0]),
      ],
    },
    'Survival of lines by the month they were written in',
  );
}
