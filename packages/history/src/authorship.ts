import type { LoggedCommit } from './patch-stream.ts';

/** Where a commit's lines come from, as far as the commit says so. Silence counts as hand-made. */
export type Origin = 'hand-made' | 'assistant-made' | 'lathe-kept';
export type AuthorClass = 'person' | 'bot';

/** Assistants by what they leave in trailers and messages. */
const ASSISTANTS =
  /claude|copilot|cursor|codex|chatgpt|openai|gemini|devin|aider|windsurf|codeium|tabnine|amazon q|\bjules\b|openhands|sweep|gpt-?[0-9]|\bamp\b/i;
const TRAILER = /^(?:co-authored-by|assisted-by|generated-by|ai-assistant|ai-model):[^\S\n]*(\S.*)$/gim;
const LATHE = /^lathe-run:\s*\S+/im;
const GENERATED = /(?:🤖\s*)?generated (?:with|by) (?:\[)?(?:claude|copilot|cursor|codex|chatgpt|gemini|aider|devin)/i;
const BOT = /\[bot\]|\bbot\b|^(?:dependabot|renovate|greenkeeper|github-actions|semantic-release)/i;

/**
 * Reads a commit's origin from its trailers (`Co-authored-by:` and its kin naming an assistant, `Lathe-Run:`), from the
 * sentence some assistants sign with, from an author that is an assistant's own account, and from git notes
 * (`refs/notes/lathe` for what Lathe kept, `refs/notes/ai` for Agent Trace).
 */
export function originOf(commit: LoggedCommit): Origin {
  if (LATHE.test(commit.message) || LATHE.test(commit.notes)) return 'lathe-kept';
  for (const match of commit.message.matchAll(TRAILER)) if (ASSISTANTS.test(match[1])) return 'assistant-made';
  if (GENERATED.test(commit.message)) return 'assistant-made';
  if (GENERATED.test(commit.notes) || /agent[-_ ]?trace|assistant|"model"/i.test(commit.notes)) return 'assistant-made';
  if (
    /\((?:aider)\)$/i.test(commit.authorName) ||
    (BOT.test(commit.authorName) && ASSISTANTS.test(commit.authorName))
  ) {
    return 'assistant-made';
  }
  return 'hand-made';
}

export function authorClassOf(commit: LoggedCommit): AuthorClass {
  return BOT.test(commit.authorName) || /\[bot\]@/.test(commit.authorEmail) ? 'bot' : 'person';
}
