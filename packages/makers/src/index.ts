export { type Clock, type LimiterOptions, RequestLimiter } from './hosted/limiter.ts';
export { createLocalMaker, type LocalMakerOptions } from './local/local-maker.ts';
export { type CacheUsage, clearModelCache, modelCache, modelCacheUsage } from './models/model-cache.ts';
export {
  defaultModel,
  listModels,
  type ModelInfo,
  modelInfo,
  type PullOptions,
  pullModel,
  resolveModel,
} from './models/models.ts';
export type { PullProgress } from './models/pull.ts';
export { defaultModelId, type OpenMakerOptions, openMaker } from './open-maker.ts';
export { prepareTask } from './prepare.ts';
export type { ChatMessage, Edits, PreparedTask, PrepareOptions, PromptStyle } from './prepared-task.ts';
