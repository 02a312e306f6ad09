/**
 * No tokenizer of a hosted model is at hand, so its counts are bounded and estimated from the text.
 *
 * Every token of the tokenizers in use (byte-level BPE, SentencePiece with byte fallback) stands for at least one byte
 * of UTF-8, so a text never has more tokens than bytes. `FRAME_TOKENS` is what a chat format puts around one message.
 */
const FRAME_TOKENS = 16;

/** More tokens than any model counts for these messages: what a reservation of money is based on. */
export function atMostTokens(messages: readonly { readonly content: string }[]): number {
  return messages.reduce((sum, { content }) => sum + Buffer.byteLength(content, 'utf8') + FRAME_TOKENS, FRAME_TOKENS);
}

/** An estimate on the high side, for fitting a prompt into a window: source code runs at three to four bytes a token. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text, 'utf8') / 2.5);
}
