import type { SourceFile } from '../finding.ts';
import { isCode } from '../language.ts';
import type { Change, QualityFinding } from './quality-finding.ts';

const STOP = new Set(
  'over each all every the a an of to in is are be it its this that and or for with from by on as at we our then now here new into if else'.split(
    ' ',
  ),
);

function wordsOf(text: string): string[] {
  return text
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z\d]+/)
    .filter((word) => word.length > 1 && !STOP.has(word))
    .map((word) => word.replace(/(ing|ed|es|s|e)$/, ''));
}

/** Words that name what any code does; they repeat a `return`, a `for` or an `=` without sharing a letter with it. */
const CODE_WORDS: Readonly<Record<string, RegExp>> = {
  return: /\breturn\b/,
  loop: /\b(for|while|forEach|map)\b/,
  iterat: /\b(for|while|forEach|map)\b/,
  check: /\b(if|assert)\b/,
  import: /\b(import|require|include)\b/,
  creat: /=|\bnew\b/,
  initializ: /=/,
  initialis: /=/,
  set: /=/,
  get: /=|\breturn\b/,
  defin: /\b(def|function|const|let|class)\b/,
  function: /\b(def|function)\b|=>/,
  call: /\(/,
  print: /\b(print|console|printf)\b/,
  increment: /\+\+|\+= ?1/,
  add: /\+|push|append/,
  increas: /\+/,
  variabl: /=/,
  valu: /=/,
  result: /\breturn\b|=/,
  convert: /\(/,
};

/**
 * A one-line comment whose every content word stands in the line of code below it: `// return the result` over
 * `return result`. Comments that add a word are left alone.
 */
export function repeatsCode(comment: string, code: string): boolean {
  const words = wordsOf(comment);
  if (
    words.length === 0 ||
    words.length > 8 ||
    /\b(todo|fixme|note|eslint|type:|noqa|@|http|because|why|so that)\b/i.test(comment)
  )
    return false;
  const present = wordsOf(code);
  return words.every(
    (word) =>
      present.some(
        (other) =>
          other === word || (word.length > 3 && (other.startsWith(word) || word.startsWith(other)) && other.length > 2),
      ) ||
      (CODE_WORDS[word]?.test(code) ?? false),
  );
}

function repeatingIn(file: SourceFile): { line: number; comment: string }[] {
  if (!isCode(file.language)) return [];
  const marker = file.language === 'python' ? /^\s*#\s?(?!!)(.*)$/ : /^\s*\/\/\s?(.*)$/;
  const lines = file.text.split('\n');
  return lines.flatMap((text, index) => {
    const comment = marker.exec(text)?.[1];
    const next = lines[index + 1];
    // Paragraphs of comments explain; a single line over code is what repeats.
    if (!comment || !next?.trim() || marker.test(next) || marker.test(lines[index - 1] ?? '')) return [];
    return repeatsCode(comment, next) ? [{ line: index + 1, comment: text.trim() }] : [];
  });
}

export function repeatingComments({ before, after }: Change): QualityFinding[] {
  return after.flatMap((file) => {
    const old = repeatingIn(before.find((one) => one.path === file.path) ?? { ...file, text: '' }).map(
      (one) => one.comment,
    );
    return repeatingIn(file).flatMap(({ line, comment }) => {
      const known = old.indexOf(comment);
      if (known >= 0) {
        old.splice(known, 1);
        return [];
      }
      return [
        {
          rule: 'lathe/comment-repeats-code',
          severity: 'info' as const,
          confidence: 'medium' as const,
          path: file.path,
          line,
          message: 'The comment says what the line below it says',
          evidence: comment,
          help: 'Leave it out, or say why the code does this.',
        },
      ];
    });
  });
}
