import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ScannerPool } from '@lathe/gates';
import {
  type AuditDocument,
  auditRepository,
  CHURN_WINDOW_DAYS,
  keepYoungGenerationSmall,
  notFollowedInWords,
  reportPage,
  type ScanFiles,
} from '@lathe/history';
import { LatheError } from '@lathe/protocol';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { formatCount, percent, plural } from '../format.ts';
import { endAtInterrupt } from '../make/interrupt.ts';
import { openDisplay } from '../make/open-display.ts';
import { CACHE_ROOT } from '../places.ts';
import { plainLine } from '../plain-text.ts';
import { drawTable } from '../table.ts';
import { type Output, type Terminal, writeJson } from '../terminal.ts';
import { VERSION } from '../version.ts';
import { wrapLine } from '../wrap.ts';
import { writeWhole } from '../write-whole.ts';

export interface AuditFlags {
  readonly since?: string;
  readonly window?: number;
  readonly firstParent?: boolean;
  readonly originals?: readonly string[];
  readonly findings?: boolean;
  readonly json?: boolean;
  readonly sarif?: string;
  readonly html?: string;
}

export async function audit(path: string | undefined, flags: AuditFlags, terminal: Terminal): Promise<ExitStatus> {
  const directory = resolve(terminal.cwd, path ?? '.');
  await refuseMissing(directory, path ?? '.');
  endAtInterrupt();
  const document = await read(directory, flags, terminal);
  if (flags.sarif !== undefined) await writeSarif(document, resolve(terminal.cwd, flags.sarif));
  if (flags.html !== undefined) {
    const file = resolve(terminal.cwd, flags.html);
    await writeWhole(file, await reportPage(document, { directory, createdAt: new Date() }));
    terminal.err.write(`wrote ${file}\n`);
  }
  if (flags.json === true) writeJson(terminal.out, document);
  else terminal.out.write(`${inWords(document, terminal.out).join('\n')}\n`);
  return EXIT.done;
}

async function refuseMissing(directory: string, path: string): Promise<void> {
  const isFolder = await stat(directory).then(
    (found) => found.isDirectory(),
    () => null,
  );
  if (isFolder === true) return;
  const got = isFolder === null ? 'nothing' : 'a file';
  throw new LatheError(
    'LATHE_NOT_FOUND_PATH',
    `expected the folder of a repository at ${plainLine(path)}, found ${got}`,
    {
      remedy: 'Give the path of a repository: lathe audit PATH.',
    },
  );
}

async function read(directory: string, flags: AuditFlags, { err }: Terminal): Promise<AuditDocument> {
  const since = flags.since === undefined ? null : parseSince(flags.since);
  const display = await openDisplay(err);
  // Loaded where it is needed: the rules and their parsers weigh more than the audit.
  const gates = flags.findings === true ? await import('@lathe/gates') : null;
  const pool = gates?.createScannerPool(gates.defaultGateConfig.workers) ?? null;
  keepYoungGenerationSmall();
  try {
    const { document, notCached } = await auditRepository({
      directory,
      walk: flags.firstParent === true ? 'first-parent' : 'all',
      since,
      originals: flags.originals,
      windowDays: flags.window ?? CHURN_WINDOW_DAYS,
      cacheDirectory: join(CACHE_ROOT, 'audit'),
      nowMs: Date.now(),
      onProgress: (done, total) => display.doing(`read ${formatCount(done)} of ${plural(total, 'commit')}`),
      ...(pool && {
        scan: await weaknessesIn(pool),
        onScanProgress: (done, total) => display.doing(`looked at ${formatCount(done)} of ${plural(total, 'tree')}`),
      }),
    });
    if (notCached !== null) display.note(`  note  the next run reads everything again: ${plainLine(notCached)}`);
    return document;
  } finally {
    await pool?.close();
    display.close();
  }
}

/** Lathe's own rules, which take a file as it is: the other scanners' findings change with their versions and settings. */
async function weaknessesIn(pool: ScannerPool): Promise<ScanFiles> {
  const { defaultGateConfig, findingsOf, toFinding } = await import('@lathe/gates');
  return async (tree, paths) => {
    const found = await findingsOf(tree, { config: defaultGateConfig, paths, scanners: ['rules'], pool });
    return {
      findings: found.findings.map(toFinding).filter(({ kind }) => kind === 'security'),
      notLookedFor: found.notLookedFor,
    };
  };
}

const DAYS: Readonly<Record<string, number>> = { d: 1, w: 7, m: 30.44, y: 365.25 };

/** `2026-01-31`, or an age: `90d`, `12w`, `6m`, `2y`. Seconds since the epoch. */
function parseSince(text: string): number {
  const [, count, unit] = /^(\d+)([dwmy])$/.exec(text) ?? [];
  if (unit !== undefined) return Date.now() / 1000 - Number(count) * DAYS[unit]! * 86_400;
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms / 1000;
  throw new LatheError('LATHE_USAGE_SINCE', `--since expects a date or an age and got "${text}"`, {
    remedy: '--since 2026-01-31, or 90d, 12w, 6m, 2y',
  });
}

async function writeSarif(document: AuditDocument, file: string): Promise<void> {
  const { toSarif } = await import('@lathe/gates');
  const notLookedFor = [
    ...document.notFollowed.notes.map((why) => ({ what: 'part of the history', why })),
    ...document.findingSamples.flatMap((sample) => sample.notLookedFor),
  ];
  const open = document.findings.filter(({ status }) => status === 'open');
  const log = toSarif(open, { version: VERSION, revision: document.head, notLookedFor });
  await writeWhole(file, `${JSON.stringify(log, null, 2)}\n`);
}

