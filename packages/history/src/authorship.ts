import type { LoggedCommit } from './patch-stream.ts';

/** Where a commit's lines come from, as far as the commit says so. Silence counts as hand-made. */
export type Origin = 'hand-made' | 'assistant-made' | 'lathe-kept';
export type AuthorClass = 'person' | 'bot';

/** Assistants by the names and addresses they leave in trailers, whole words; names that people bear as well are not here. */
const ASSISTANTS =
  /\b(?:claude(?: code)?|anthropic\.com|copilot|cursor(?:agent)?|codex|chatgpt|openai|gpt-?[0-9][\w.-]*|gemini|aider|windsurf|codeium|tabnine|amazon q|openhands|sweep-ai|sweepai|opencode|roo ?code|cline|kilo ?code|qwen(?: code|-coder)?|coderabbit(?:ai)?|ampcode|devin-ai-integration|devin ai|google-labs-jules|ai-assistant)\b/i;
/** Trailers whose value names who took part. */
const PARTICIPANT =
  /^(?:co-authored-by|co-developed-by|assisted-by|generated-by|pair-programmed-with):[ \t]*([^ \t\n].*)$/gim;
/** Trailers only tools for machine-made code write, whatever they name. */
const MACHINE =
  /^(?:ai-assistant|ai-model|ai-generated|ai-assisted|ai-tool|agent-trace|claude-session|codex-session|aider-model|cursor-session):[ \t]*\S/im;
/** Names that people bear, where only the machine's own address tells. */
const ADDRESSES =
  /<(?:amp@ampcode\.com|[^>]*devin-ai-integration\[bot\]@[^>]*|[^>]*google-labs-jules\[bot\]@[^>]*|[^>]*(?:@|\+)(?:aider\.chat|cursor\.(?:com|sh)|openhands\.dev|all-hands\.dev|anthropic\.com))>/i;
const LATHE = /^lathe-run:\s*\S+/im;
const GENERATED =
  /(?:🤖\s*)?(?:generated|written|created) (?:with|by|using) (?:\[)?(?:claude|(?:github )?copilot|cursor|(?:openai )?codex|chatgpt|gemini|aider|devin|windsurf|opencode|jules)\b/i;
const BOT = /\[bot\]|\bbot\b|^(?:dependabot|renovate|greenkeeper|github-actions|semantic-release)/i;

/**
 * Reads a commit's origin from its trailers (`Co-authored-by:` and its kin naming an assistant, `Lathe-Run:`), from the
 * sentence some assistants sign with, from an author that is an assistant's own account, and from git notes
 * (`refs/notes/lathe` for what Lathe kept, `refs/notes/ai` for what assistants record).
 */
export function originOf(commit: LoggedCommit): Origin {
  const { message, notes, authorName, authorEmail } = commit;
  if (LATHE.test(message) || LATHE.test(notes)) return 'lathe-kept';
  if (MACHINE.test(message)) return 'assistant-made';
  for (const [, named] of message.matchAll(PARTICIPANT)) {
    if (ASSISTANTS.test(named) || ADDRESSES.test(named)) return 'assistant-made';
  }
  if (GENERATED.test(message)) return 'assistant-made';
  if (GENERATED.test(notes) || /agent[-_ ]?trace|assistant|"model"/i.test(notes)) return 'assistant-made';
  // Aider marks the author it commits as; other assistants commit from accounts of their own.
  const account = BOT.test(authorName) && ASSISTANTS.test(authorName);
  if (/\(aider\)$/i.test(authorName) || account || ADDRESSES.test(`<${authorEmail}>`)) return 'assistant-made';
  return 'hand-made';
}

export function authorClassOf(commit: LoggedCommit): AuthorClass {
  return BOT.test(commit.authorName) || /\[bot\]@/.test(commit.authorEmail) ? 'bot' : 'person';
}
