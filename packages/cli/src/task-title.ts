import type { Task } from '@lathe/protocol';
import { plainLine } from './plain-text.ts';

/** A task on one line: the function, the words, or both. */
export function taskTitle({ at, instruction }: Pick<Task, 'at' | 'instruction'>): string {
  return plainLine([at === undefined ? '' : `${at.file}:${at.name}`, instruction].filter(Boolean).join('  '));
}
