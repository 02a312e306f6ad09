import { z } from 'zod';
import { DiffSize, TokenCount } from './candidate.ts';
import { BaseCheck, CheckResult } from './check.ts';
import { Finding, NotLookedFor } from './finding.ts';
import { Task } from './task.ts';

/** Everything a run needs to go on after a crash; stored with the first event. */
export const RunOptions = z.object({
  /** How many candidates. */
  n: z.int().min(1),
  /** Model ids; candidate i is made by `models[i % models.length]`. */
  models: z.array(z.string()).min(1),
  temperature: z.number().min(0).nullable(),
  /** Share of a text's probability that each draw of it takes away; absent or 0: candidates are independent, 1: without replacement. */
  distinct: z.number().min(0).max(1).optional(),
  /** False: a local model does not guess ahead, so that a candidate is the same to the last rounding however many there are. */
  speculate: z.boolean().optional(),
  /** False: the answers of local models to an instruction are not held to the form of an answer by a grammar. */
  grammar: z.boolean().optional(),
  /** Where local models compute; absent: `cpu`. */
  device: z.enum(['cpu', 'webgpu']).optional(),
  /** A model of the repository's own code that reads every candidate; absent: none. */
  house: z
    .object({
      /** Folder or file of the model. */
      model: z.string(),
      /** Whether what it says moves a candidate in the ranking. */
      ranks: z.boolean(),
      /** On what ground, in words. */
      why: z.string(),
    })
    .optional(),
  seed: z.int(),
  maxCostUsd: z.number().min(0).nullable(),
  maxSeconds: z.number().positive().nullable(),
  /** Candidates checked at once. */
  concurrency: z.int().min(1),
  keep: z.enum(['best', 'none']),
  unsafeNoSandbox: z.boolean(),
});
export type RunOptions = z.infer<typeof RunOptions>;

export const RankingEntry = z.object({
  /** Candidate id. */
  id: z.string(),
  /** Best reason first, in words and numbers. */
  reasons: z.array(z.string()),
});
export type RankingEntry = z.infer<typeof RankingEntry>;

const at = { atMs: z.number() };
const one = { index: z.int().min(0) };

/**
 * A run is this sequence, appended durably before anything is shown. Every state is derived from it (`replayRun` in
 * best-of-n). `atMs` is milliseconds since the epoch.
 */
export const Event = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run-started'),
    ...at,
    task: Task,
    options: RunOptions,
    /** Commit that holds the base: HEAD, or a snapshot commit when the checkout had uncommitted changes. */
    baseCommit: z.string(),
    headCommit: z.string(),
    /** Repository-relative paths with uncommitted changes that are part of the base. */
    uncommitted: z.array(z.string()),
    /** How candidates are isolated, in words. */
    isolation: z.string(),
    /** Directory of the checkout. */
    repository: z.string(),
  }),
  z.object({ type: z.literal('base-checked'), ...at, checks: z.array(BaseCheck) }),
  z.object({
    type: z.literal('candidate-made'),
    ...at,
    ...one,
    model: z.string(),
    seed: z.int(),
    outcome: z.enum(['made', 'invalid', 'timed-out', 'error']),
    reason: z.string().nullable(),
    /** The maker's raw answer (empty for an agent). */
    answer: z.string(),
    tokens: TokenCount,
    costUsd: z.number().min(0),
    durationMs: z.number().min(0),
    meanLogProbability: z.number().nullable(),
    /** What an agent could reach while it worked, in words. */
    reach: z.string().optional(),
  }),
  z.object({
    type: z.literal('candidate-recorded'),
    ...at,
    ...one,
    ref: z.string(),
    commit: z.string(),
    diff: DiffSize,
    reverted: z.array(z.string()),
    /** Equal for candidates that are the same code after normalising. */
    fingerprint: z.string(),
  }),
  z.object({
    type: z.literal('candidate-gated'),
    ...at,
    ...one,
    gate: z.string(),
    findings: z.array(Finding),
    notLookedFor: z.array(NotLookedFor),
    /** What the gate measured, by name; absent: nothing. */
    signals: z.record(z.string(), z.number()).optional(),
  }),
  z.object({ type: z.literal('check-finished'), ...at, ...one, check: CheckResult }),
  z.object({
    type: z.literal('candidate-finished'),
    ...at,
    ...one,
    status: z.enum(['passed', 'failed', 'invalid', 'timed-out', 'error']),
    reason: z.string().nullable(),
    /** Index of the earlier, equal candidate whose checks stand for this one's. */
    sameAs: z.int().nullable(),
    /** Milliseconds spent on copy, gates and checks of this candidate. */
    durationMs: z.number().min(0),
  }),
  z.object({ type: z.literal('run-resumed'), ...at }),
  z.object({ type: z.literal('ranked'), ...at, ranking: z.array(RankingEntry), best: z.string().nullable() }),
  z.object({
    type: z.literal('run-finished'),
    ...at,
    outcome: z.enum(['passed', 'none-passed', 'budget', 'cancelled', 'error']),
    reason: z.string().nullable(),
    totals: z.object({
      durationMs: z.number(),
      /** Wall time in which at least one candidate was being made. */
      makeMs: z.number(),
      /** Wall time in which at least one check ran. */
      checkMs: z.number(),
    }),
  }),
  z.object({
    type: z.literal('kept'),
    ...at,
    id: z.string(),
    commit: z.string().nullable(),
    files: z.array(z.string()),
  }),
]);
export type Event = z.infer<typeof Event>;
