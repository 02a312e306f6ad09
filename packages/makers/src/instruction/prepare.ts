import type { PreparedTask, PrepareRequest } from '../prepared-task.ts';

export async function prepareInstruction(_request: PrepareRequest): Promise<PreparedTask> {
  throw new Error('internal: instructions are not prepared yet');
}
