import type { Task, Tree } from '@lathe/protocol';
import { prepareHole } from './hole/prepare.ts';
import { prepareInstruction } from './instruction/prepare.ts';
import type { PreparedTask, PrepareOptions } from './prepared-task.ts';

/**
 * A task as a model is asked it, whoever runs the model. Throws only for what the user can mend: a file or function that
 * is not there (`LATHE_NOT_FOUND_…`), one that is ambiguous or in a language without a parser here (`LATHE_USAGE_…`).
 */
export function prepareTask(task: Task, base: Tree, options: PrepareOptions): Promise<PreparedTask> {
  const request = { task, base, options };
  return task.kind === 'hole' ? prepareHole(request) : prepareInstruction(request);
}
