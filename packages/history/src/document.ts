import { Finding, NotLookedFor } from '@lathe/protocol';
import { z } from 'zod';
import { OPERATIONS } from './operations.ts';

const Operations = z.object({
  added: z.int(),
  deleted: z.int(),
  moved: z.int(),
  updated: z.int(),
  findReplaced: z.int(),
  copyPasted: z.int(),
  /** Files of which a commit changed white space alone. */
  noop: z.int(),
});

const Churn = z.object({
  windowDays: z.number(),
  /** Lines old enough for the whole window to have passed. */
  changed: z.int(),
  /** Those of them that were taken out or substantially rewritten within the window. */
  churned: z.int(),
  rate: z.number(),
  low: z.number(),
  high: z.number(),
});

/** A commit and how many lines it has of what is counted there. */
const CommitLines = z.object({ commit: z.string(), lines: z.int() });

/** A commit whose tree was looked at. */
const SamplePoint = z.object({ commit: z.string(), date: z.string() });

/** A finding, as it stood where it was last seen, and between which sampled trees it came and went. */
export const FindingLife = Finding.extend({
  /** `open`: it stands at HEAD. */
  status: z.enum(['open', 'gone']),
  /** The last sample without it before it came; null where the first sample has it. */
  notBefore: SamplePoint.nullable(),
  firstSeen: SamplePoint,
  lastSeen: SamplePoint,
  /** The first sample without it after it went. */
  goneBy: SamplePoint.nullable(),
  /** Bounds of how long it stood; `most` is null where it still stands or began before the first sample. */
  openDays: z.object({ least: z.int(), most: z.int().nullable() }),
  /** Commit that wrote the line an open finding points at, as far as lines could be followed. */
  lineWrittenIn: z.string().nullable(),
});
export type FindingLife = z.infer<typeof FindingLife>;

/** What `lathe audit --json` prints: the contract, version 1. Days are whole, dates ISO, rates with 95 % intervals. */
export const AuditDocument = z.object({
  schemaVersion: z.literal(1),
  repository: z.string(),
  head: z.string(),
  walk: z.enum(['all', 'first-parent']),
  shallow: z.boolean(),
  since: z.string().nullable(),
  commits: z.int(),
  /** Lines at HEAD of the files that count, blank ones too. */
  lines: z.int(),
  operations: Operations,
  /** Blocks of five lines and more that a commit put in at more than one place. */
  duplicateBlocks: z.int(),
  churn: Churn,
  months: z.array(
    z.object({
      month: z.string(),
      commits: z.int(),
      operations: Operations,
      duplicateBlocks: z.int(),
      churn: Churn,
      /** The commits that changed most lines, at most three. */
      largest: z.array(CommitLines),
    }),
  ),
  /** The commits behind each operation's number, most lines first. */
  operationCommits: z.record(z.enum(OPERATIONS), z.array(CommitLines)),
  survival: z.array(
    z.object({
      /** `all`, or a dimension and its value: `origin:assistant-made`, `month:2024-03`, `language:Python`. */
      group: z.string(),
      days: z.int(),
      /** Lines watched at least this long. */
      atRisk: z.int(),
      surviving: z.number(),
      low: z.number(),
      high: z.number(),
    }),
  ),
  /** Whole curves of the groups the report draws. */
  curves: z.array(
    z.object({
      group: z.string(),
      lines: z.int(),
      points: z.array(
        z.object({ days: z.int(), atRisk: z.int(), surviving: z.number(), low: z.number(), high: z.number() }),
      ),
    }),
  ),
  comparisons: z.array(z.object({ groups: z.tuple([z.string(), z.string()]), chiSquared: z.number(), p: z.number() })),
  directories: z.array(
    z.object({
      directory: z.string(),
      lines: z.int(),
      changed: z.int(),
      churned: z.int(),
      rate: z.number(),
      low: z.number(),
      high: z.number(),
      /** The commits whose lines churned most there, at most three. */
      commits: z.array(CommitLines),
    }),
  ),
  /** The commits behind the churn: those whose lines were soonest thrown away, most lines first. */
  churnedCommits: z.array(z.object({ commit: z.string(), month: z.string(), changed: z.int(), churned: z.int() })),
  /** Findings through the sampled trees, open ones first; empty where they were not asked for. */
  findings: z.array(FindingLife),
  /** The trees that were looked at, oldest first; empty where findings were not asked for. */
  findingSamples: z.array(SamplePoint.extend({ findings: z.int(), notLookedFor: z.array(NotLookedFor) })),
  /** Commits that came into the history in another form, recognised by what is still there of their originals. */
  rewrites: z.object({
    /** Commits that are another commit's change: rebased, cherry-picked. */
    rebased: z.int(),
    /** Commits that are several commits of one branch in one. */
    squashed: z.int(),
    /** Lines that count as old, and as whose, as they were there. */
    tracedLines: z.int(),
  }),
  notFollowed: z.object({
    binaryFiles: z.int(),
    misfitFiles: z.int(),
    lostInMerges: z.int(),
    repairedDates: z.int(),
    /** Files left out because the repository lacks some of their contents: a partial clone, a lost object. */
    filesWithoutContent: z.int(),
    /** Lines of Agent Trace files that are no record, or name no revision. */
    unreadTraces: z.int(),
    /** Lines of rebased and squashed commits that stand in none of their originals: written in the rewriting. */
    untracedLines: z.int(),
    /** Commits outside the history that were found nowhere in it: not merged, or changed beyond recognition. */
    unmatchedCommits: z.int(),
    /** Commits outside the history that were not looked at, because there are too many. */
    unreadCommits: z.int(),
    /** What this audit does not look at, in words. */
    notes: z.array(z.string()),
  }),
});
export type AuditDocument = z.infer<typeof AuditDocument>;
