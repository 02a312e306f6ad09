import { z } from 'zod';

/** A function whose body is to be filled: `src/slug.js:slugify`. Paths are repository-relative with forward slashes. */
export const HoleTarget = z.object({ file: z.string().min(1), name: z.string().min(1) });
export type HoleTarget = z.infer<typeof HoleTarget>;

/**
 * What the expert asks for. A `hole` names one function to fill; an `instruction` is free text answered with edits (or
 * carried out by an agent). Both may carry words; a hole's documentation in the source is its main statement.
 */
export const Task = z.object({
  kind: z.enum(['hole', 'instruction']),
  /** Free text. Empty for a hole that says everything in its own documentation. */
  instruction: z.string(),
  /** Present exactly when `kind` is `hole`. */
  at: HoleTarget.optional(),
  /** Files the expert named as context, repository-relative. */
  files: z.array(z.string()).default([]),
  /** Shell command lines run in every candidate's copy, in this order; the first failure ends the candidate's checks. */
  checks: z.array(z.string()),
  /** Globs a candidate may touch. Empty: anything but protected files (a hole: only its own file). */
  allow: z.array(z.string()).default([]),
});
export type Task = z.infer<typeof Task>;
