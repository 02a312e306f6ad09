import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ModelEntry } from './catalogue.ts';

/** `$XDG_CACHE_HOME/lathe/models`, by default `~/.cache/lathe/models`. */
export function modelsFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lathe', 'models');
}

export function cachedPath(folder: string, entry: ModelEntry): string {
  return join(folder, entry.name, entry.fileName);
}

/**
 * Whether the model is there. A file gets this name only after its SHA-256 was right, so its size is enough to notice one
 * that something else has cut.
 */
export async function isCached(folder: string, entry: ModelEntry): Promise<boolean> {
  try {
    const file = await stat(cachedPath(folder, entry));
    return file.isFile() && file.size === entry.sizeBytes;
  } catch {
    return false;
  }
}
