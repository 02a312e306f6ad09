import { readFile } from 'node:fs/promises';
import { LatheError } from '@lathe/protocol';
import { z } from 'zod';

const oneOrMany = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
  .transform((value) => (typeof value === 'string' ? [value] : value));

/**
 * The options a task file may set, under the names they have on the command line. `--unsafe-no-sandbox` is not among
 * them: that is for the person who types the command, not for a file somebody else may have written.
 */
const FrontMatter = z.strictObject({
  at: z.string().min(1).optional(),
  n: z.int().min(1).max(1000).optional(),
  model: oneOrMany.optional(),
  check: oneOrMany.optional(),
  allow: oneOrMany.optional(),
  file: oneOrMany.optional(),
  temperature: z.number().min(0).max(5).optional(),
  distinct: z.union([z.number().min(0).max(1), z.boolean().transform(Number)]).optional(),
  device: z.enum(['cpu', 'webgpu']).optional(),
  house: z.string().min(1).optional(),
  speculation: z.boolean().optional(),
  grammar: z.boolean().optional(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
  'max-cost': z.number().min(0).optional(),
  'max-seconds': z.number().positive().optional(),
  concurrency: z.int().min(1).max(1000).optional(),
  keep: z.enum(['best']).optional(),
});
type FrontMatter = z.infer<typeof FrontMatter>;

export interface TaskFile {
  readonly settings: FrontMatter;
  /** What stands below the front matter: the instruction. */
  readonly instruction: string;
}

/** Markdown with YAML front matter. Throws `LATHE_USAGE_TASK_FILE` or `LATHE_NOT_FOUND_TASK_FILE`. */
export async function readTaskFile(path: string): Promise<TaskFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new LatheError('LATHE_NOT_FOUND_TASK_FILE', `cannot read the task file ${path}`, {
      remedy: 'name a Markdown file that exists: lathe make --task task.md',
      cause,
    });
  }
  return parseTaskFile(text, path);
}

export async function parseTaskFile(text: string, path: string): Promise<TaskFile> {
  const parts = /^\uFEFF?---\r?\n(?<yaml>[\s\S]*?)(?:^|\r?\n)---[ \t]*(?:\r?\n|$)(?<body>[\s\S]*)$/.exec(text)?.groups;
  if (parts === undefined) {
    if (/^\uFEFF?---\r?\n/.test(text))
      throw broken(path, 'the front matter that begins with --- has no closing --- line');
    return { settings: {}, instruction: text.trim() };
  }
  const { parseDocument } = await import('yaml');
  const document = parseDocument(parts.yaml ?? '', { stringKeys: true });
  const error = document.errors[0];
  if (error !== undefined) throw broken(path, error.message.trimEnd());
  const parsed = FrontMatter.safeParse(toPlain(document, path) ?? {});
  if (!parsed.success) throw broken(path, parsed.error.issues.map(inWords).join('\n'));
  return { settings: parsed.data, instruction: (parts.body ?? '').trim() };
}

/** Aliases are refused: nothing here needs them, and a few can grow into gigabytes. */
function toPlain(document: { toJS(options: { maxAliasCount: number }): unknown }, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw broken(path, cause instanceof Error ? cause.message : String(cause));
  }
}

function inWords(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `unknown ${issue.keys.length === 1 ? 'key' : 'keys'} ${issue.keys.join(', ')} (known: ${Object.keys(FrontMatter.shape).join(', ')})`;
  }
  return `${issue.path.join('.') || 'front matter'}: ${issue.message}`;
}

function broken(path: string, why: string): LatheError {
  return new LatheError('LATHE_USAGE_TASK_FILE', `task file ${path}: ${why}`, {
    remedy: 'a task file is Markdown; options stand above it between two --- lines, e.g. "check: npm test"',
  });
}
