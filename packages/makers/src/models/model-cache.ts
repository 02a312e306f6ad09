import { readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LatheError } from '@lathe/protocol';
import type { ModelCache } from '@lathe/transformer';
import { modelsFolder } from './cache.ts';

const CONVERTED_MB = 4096;
const PROMPTS_MB = 1024;

/**
 * Where converted models and prompts that were read are kept: beside the models. `LATHE_CONVERTED_CACHE_MB` and
 * `LATHE_PROMPT_CACHE_MB` say how much of the disk they may take; 0 keeps none.
 *
 * @throws LATHE_USAGE_SETTING
 */
export function modelCache(env: NodeJS.ProcessEnv = process.env): ModelCache | null {
  const convertedBytes = megabytes('LATHE_CONVERTED_CACHE_MB', CONVERTED_MB, env);
  const prefixBytes = megabytes('LATHE_PROMPT_CACHE_MB', PROMPTS_MB, env);
  return convertedBytes === 0 ? null : { folder: dirname(modelsFolder(env)), convertedBytes, prefixBytes };
}

function megabytes(name: string, standard: number, env: NodeJS.ProcessEnv): number {
  const text = env[name];
  if (text === undefined || text === '') return standard * 1e6;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1e6;
  throw new LatheError('LATHE_USAGE_SETTING', `expected megabytes in ${name}, got ${JSON.stringify(text)}`);
}

export interface CacheUsage {
  readonly what: 'converted models' | 'prompts that were read';
  readonly path: string;
  readonly entries: number;
  readonly bytes: number;
}

/** What the caches take; both can be made again. */
export function modelCacheUsage(env: NodeJS.ProcessEnv = process.env): Promise<readonly CacheUsage[]> {
  const folder = dirname(modelsFolder(env));
  return Promise.all([
    usage('converted models', join(folder, 'converted')),
    usage('prompts that were read', join(folder, 'prefixes')),
  ]);
}

async function usage(what: CacheUsage['what'], path: string): Promise<CacheUsage> {
  const names = await readdir(path, { recursive: true }).catch((): string[] => []);
  const files = await Promise.all(names.map((name) => stat(join(path, name)).catch(() => null)));
  const bytes = files.reduce((sum, file) => sum + (file?.isFile() ? file.size : 0), 0);
  return { what, path, entries: names.filter((name) => !/[/\\]/.test(name) && !name.startsWith('.')).length, bytes };
}

/** Removes the caches. A process that has a model open keeps it: its files go when it ends. */
export async function clearModelCache({ path }: CacheUsage): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
