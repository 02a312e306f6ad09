import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditRepository } from '../audit-repository.ts';
import { ScriptedRepository } from '../repository.fixture.ts';
import { reportPage } from './report-page.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const directory = mkdtempSync(join(tmpdir(), 'lathe-report-'));
const file = join(directory, 'audit.html');
const repository = new ScriptedRepository();
const HOSTILE = '<img src=http://example.invalid/x onerror=alert(1)>';

interface Seen {
  readonly width: number;
  readonly details: number;
  readonly smallestLetterPx: number;
  readonly charts: number;
  /** Tables of words that are cut off at the side. */
  readonly cutOff: number;
  readonly ground: string;
  /** How the code of a diff is aligned. */
  readonly code: string;
}

/** Runs in the page, whose globals are not this program's. */
const LOOK = `(() => {
for (const details of document.querySelectorAll('details')) details.open = true;
const letters = [...document.querySelectorAll('figure svg')]
  .filter((svg) => svg.getClientRects().length > 0)
  .map((svg) => {
    const [, , drawn] = (svg.getAttribute('viewBox') ?? '').split(' ').map(Number);
    return (13 * svg.getBoundingClientRect().width) / drawn;
  });
return {
  width: document.documentElement.scrollWidth,
  details: document.querySelectorAll('details').length,
  smallestLetterPx: Math.min(...letters),
  charts: letters.length,
  cutOff: [...document.querySelectorAll('.scroll.words')].filter((table) => table.scrollWidth > table.clientWidth).length,
  ground: getComputedStyle(document.body).backgroundColor,
  code: getComputedStyle(document.querySelector('.d2h-wrapper td:last-child')).textAlign,
};
})()`;

beforeAll(async () => {
  const text = (from: number) => Array.from({ length: 80 }, (_, i) => `the line of number ${from + i}`).join('\n');
  repository.commit({ 'lib/a.js': text(0), [`${HOSTILE.slice(0, 20)}/b.py`]: text(100) });
  for (let i = 1; i < 6; i++) repository.commit({ 'lib/a.js': text(i * 30), 'docs/c.md': text(i * 500) }, { days: 25 });
  repository.commit({ 'lib/a.js': `${HOSTILE}\n`, 'docs/c.md': null }, { days: 3, message: HOSTILE });
  repository.commit({ 'end.txt': 'end\n' }, { days: 40 });
  const { document } = await auditRepository({
    directory: repository.directory,
    cacheDirectory: null,
    nowMs: 1_900_000_000_000,
    scan: async (_tree, paths) => ({
      findings: paths.map((path) => ({
        kind: 'security' as const,
        rule: HOSTILE,
        cwe: 'CWE-79',
        severity: 'high' as const,
        confidence: 'high' as const,
        path: `a/folder/that/is/deep/and/long/${path}`,
        line: 1,
        message: HOSTILE,
      })),
      notLookedFor: [{ what: HOSTILE, why: 'a test' }],
    }),
  });
  writeFileSync(file, await reportPage(document, { directory: repository.directory, createdAt: new Date(0) }));
}, 60_000);

afterAll(() => {
  repository.remove();
  rmSync(directory, { recursive: true });
});

describe('the page', () => {
  it('holds what a repository names and says as text, never as markup', () => {
    const page = readFileSync(file, 'utf8');
    expect(page).not.toMatch(/<img/i);
    expect(page).not.toMatch(/<script/i);
    expect(page).toContain('&#60;img');
  });

  it('names the commits behind its numbers and the lines at risk behind each curve', () => {
    const page = readFileSync(file, 'utf8');
    const [first] = repository.git('rev-list', '--reverse', 'HEAD').split('\n');
    const section = (title: string) => page.slice(page.indexOf(title)).split('</details>')[0];
    expect(section('The months in figures')).toContain(first.slice(0, 10));
    expect(section('The commits behind each operation')).toContain(`<code>${first.slice(0, 10)}</code>`);
    expect(page).toContain('30 days (at risk)');
    expect(page).toContain('By month of writing');
  });

  // Skipped where no Chromium is installed: apt-get install chromium.
  it.skipIf(CHROMIUM === undefined).each([
    [390, 'light'],
    [390, 'dark'],
    [1280, 'light'],
    [1280, 'dark'],
  ] as const)(
    'at %i px, %s: nothing overflows, nothing is fetched, no error; all details open',
    async (width, colorScheme) => {
      const browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
      });
      try {
        const page = await browser.newPage({ viewport: { width, height: 844 }, colorScheme });
        const requests: string[] = [];
        const errors: string[] = [];
        page.on('request', (request) => requests.push(request.url()));
        page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
        page.on('pageerror', (error) => errors.push(error.message));
        await page.goto(pathToFileURL(file).href);
        const seen = (await page.evaluate(LOOK)) as Seen;
        expect(seen.width).toBe(width);
        expect(seen.details).toBeGreaterThan(0);
        expect(seen.charts).toBeGreaterThanOrEqual(4);
        expect(seen.code).not.toBe('right');
        if (width > 1000) expect(seen.cutOff).toBe(0);
        expect(seen.smallestLetterPx).toBeGreaterThan(12);
        expect(seen.ground).toBe(colorScheme === 'dark' ? 'rgb(23, 24, 27)' : 'rgb(251, 250, 248)');
        expect(requests).toEqual([pathToFileURL(file).href]);
        expect(errors).toEqual([]);
      } finally {
        await browser.close();
      }
    },
  );
});

describe('a repository that is too young', () => {
  it('is told so, instead of shown rates of nothing', async () => {
    const young = new ScriptedRepository();
    try {
      young.commit({ 'a.js': 'const first = 1;\nconst second = 2;\n' });
      const { document } = await auditRepository({
        directory: young.directory,
        cacheDirectory: null,
        nowMs: 1_900_000_000_000,
      });
      const text = await reportPage(document, { directory: young.directory, createdAt: new Date(0) });
      expect(text).toContain('No line is 14 days old yet');
      expect(text).toContain('No line has been watched for 7 days yet');
      expect(text).not.toContain('0.0 %');
    } finally {
      young.remove();
    }
  });
});
