import type { FileEdit, Task } from '@lathe/protocol';
import picomatch from 'picomatch';
import { protection } from './protected-paths.ts';

export interface Scoped {
  readonly allowed: readonly FileEdit[];
  /** Changes taken back, with the reason. */
  readonly reverted: readonly { readonly path: string; readonly why: string }[];
}

/**
 * What of a candidate's edits the task allows. With `allow` globs: the paths they match and nothing else, protected or
 * not, since the expert named them. A hole without globs: its own file. Otherwise everything but protected paths.
 *
 * Globs are matched against the whole repository-relative path, `*` within a folder, `**` across, leading dots
 * included. Paths that no repository may hold are refused later, when the candidate is recorded.
 */
export function enforceScope(task: Task, edits: readonly FileEdit[]): Scoped {
  const whyNot = judge(task);
  const allowed: FileEdit[] = [];
  const reverted: { path: string; why: string }[] = [];
  for (const edit of edits) {
    const why = whyNot(edit.path);
    if (why === null) allowed.push(edit);
    else reverted.push({ path: edit.path, why });
  }
  return { allowed, reverted };
}

function judge(task: Task): (path: string) => string | null {
  if (task.allow.length > 0) {
    const matches = picomatch([...task.allow], { dot: true });
    return (path) => (matches(path) ? null : `outside ${task.allow.join(', ')}`);
  }
  if (task.kind === 'hole' && task.at !== undefined) {
    const { file } = task.at;
    return (path) => (path === file ? null : `outside ${file}`);
  }
  return protection;
}
