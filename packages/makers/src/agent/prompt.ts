import type { Task, Tree } from '@lathe/protocol';
import { prepareTask } from '../prepare.ts';

/**
 * The task as an agent is told it. It reads the repository and its AGENTS.md by itself.
 *
 * @throws for a hole that is not there, like `prepareTask`
 */
export async function promptOf(task: Task, base: Tree): Promise<string> {
  const parts = [await statementOf(task, base)];
  if (task.files.length > 0) parts.push(`Files to look at first: ${task.files.join(', ')}.`);
  if (task.checks.length > 0) {
    const checks = task.checks.map((check) => `  ${check}`).join('\n');
    parts.push(`When you are done, these commands are run and have to pass:\n${checks}`);
  }
  parts.push(
    task.allow.length > 0
      ? `Change only files that match: ${task.allow.join(', ')}. Other changes are taken back.`
      : 'Do not change existing tests, check settings, lockfiles or CI files: such changes are taken back.',
    'Work in the current directory. Nobody can answer questions: decide yourself, make the change in the files, and stop. Do not commit.',
  );
  return `${parts.join('\n\n')}\n`;
}

async function statementOf(task: Task, base: Tree): Promise<string> {
  const { at, instruction } = task;
  if (at === undefined) return instruction.trim();
  // What an agent is told of a hole needs no prompt, but a hole that is missing is to be refused before it starts.
  await prepareTask(task, base, { contextTokens: Number.MAX_SAFE_INTEGER, countTokens: (text) => text.length });
  const words = instruction.trim() === '' ? '' : `\n\n${instruction.trim()}`;
  return `Write the body of the function \`${at.name}\` in \`${at.file}\`. Its documentation and signature there say what it has to do; keep both, and change nothing else in the file unless it has to be.${words}`;
}
