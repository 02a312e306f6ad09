export { type ChatMessage, type ChatOptions, encodeChat, renderChat } from './tokenizer/chat-template.ts';
export { type EncodeOptions, loadTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts';
export { TokenizerError } from './tokenizer/tokenizer-error.ts';
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
