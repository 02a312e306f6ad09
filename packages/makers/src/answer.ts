/** A fenced block of an answer. */
export interface Fence {
  /** What stands behind the opening fence: `js`, `ts title=src/a.ts`, or nothing. */
  readonly info: string;
  /** Without the fences and without the fence's own indentation. */
  readonly text: string;
  /** Line numbers, from 0, of the opening fence and of the closing one (of the end of the answer where it is missing). */
  readonly openLine: number;
  readonly closeLine: number;
  readonly isClosed: boolean;
}

/**
 * An answer without what a model thinks aloud: `<think>…</think>` goes, and so does everything before a closing tag
 * whose opening one was part of the prompt. Null where the answer ends inside its thoughts. Line ends become LF.
 */
export function withoutThoughts(answer: string): string | null {
  const text = answer.replace(/^\uFEFF/, '').replaceAll(/\r\n?/g, '\n');
  const rest = text
    .replaceAll(/<(think|thinking|reasoning)>[\s\S]*?<\/\1>\n*/gi, '')
    .replace(/^(?:(?!```)[\s\S])*?<\/(think|thinking|reasoning)>\n*/i, '');
  return /^\s*<(think|thinking|reasoning)>/i.test(rest) ? null : rest;
}

/**
 * Fenced blocks of a Markdown text (CommonMark 0.31.2, section 4.5): a fence is closed by one of the same character that
 * is at least as long and has no info string; an unclosed one reaches to the end.
 */
export function fencesOf(text: string): readonly Fence[] {
  const lines = text.split('\n');
  const fences: Fence[] = [];
  for (let i = 0; i < lines.length; i++) {
    const open = /^([ \t]*(?:(?:[-*+]|\d+[.)]) [ \t]*)?)(`{3,}|~{3,})[ \t]*((?:[^`~ \t][^`]*)?)$/.exec(lines[i]!);
    if (open === null) continue;
    const indent = open[1]!.length;
    const closing = new RegExp(`^[ \\t]*${open[2]![0]}{${open[2]!.length},}[ \\t]*$`);
    let close = i + 1;
    while (close < lines.length && !closing.test(lines[close]!)) close++;
    const inside = lines
      .slice(i + 1, close)
      .map((line) => line.slice(/^[ \t]*/.exec(line.slice(0, indent))![0].length));
    fences.push({
      info: open[3]!.trim(),
      text: inside.join('\n'),
      openLine: i,
      closeLine: close,
      isClosed: close < lines.length,
    });
    i = close;
  }
  return fences;
}
