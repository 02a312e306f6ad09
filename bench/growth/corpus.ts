import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { curated } from '../curated.ts';

/** Text as bytes, numbered in the order of their values: a vocabulary of what occurs. */
export interface ByteCorpus {
  /** In words, for the report. */
  readonly description: string;
  /** SHA-256 of both parts: points of different corpora are never mixed. */
  readonly digest: string;
  readonly vocabSize: number;
  readonly train: Uint16Array;
  readonly validation: Uint16Array;
}

/**
 * A single file is cut after nine tenths. Repositories and folders are curated as `lathe train` does it (duplicates,
 * generated files and secrets out), but split by chance instead of by time, a tenth of the files for validation: how the
 * loss falls with size is asked here, not how code changes over the years. Chance is each file's SHA-256, which also
 * gives the order.
 */
export async function readCorpus(paths: readonly string[], languages: readonly string[]): Promise<ByteCorpus> {
  const [first] = paths as [string, ...string[]];
  if (paths.length === 1 && statSync(first).isFile()) {
    const bytes = readFileSync(first);
    const cut = Math.floor(bytes.length * 0.9);
    return numbered('one text', bytes.subarray(0, cut), bytes.subarray(cut));
  }
  const files = (await curated(paths, { languages })).sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  const cut = Math.ceil(files.length * 0.9);
  // A file ends with a zero byte, which occurs in no text that was kept.
  const joined = (part: typeof files) => Buffer.concat(part.flatMap(({ text }) => [Buffer.from(text), Buffer.of(0)]));
  return numbered(
    `${cut} files for training, ${files.length - cut} for validation`,
    joined(files.slice(0, cut)),
    joined(files.slice(cut)),
  );
}

function numbered(description: string, train: Uint8Array, validation: Uint8Array): ByteCorpus {
  const occurring = [...new Set([...new Set(train), ...new Set(validation)])].sort((a, b) => a - b);
  const numbers = new Uint16Array(256);
  for (const [number, byte] of occurring.entries()) numbers[byte] = number;
  return {
    description: `${description}; ${train.length.toLocaleString('en')} and ${validation.length.toLocaleString('en')} bytes, ${occurring.length} different`,
    digest: createHash('sha256').update(train).update('\0').update(validation).digest('hex'),
    vocabSize: occurring.length,
    train: Uint16Array.from(train, (byte) => numbers[byte]!),
    validation: Uint16Array.from(validation, (byte) => numbers[byte]!),
  };
}
