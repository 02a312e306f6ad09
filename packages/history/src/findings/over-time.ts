import type { Finding, NotLookedFor, Tree } from '@lathe/protocol';
import type { AuditDocument } from '../document.ts';
import type { FollowedHistory } from '../follow.ts';
import { gitText } from '../git-log.ts';
import { BlobReader, type CommittedFile, filesOf, treeOf } from './commit-tree.ts';
import { trackFindings } from './track.ts';

/** Looks at files of a tree: what is wrong in each of `paths`, and what could not be looked at. */
export type ScanFiles = (
  tree: Tree,
  paths: readonly string[],
) => Promise<{ findings: readonly Finding[]; notLookedFor: readonly NotLookedFor[] }>;

export interface FindingsOverTimeOptions {
  readonly directory: string;
  readonly history: FollowedHistory;
  readonly scan: ScanFiles;
  /** Only trees of this time or later (seconds since the epoch); HEAD always. */
  readonly since: number | null;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Most trees that are looked at, HEAD's included. */
export const MOST_SAMPLES = 12;
/** Larger files are data or made by a machine. */
const LARGEST_FILE_BYTES = 2 << 20;

interface Sample {
  readonly commit: string;
  /** Seconds since the epoch, by the committer's clock. */
  readonly time: number;
}

/**
 * When each finding came into the history and how long it stayed, by looking at trees along the first-parent line, evenly
 * by time. A file is looked at once for each content it has in a sample, not once a sample. What came and went between two
 * samples is not seen, so a life is known between two bounds:
 *
 *     least = last sample with it − first sample with it
 *     most  = first sample without it after − last sample without it before     (null while it is open, or there is no such sample)
 */
export async function findingsOverTime(
  options: FindingsOverTimeOptions,
): Promise<Pick<AuditDocument, 'findings' | 'findingSamples'>> {
  const { directory, history, scan } = options;
  const samples = await sampledCommits(directory, history.head, options.since);
  const reader = new BlobReader(directory);
  const known = new Map<string, Finding[]>();
  const found: Finding[][] = [];
  const findingSamples: AuditDocument['findingSamples'] = [];
  try {
    for (const [at, { commit, time }] of samples.entries()) {
      options.onProgress?.(at, samples.length);
      const files = await filesOf(directory, commit);
      const notLookedFor = await scanNew(files, known, reader, scan);
      const findings = [...files].flatMap(([path, { id }]) => known.get(contentKey(path, id)) ?? []);
      found.push(findings);
      findingSamples.push({ commit, date: isoDate(time), findings: findings.length, notLookedFor });
      keepOnly(known, files);
    }
  } finally {
    reader.close();
  }
  options.onProgress?.(samples.length, samples.length);
  const last = samples.length - 1;
  const findings = trackFindings(found).map(({ finding, firstSeen, lastSeen }) => {
    const before = samples[firstSeen - 1];
    const after = samples[lastSeen + 1];
    const point = (sample: Sample | undefined) =>
      sample ? { commit: sample.commit, date: isoDate(sample.time) } : null;
    const days = (from: number, to: number) => Math.max(0, Math.round((to - from) / 86_400));
    return {
      ...finding,
      status: lastSeen === last ? ('open' as const) : ('gone' as const),
      notBefore: point(before),
      firstSeen: { commit: samples[firstSeen].commit, date: isoDate(samples[firstSeen].time) },
      lastSeen: { commit: samples[lastSeen].commit, date: isoDate(samples[lastSeen].time) },
      goneBy: point(after),
      openDays: {
        least: days(samples[firstSeen].time, samples[lastSeen].time),
        most: before && after ? days(before.time, after.time) : null,
      },
      lineWrittenIn: lastSeen === last ? writerOf(history, finding) : null,
    };
  });
  findings.sort((a, b) =>
    a.status === b.status
      ? order(a.firstSeen.date, b.firstSeen.date) || order(a.path, b.path)
      : a.status === 'open'
        ? -1
        : 1,
  );
  return { findings, findingSamples };
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isoDate(time: number): string {
  return new Date(time * 1000).toISOString();
}

/** Commits of the first-parent line nearest before evenly spaced times, oldest first, ending with `head`. */
async function sampledCommits(directory: string, head: string, since: number | null): Promise<Sample[]> {
  const text = await gitText(directory, ['log', '--first-parent', '--reverse', '--format=%H %ct', head, '--']);
  const line: Sample[] = [];
  let latest = Number.NEGATIVE_INFINITY;
  for (const one of text.split('\n')) {
    if (one === '') continue;
    const [commit, time] = one.split(' ');
    // Clocks differ; a commit counts as no older than what it builds on.
    latest = Math.max(latest, Number(time));
    line.push({ commit, time: latest });
  }
  const eligible = line.filter((commit, i) => i === line.length - 1 || since === null || commit.time >= since);
  const first = eligible[0].time;
  const chosen = new Set<Sample>();
  for (let i = 0, at = 0; i < MOST_SAMPLES; i++) {
    const target = first + ((eligible[eligible.length - 1].time - first) * i) / (MOST_SAMPLES - 1);
    while (at + 1 < eligible.length && eligible[at + 1].time <= target) at++;
    chosen.add(eligible[at]);
  }
  return [...chosen.add(eligible[eligible.length - 1])];
}

function contentKey(path: string, id: string): string {
  return `${id} ${path}`;
}

/** Looks at the files whose content at that path was not looked at before. */
async function scanNew(
  files: ReadonlyMap<string, CommittedFile>,
  known: Map<string, Finding[]>,
  reader: BlobReader,
  scan: ScanFiles,
): Promise<NotLookedFor[]> {
  const fresh: string[] = [];
  let large = 0;
  for (const [path, { id, bytes }] of files) {
    if (bytes > LARGEST_FILE_BYTES) large++;
    else if (!known.has(contentKey(path, id))) fresh.push(path);
  }
  const { findings, notLookedFor } = await scan(treeOf(files, reader), fresh);
  for (const path of fresh) known.set(contentKey(path, files.get(path)?.id ?? ''), []);
  for (const finding of findings) {
    known.get(contentKey(finding.path, files.get(finding.path)?.id ?? ''))?.push(finding);
  }
  if (large === 0) return [...notLookedFor];
  return [
    ...notLookedFor,
    { what: `weaknesses in ${large} files`, why: `each has more than ${LARGEST_FILE_BYTES} bytes` },
  ];
}

function keepOnly(known: Map<string, Finding[]>, files: ReadonlyMap<string, CommittedFile>): void {
  const now = new Set([...files].map(([path, { id }]) => contentKey(path, id)));
  for (const key of known.keys()) if (!now.has(key)) known.delete(key);
}

/** Commit that wrote the line a finding of HEAD points at; null where its lines could not be followed. */
function writerOf({ tree, table, commits }: FollowedHistory, finding: Finding): string | null {
  const record = tree.get(Buffer.from(finding.path).toString('latin1'))?.lines?.[finding.line - 1];
  return record === undefined ? null : commits[table.born[record]].id;
}
