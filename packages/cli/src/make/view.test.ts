import type { Event } from '@lathe/protocol';
import pc from 'picocolors';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { drawFrame, firstVerdictMs } from './draw.ts';
import { emptyView, nextView, type RunView, tokenRate, type ViewNews } from './view.ts';

const startedAtMs = 1_000_000;

function begin(n = 3): RunView {
  return emptyView({ n, models: ['local:a'], checks: ['npm test', 'npm run lint'], startedAtMs });
}

function after(view: RunView, ...news: ViewNews[]): RunView {
  return news.reduce(nextView, view);
}

function tokens(index: number, completion: number, afterMs: number): ViewNews {
  return { type: 'maker', news: { type: 'tokens', index, completion }, atMs: startedAtMs + afterMs };
}

function made(index: number): ViewNews {
  const event: Event = {
    type: 'candidate-made',
    atMs: startedAtMs + 2000,
    index,
    model: 'local:a',
    seed: 1,
    outcome: 'made',
    reason: null,
    answer: '',
    tokens: { prompt: 10, completion: 20 },
    costUsd: 0.5,
    durationMs: 2000,
    meanLogProbability: null,
  };
  return { type: 'event', event };
}

function finished(index: number, status: 'passed' | 'failed', afterMs: number): ViewNews {
  const event: Event = {
    type: 'candidate-finished',
    atMs: startedAtMs + afterMs,
    index,
    status,
    reason: status === 'passed' ? null : 'npm test: exit 1',
    sameAs: null,
    durationMs: 500,
  };
  return { type: 'event', event };
}

test('the rate is tokens between the first and the last news of them', () => {
  const view = after(begin(), tokens(1, 1, 1000), tokens(1, 21, 2000));
  expect(view.rows[1]).toMatchObject({ state: 'writing', tokens: 21 });
  expect(tokenRate(view.rows[1]!)).toBe(21);
  expect(tokenRate(view.rows[0]!)).toBeNull();
});

test('a row goes from writing through checking to its verdict, and stays there', () => {
  const checking: ViewNews = { type: 'checking', index: 0, command: 'npm test' };
  const view = after(begin(), tokens(0, 5, 500), made(0), checking);
  expect(view.rows[0]).toMatchObject({ state: 'checking', detail: 'npm test', costUsd: 0.5 });
  const ended = after(view, finished(0, 'failed', 3000), tokens(0, 99, 4000));
  expect(ended.rows[0]).toMatchObject({ state: 'failed', detail: 'npm test: exit 1', tokens: 20 });
});

test('the first verdict is counted from the beginning of the view, not from before a resume', () => {
  const view = after(begin(4), made(0), made(1), finished(1, 'failed', 5000), finished(0, 'passed', 3000));
  expect(firstVerdictMs(begin())).toBeNull();
  expect(firstVerdictMs(view)).toBe(3000);
  const resumed = after(begin(4), made(0), finished(0, 'passed', -60_000));
  expect(firstVerdictMs(resumed)).toBeNull();
});

test.each([40, 80, 120])('a frame fits %i columns, and the columns stay where they are while it fills', (width) => {
  const colors = pc.createColors(false);
  const size = { width, height: 24, nowMs: startedAtMs + 6000, colors };
  const views = [begin(10), after(begin(10), tokens(0, 5, 500), made(1), finished(1, 'passed', 3000))];
  const frames = views.map((view) => drawFrame(view, size).split('\n'));
  for (const frame of frames) for (const line of frame) expect(stringWidth(line)).toBeLessThanOrEqual(width);
  expect(new Set(frames.map((frame) => frame[0])).size).toBe(1);
  expect(new Set(frames.map((frame) => frame.length)).size).toBe(1);
});

test('what a maker waits for is told beside its row, and below where that has no room', () => {
  const waiting: ViewNews = {
    type: 'maker',
    news: { type: 'phase', indices: [0, 1], phase: 'waiting', detail: '500 boom; again in 2 s' },
    atMs: startedAtMs,
  };
  const view = after(begin(), waiting);
  for (const width of [60, 80, 140]) {
    const frame = drawFrame(view, { width, height: 24, nowMs: startedAtMs, colors: pc.createColors(false) });
    expect(frame, `${width} columns`).toContain('500 boom; again in 2 s');
  }
  const reading: ViewNews = {
    type: 'maker',
    news: { type: 'phase', indices: [0, 1], phase: 'reading' },
    atMs: startedAtMs,
  };
  expect(after(view, reading)).toMatchObject({ waitingFor: '500 boom; again in 2 s', rows: [{ detail: '' }, {}, {}] });
});

test('where not all rows fit, those at work are shown and the rest is counted', () => {
  const view = after(begin(30), tokens(20, 5, 500));
  const frame = drawFrame(view, { width: 80, height: 14, nowMs: startedAtMs, colors: pc.createColors(false) });
  expect(frame.split('\n').length).toBeLessThanOrEqual(14);
  expect(frame).toMatch(/c21 {2}▸ writing/);
  expect(frame).toMatch(/and 24 more candidates/);
});

test("a candidate's words cannot steer the terminal", () => {
  const hostile: ViewNews = {
    type: 'event',
    event: {
      ...(finished(0, 'failed', 100) as { event: Event }).event,
      reason: '\u001b[2J\u001b]0;owned\u0007x',
    } as Event,
  };
  const frame = drawFrame(after(begin(1), hostile), {
    width: 80,
    height: 24,
    nowMs: startedAtMs,
    colors: pc.createColors(false),
  });
  expect(frame).not.toContain('\u001b');
});
