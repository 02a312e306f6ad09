import { expect, test } from 'vitest';
import { lossPage, scorePage } from './pages.ts';

test('the curves are drawn for a desk and for a phone, each with letters of its own size', async () => {
  const training = [10, 20, 30].map((step) => [step, 5 - step / 10] as const);
  const page = await lossPage({ title: 'Training of <b>', training, validation: training });
  expect(page.match(/viewBox="0 0 \d+ \d+"/g)).toEqual(['viewBox="0 0 720 340"', 'viewBox="0 0 360 300"']);
  expect(page).toContain('validation, best 2.0000 at step 30');
  expect(page).not.toContain('<b>');
});

test('a run that has not been validated has curves too', async () => {
  expect(await lossPage({ title: 't', training: [[10, 5]], validation: [] })).toContain('</i>validation</li>');
});

test('the less a line was expected the stronger its colour, and a few bits are seen', () => {
  const lines = [-3, 0, 2, 10, 40, 400].map((excess, i) => ({ line: i + 1, bits: 9, tokens: 2, excess }));
  const score = { path: 'a.js', tokens: 1234, bitsPerToken: 1, bitsPerByte: 1, lines };
  const page = scorePage('model', [{ score, text: '<i>\nb\nc\nd\ne\nf' }]);
  const heat = [...page.matchAll(/rgba\(var\(--heat\), ([\d.]+)\)/g)].map(([, alpha]) => Number(alpha));
  expect(heat.slice(0, 2)).toEqual([0, 0]);
  expect(heat[2]).toBeGreaterThan(0.1);
  expect(heat).toEqual([...heat].sort((a, b) => a - b));
  expect(heat.slice(4)).toEqual([0.55, 0.55]);
  expect(page).toContain('1,234 tokens');
  expect(page).not.toContain('<i>\n');
});
