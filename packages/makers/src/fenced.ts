/** Name of a file's language as Markdown fences have it. */
export function fenceName(path: string): string {
  return /\.(\w+)$/.exec(path)?.[1]?.replace(/^[cm](?=[jt]s$)/, '') ?? '';
}

/** A text in a fence longer than any inside it. */
export function fenced(path: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map((match) => match[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${fenceName(path)}\n${text.replaceAll('\r\n', '\n').trimEnd()}\n${fence}`;
}
