import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AuditDocument } from '../document.ts';
import { gitStream } from '../git-log.ts';

/** Commits shown with their diff, and how much of it: enough to see what was thrown away. */
const SHOWN_COMMITS = 5;
const LONGEST_DIFF_BYTES = 60_000;

/** The report of an audit of `directory` as one page. */
export async function reportPage(
  audit: AuditDocument,
  options: { directory: string; createdAt: Date },
): Promise<string> {
  const diffs = new Map<string, string>();
  for (const { commit } of audit.churnedCommits.slice(0, SHOWN_COMMITS)) {
    diffs.set(commit, await diffOf(options.directory, commit));
  }
  const diffStyle = await readFile(
    createRequire(import.meta.url).resolve('diff2html/bundles/css/diff2html.min.css'),
    'utf8',
  );
  // The drawing and diff libraries weigh more than the audit: loaded for a report only.
  const { renderReport } = await import('./page.ts');
  return renderReport(audit, { diffs, diffStyle, createdAt: options.createdAt });
}

async function diffOf(directory: string, commit: string): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const args = [
    'show',
    '--no-color',
    '--no-ext-diff',
    '--no-textconv',
    '--format=',
    '--diff-merges=first-parent',
    '-M',
    '-U2',
    commit,
  ];
  for await (const piece of gitStream(directory, args)) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > LONGEST_DIFF_BYTES) break;
  }
  const text = Buffer.concat(pieces).toString('utf8');
  if (text.length <= LONGEST_DIFF_BYTES) return text;
  // Cut at a file's or hunk's start, so that what is shown is shown whole.
  const cut = Math.max(
    text.lastIndexOf('\ndiff --git ', LONGEST_DIFF_BYTES),
    text.lastIndexOf('\n@@ ', LONGEST_DIFF_BYTES),
  );
  return text.slice(0, cut < 0 ? 0 : cut + 1);
}
