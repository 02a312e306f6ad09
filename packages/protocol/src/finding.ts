import { z } from 'zod';

export const Severity = z.enum(['info', 'low', 'medium', 'high', 'critical']);
export type Severity = z.infer<typeof Severity>;

/** One weakness, secret, dependency or quality problem at a place in a tree. */
export const Finding = z.object({
  kind: z.enum(['security', 'secret', 'dependency', 'quality']),
  /** Stable name of the rule, e.g. `lathe/path-prefix-check`. */
  rule: z.string(),
  /** `CWE-22`, or null where the rule has none. */
  cwe: z.string().nullable(),
  severity: Severity,
  /** How sure the rule is that this is real, not how bad it would be. */
  confidence: z.enum(['low', 'medium', 'high']),
  /** Repository-relative, forward slashes. */
  path: z.string(),
  /** First line, from 1. */
  line: z.int().min(1),
  message: z.string(),
  /** The source text the rule points at, at most a few lines. */
  evidence: z.string().optional(),
  /** What to do about it, or a link that says so. */
  help: z.string().optional(),
});
export type Finding = z.infer<typeof Finding>;

/** Something a scan could not examine: reported, never taken for clean. */
export const NotLookedFor = z.object({ what: z.string(), why: z.string() });
export type NotLookedFor = z.infer<typeof NotLookedFor>;
