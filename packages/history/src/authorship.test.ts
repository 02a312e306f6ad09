import { describe, expect, it } from 'vitest';
import { authorClassOf, originOf } from './authorship.ts';
import type { LoggedCommit } from './patch-stream.ts';

function commit(told: Partial<LoggedCommit>): LoggedCommit {
  return {
    id: '',
    parents: [],
    authorTime: 0,
    commitTime: 0,
    authorName: 'Ada',
    authorEmail: 'ada@example.org',
    message: 'Change\n',
    notes: '',
    changes: [],
    ...told,
  };
}

describe('originOf', () => {
  it.each([
    'Co-Authored-By: Claude <noreply@anthropic.com>',
    'Co-Authored-By: Claude Opus 4.5 <noreply@anthropic.com>',
    'Co-authored-by: Copilot <175728472+Copilot@users.noreply.github.com>',
    'Co-authored-by: Cursor <cursoragent@cursor.com>',
    'Co-authored-by: aider (gpt-4o) <aider@aider.chat>',
    'Co-authored-by: Devin AI <158243242+devin-ai-integration[bot]@users.noreply.github.com>',
    'Co-authored-by: google-labs-jules[bot] <161369871+google-labs-jules[bot]@users.noreply.github.com>',
    'Co-authored-by: openhands <openhands@all-hands.dev>',
    'Co-authored-by: Amp <amp@ampcode.com>',
    'Co-authored-by: Qwen-Coder <qwen-coder@alibabacloud.com>',
    'Assisted-by: Claude:claude-opus-4 coccinelle',
    'Generated-by: ChatGPT',
    'AI-model: any at all',
    '🤖 Generated with [Claude Code](https://claude.com/claude-code)',
  ])('assistant-made: %s', (line) => {
    expect(originOf(commit({ message: `Change\n\nWhy.\n\n${line}\n` }))).toBe('assistant-made');
  });

  it.each([
    'Co-authored-by: Jules Verne <jules@example.org>',
    'Co-authored-by: Devin Brown <devin@example.org>',
    'Co-authored-by: Jean-Claudette <jc@example.org>',
    'Reviewed-by: Claude <noreply@anthropic.com>',
    'Move the cursor when a line is deleted',
    'Support Gemini and Codex as models',
  ])('hand-made: %s', (line) => {
    expect(originOf(commit({ message: `Change\n\n${line}\n` }))).toBe('hand-made');
  });

  it('an assistant that commits from an account of its own', () => {
    expect(originOf(commit({ authorName: 'copilot-swe-agent[bot]' }))).toBe('assistant-made');
    expect(originOf(commit({ authorName: 'Ada (aider)' }))).toBe('assistant-made');
    expect(originOf(commit({ authorName: 'Cursor Agent', authorEmail: 'cursoragent@cursor.com' }))).toBe(
      'assistant-made',
    );
  });

  it('a bot that is no assistant is hand-made by a bot', () => {
    const bot = commit({ authorName: 'dependabot[bot]' });
    expect([originOf(bot), authorClassOf(bot)]).toEqual(['hand-made', 'bot']);
  });

  it('what Lathe kept, by trailer or note, whatever model it names', () => {
    expect(originOf(commit({ message: 'Change\n\nLathe-Run: 42\nCo-authored-by: Claude <x@y>\n' }))).toBe('lathe-kept');
    expect(originOf(commit({ notes: 'Lathe-Run: 42\n' }))).toBe('lathe-kept');
  });
});
