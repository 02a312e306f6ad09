export { prepareTask } from './prepare.ts';
export type { ChatMessage, Edits, PreparedTask, PrepareOptions, PromptStyle } from './prepared-task.ts';
