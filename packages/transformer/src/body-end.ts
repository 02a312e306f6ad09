import jsTokens from 'js-tokens';

/** Ends a row where the body of the function it fills is closed. */
export interface FunctionBodyEnd {
  readonly kind: 'function-body';
  readonly language: 'javascript' | 'typescript' | 'tsx' | 'python';
  /**
   * The function up to where the row's text begins: for JavaScript and TypeScript at least the brace that opens the body,
   * for Python the `def` with its indentation.
   */
  readonly opening: string;
}

/**
 * Where the body ends in `text`, which follows `opening`; null where it goes on or may. JavaScript and TypeScript: right
 * behind the brace that closes it; brackets in strings, templates, regular expressions and comments do not count. Python:
 * before the first character of the first line that is indented no further than the `def`, is not blank, and is not
 * inside brackets, a string or behind a backslash; a comment there ends the body as well.
 */
export function bodyEnd({ language, opening }: FunctionBodyEnd, text: string): number | null {
  const whole = opening + text;
  const end = language === 'python' ? suiteEnd(whole) : blockEnd(whole, opening.length, language);
  return end === null || end < opening.length ? null : end - opening.length;
}

function blockEnd(whole: string, start: number, language: FunctionBodyEnd['language']): number | null {
  const jsx = language === 'tsx' || (language === 'javascript' && /<\/|\/>/.test(whole));
  let depth = 0;
  // Of the brackets that are open where the text begins, the innermost is the body's brace.
  let body = 0;
  let offset = 0;
  for (const { type, value } of jsTokens(whole, { jsx })) {
    if (offset < start) body = depth;
    offset += value.length;
    if (type === 'TemplateHead' || (type.endsWith('Punctuator') && /^[({[]$/.test(value))) depth++;
    else if (type === 'TemplateTail' || (type.endsWith('Punctuator') && /^[)}\]]$/.test(value))) {
      depth--;
      if (offset > start && value === '}' && depth < body) return offset;
    }
    if (offset <= start) body = depth;
  }
  return null;
}

const OPENING = '([{';
const CLOSING = ')]}';

function suiteEnd(whole: string): number | null {
  const width = /^[ \t]*/.exec(whole)![0].length;
  let depth = 0;
  let at = width;
  while (at < whole.length) {
    const char = whole[at]!;
    if (char === '#') {
      const end = whole.indexOf('\n', at);
      if (end < 0) return null;
      at = end;
    } else if (char === '"' || char === "'") {
      const end = stringEnd(whole, at);
      if (end === null) return null;
      at = end;
    } else if (char === '\\') at += whole.startsWith('\r\n', at + 1) ? 3 : 2;
    else if (char === '\n' && depth === 0) {
      const next = /\S/.exec(whole.slice(at));
      if (next === null) return null;
      const first = at + next.index;
      const line = whole.lastIndexOf('\n', first) + 1;
      if (first - line <= width) return first;
      at = first;
    } else {
      if (OPENING.includes(char)) depth++;
      else if (CLOSING.includes(char)) depth = Math.max(0, depth - 1);
      at++;
    }
  }
  return null;
}

/** Behind a Python string that starts at `at`; null where it is not closed yet. One quote alone ends with its line. */
function stringEnd(text: string, at: number): number | null {
  const quote = text[at]!;
  const triple = text.startsWith(quote.repeat(3), at);
  // What may become `"""`.
  if (!triple && text.startsWith(quote.repeat(2), at)) return at + 2 < text.length ? at + 2 : null;
  const close = triple ? quote.repeat(3) : quote;
  for (let i = at + close.length; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text.startsWith(close, i)) return i + close.length;
    else if (text[i] === '\n' && !triple) return i;
  }
  return null;
}