/** Months that are shown; the JSON and the HTML have all. */
const SHOWN_MONTHS = 12;

function inWords(audit: AuditDocument, { colors, columns: width }: Output): string[] {
  const { operations, churn } = audit;
  /** `  churn      8.6 % of …`, further lines below the figures. */
  const fact = (line: string) => wrapLine(line, width, 13);
  const lines = [
    `${colors.bold(plainLine(audit.repository))}  ${colors.dim(audit.head.slice(0, 10))}`,
    `  ${plural(audit.commits, 'commit')}${audit.since === null ? '' : ` since ${audit.since.slice(0, 10)}`}, ${plural(audit.lines, 'line')} at the head`,
    '',
    ...fact(`  churn      ${churnInWords(churn)}`),
    ...fact(
      `  operations ${Object.entries(operations)
        .map(([name, count]) => `${formatCount(count)} ${words(name)}`)
        .join(', ')}`,
    ),
    ...rewritesInWords(audit.rewrites).flatMap(fact),
    ...fact(`  duplicates ${plural(audit.duplicateBlocks, 'block')} of five lines and more put in at several places`),
    '',
  ];
  const all = audit.survival.filter(({ group }) => group === 'all');
  if (all.length > 0) {
    const rows = all.map((row) => [
      plural(row.days, 'day'),
      percent(row.surviving),
      range(row),
      formatCount(row.atRisk),
    ]);
    const columns = [
      { header: 'after' },
      { header: 'survive', align: 'right' as const },
      { header: '95 %' },
      { header: 'lines watched', align: 'right' as const },
    ];
    lines.push(...drawTable(columns, rows, { width, colors }), '');
  }
  const months = audit.months
    .slice(-SHOWN_MONTHS)
    .map((month) => [
      month.month,
      formatCount(month.commits),
      `+${formatCount(month.operations.added)}`,
      `−${formatCount(month.operations.deleted)}`,
      formatCount(month.operations.moved),
      formatCount(month.operations.copyPasted),
      month.churn.changed === 0 ? '' : percent(month.churn.rate),
    ]);
  const right = { align: 'right' as const };
  const headers = ['month', 'commits', 'added', 'deleted', 'moved', 'copied', 'churn'];
  if (months.length > 0)
    lines.push(
      ...drawTable(
        headers.map((header, i) => ({ header, ...(i === 0 ? {} : right) })),
        months,
        { width, colors },
      ),
    );
  lines.push(...findingsInWords(audit, width, colors));
  lines.push('', `  ${colors.dim('not followed')}`);
  for (const what of notFollowedInWords(audit))
    lines.push(...wrapLine(`  – ${plainLine(what)}`, width, 4).map((line) => colors.dim(line)));
  return lines;
}

/** Open findings that are shown; the JSON and the HTML have all. */
const SHOWN_FINDINGS = 20;

function findingsInWords(
  { findings, findingSamples }: AuditDocument,
  width: number,
  colors: Output['colors'],
): string[] {
  if (findingSamples.length === 0) return [];
  const open = findings.filter(({ status }) => status === 'open');
  const gone = findings.length - open.length;
  const lines = [
    '',
    `  findings   ${formatCount(open.length)} open at the head, ${formatCount(gone)} came and went, in ${plural(findingSamples.length, 'tree')} looked at`,
  ];
  if (open.length > 0) {
    const rows = open
      .slice(0, SHOWN_FINDINGS)
      .map((finding) => [
        finding.firstSeen.date.slice(0, 10),
        finding.severity,
        `${plainLine(finding.path)}:${finding.line}`,
        finding.rule,
      ]);
    const columns = ['first seen', 'severity', 'where', 'rule'].map((header) => ({ header }));
    lines.push('', ...drawTable(columns, rows, { width, colors }));
    if (open.length > SHOWN_FINDINGS)
      lines.push(colors.dim(`  ${formatCount(open.length - SHOWN_FINDINGS)} more: --json or --html`));
  }
  const unseen = new Set(
    findingSamples.flatMap(({ notLookedFor }) => notLookedFor.map(({ what, why }) => `${what}: ${why}`)),
  );
  if (unseen.size > 0) lines.push(colors.dim(`  not looked for, in ${plural(unseen.size, 'case')}: --json lists them`));
  return [...lines, ''];
}

function rewritesInWords({ rebased, squashed, tracedLines }: AuditDocument['rewrites']): string[] {
  if (rebased + squashed === 0) return [];
  const commits = [
    rebased && `${plural(rebased, 'rebased commit')}`,
    squashed && `${plural(squashed, 'squashed branch', 'squashed branches')}`,
  ];
  return [
    `  rewritten  ${commits.filter(Boolean).join(' and ')}; ${plural(tracedLines, 'line')} count as old as where they were written`,
  ];
}

function churnInWords(churn: AuditDocument['churn']): string {
  const { rate, changed, windowDays } = churn;
  if (changed === 0) return `not known yet: no line has been watched for ${windowDays} days`;
  return `${percent(rate)} of ${plural(changed, 'line')} rewritten or taken out within ${windowDays} days (95 %: ${range(churn)})`;
}

function range({ low, high }: { low: number; high: number }): string {
  return `${percent(low)} to ${percent(high)}`;
}

/** Names that are no words. */
const WORDS: Readonly<Record<string, string>> = {
  findReplaced: 'find/replaced',
  copyPasted: 'copy/pasted',
  noop: 'no-op',
};

function words(name: string): string {
  return WORDS[name] ?? name;
}
