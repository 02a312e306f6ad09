/**
 * A transformer of Lathe's own. In short:
 *
 *   const model = await openModel('/path/model.gguf');
 *   const prompt = encodeChat(file, model.tokenizer, messages) or model.tokenizer.encode(text, { addSpecial: true });
 *   const { rows, timings } = await model.generate({ prompt, n: 10, seed: 1, temperature: 0.8, maxTokens: 128, stop: ['\n\n'] });
 *   const nats = await model.score(prompt);
 *   await model.close();
 */
export type { Device } from '@lathe/graph';
export type { FunctionBodyEnd } from './body-end.ts';
export type { Architecture, Config } from './config.ts';
export type { Grammar } from './constraint/constraint.ts';
export type { Timings } from './generate.ts';
export { ModelError } from './model-error.ts';
export {
  type GenerateRequest,
  type Generation,
  type Model,
  type OpenOptions,
  openModel,
  type RowOptions,
} from './open-model.ts';
export type { Precision } from './precision.ts';
export type { Draw, FinishReason, GeneratedRow, TokenNews } from './row.ts';
export { type ChatMessage, type ChatOptions, encodeChat, renderChat } from './tokenizer/chat-template.ts';
export { type EncodeOptions, loadTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts';
export { TokenizerError } from './tokenizer/tokenizer-error.ts';
export { type BpeVocabulary, tokenizerJson, trainBpe } from './train/bpe.ts';
export { type Checkpoint, readCheckpoint, writeCheckpoint } from './train/checkpoint.ts';
export type { Corpus } from './train/corpus.ts';
export { type DocumentFile, type Documents, eachDocument, eachLine } from './train/documents.ts';
export type { RunEvent } from './train/loop.ts';
export { type Adapters, readAdapters } from './train/lora/adapter-files.ts';
export { HOLDINGS, type Holding } from './train/lora/frozen-matrix.ts';
export { ALL_MODULES, LORA_DEFAULTS, type LoraModule, type LoraOptions } from './train/lora/lora-config.ts';
export { mergeAdapters } from './train/lora/merge.ts';
export { checkLoraBase, type LoraRunOptions, runLora } from './train/lora/run-lora.ts';
export { type FinishedRun, type RunOptions, runTraining } from './train/run.ts';
export { TokenFile, type Tokens } from './train/token-file.ts';
export { TrainError } from './train/train-error.ts';
export { type Step, Trainer, type TrainingOptions } from './train/trainer.ts';
export {
  checkTrainingConfig,
  type Preset,
  parameterCount,
  swiGluWidth,
  type TrainingConfig,
} from './train/training-config.ts';
export { type TrainingJob, trainInProcess, trainingRuntime } from './train/training-process.ts';
export {
  type BlockMatrix,
  type BlockType,
  floatZeroPoints,
  isBlockType,
  packedZeroPoints,
  repack,
  unpack,
} from './weights/blocks.ts';
export { dequantise } from './weights/dequantise.ts';
export type { GgmlType } from './weights/ggml-types.ts';
export { type GgufFile, type GgufTensor, type GgufValue, openGguf } from './weights/gguf.ts';
export { GgufError } from './weights/gguf-error.ts';
export type { WritableType } from './weights/quantise.ts';
export type { ModelCache } from './worker-protocol.ts';
