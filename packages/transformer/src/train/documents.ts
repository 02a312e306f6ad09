import { createReadStream } from 'node:fs';

/** Lines of JSON, each an object with a document as its `text`. https://jsonlines.org */
export interface DocumentFile {
  readonly path: string;
  /** Lines there are. */
  readonly count: number;
}

/** What is learned from, in its order: in memory, or a file that is read as often as it is gone through. */
export type Documents = readonly string[] | DocumentFile;

/** One document after the other; a file is never in memory as a whole. */
export async function* eachDocument(documents: Documents): AsyncGenerator<string> {
  if (!('path' in documents)) yield* documents;
  else for await (const line of eachLine(documents.path)) yield (JSON.parse(line) as { text: string }).text;
}

export function countOf(documents: Documents): number {
  return 'path' in documents ? documents.count : documents.length;
}

/** Lines of a file, without their ends. Only a line feed ends one: JSON writes others as escapes or as they are. */
export async function* eachLine(path: string): AsyncGenerator<string> {
  const parts: Buffer[] = [];
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 18 }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      yield Buffer.concat(parts.splice(0)).toString('utf8');
      start = end + 1;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  if (parts.length > 0) yield Buffer.concat(parts).toString('utf8');
}
