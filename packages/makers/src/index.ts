export { type Clock, type LimiterOptions, RequestLimiter } from './hosted/limiter.ts';
export { createLocalMaker, type LocalMakerOptions } from './local/local-maker.ts';
export { type OpenMakerOptions, openMaker } from './open-maker.ts';
export { prepareTask } from './prepare.ts';
export type { ChatMessage, Edits, PreparedTask, PrepareOptions, PromptStyle } from './prepared-task.ts';
