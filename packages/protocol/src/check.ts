import { z } from 'zod';

/** Ending of one check command. `skipped`: an earlier check of the same candidate had already failed. */
export const CheckStatus = z.enum(['passed', 'failed', 'timed-out', 'error', 'skipped']);
export type CheckStatus = z.infer<typeof CheckStatus>;

export const CheckResult = z.object({
  command: z.string(),
  status: CheckStatus,
  /** Null where the command did not end by itself (timed out, killed for a limit, not started). */
  exitCode: z.int().nullable(),
  durationMs: z.number().min(0),
  /** Why it did not pass, in words: `exit 1`, `memory limit of 1024 MiB exceeded`, `the base fails this check too`. */
  reason: z.string().optional(),
  /** End of stdout and stderr together, as text, at most a few KiB. */
  outputTail: z.string().optional(),
});
export type CheckResult = z.infer<typeof CheckResult>;

/**
 * How the untouched base did on one check, from two runs. `flaky`: the runs disagreed. A check the base fails is still
 * run on candidates (a hole's tests are expected to fail on the base); the record says what the base did.
 */
export const BaseCheck = z.object({
  command: z.string(),
  outcome: z.enum(['passed', 'failed', 'flaky', 'timed-out', 'error']),
  durationMs: z.number().min(0),
  outputTail: z.string().optional(),
});
export type BaseCheck = z.infer<typeof BaseCheck>;
