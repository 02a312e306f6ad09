import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { FollowedHistory } from './follow.ts';
import type { Walk } from './git-log.ts';
import { LineTable } from './line-table.ts';
import { RecallPool } from './recall-pool.ts';
import { writeWhole } from './write-whole.ts';

/** Raised whenever what is followed or how it is stored changes: an older cache is then ignored, never misread. */
const VERSION = 8;

interface Stored {
  readonly version: number;
  readonly history: Omit<FollowedHistory, 'table' | 'recall'>;
  readonly columns: ReturnType<LineTable['columns']>;
  readonly recall: ReturnType<RecallPool['columns']>;
}

/** What a history was read from: a cache of another is no use. */
export interface CacheKey {
  readonly gitDirectory: string;
  readonly walk: Walk;
  /** Revisions where originals of rebased commits were looked for. */
  readonly originals: readonly string[];
}

function file(cacheDirectory: string, { gitDirectory, walk, originals }: CacheKey): string {
  const key = createHash('sha256')
    .update([gitDirectory, ...originals].join('\0'))
    .digest('hex')
    .slice(0, 16);
  return join(cacheDirectory, `${key}-${walk}.v${VERSION}`);
}

/** The history as an earlier run left it, or null where there is none that can be read. A cache is never trusted to exist. */
export async function readCache(cacheDirectory: string, key: CacheKey): Promise<FollowedHistory | null> {
  try {
    const bytes = await readFile(file(cacheDirectory, key));
    const digest = bytes.subarray(0, 32);
    const body = bytes.subarray(32);
    if (!createHash('sha256').update(body).digest().equals(digest)) return null;
    const stored = deserialize(body) as Stored;
    if (stored.version !== VERSION) return null;
    return { ...stored.history, table: LineTable.from(stored.columns), recall: RecallPool.from(stored.recall) };
  } catch {
    return null;
  }
}

export async function writeCache(cacheDirectory: string, key: CacheKey, history: FollowedHistory): Promise<void> {
  const { table, recall, ...rest } = history;
  const stored: Stored = { version: VERSION, history: rest, columns: table.columns(), recall: recall.columns() };
  const body = serialize(stored);
  await writeWhole(file(cacheDirectory, key), [createHash('sha256').update(body).digest(), body]);
}
