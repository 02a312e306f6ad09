/** The catalogue as the command line and the local maker use it. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LatheError } from '@lathe/protocol';
import { cachedPath, isCached, modelsFolder } from './cache.ts';
import { CATALOGUE, type ModelEntry } from './catalogue.ts';
import { inWords, type PullProgress, pull } from './pull.ts';

export interface ModelInfo extends Omit<ModelEntry, 'sources'> {
  readonly cached: boolean;
  /** Where the file is, or would be. */
  readonly path: string;
  /** In words, in the order in which they are tried. */
  readonly sources: readonly string[];
  /** Whether it is the one used where no model is named. */
  readonly isDefault: boolean;
}

export interface PullOptions {
  readonly onProgress?: (progress: PullProgress) => void;
  readonly signal?: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
}

/** Weakest first. */
export async function listModels(env: NodeJS.ProcessEnv = process.env): Promise<readonly ModelInfo[]> {
  const folder = modelsFolder(env);
  const standard = await defaultModel(env);
  return Promise.all(
    CATALOGUE.map(async (entry) => ({
      ...entry,
      sources: [...entry.sources, { kind: 'folder' as const, path: env.LATHE_MODEL_FILES }].map(inWords),
      cached: await isCached(folder, entry),
      path: cachedPath(folder, entry),
      isDefault: entry.name === standard.name,
    })),
  );
}

/** Throws `LATHE_NOT_FOUND_MODEL` where the catalogue has no such name. */
export async function modelInfo(name: string, env: NodeJS.ProcessEnv = process.env): Promise<ModelInfo> {
  const { name: known } = entryOf(name);
  return (await listModels(env)).find((model) => model.name === known)!;
}

/** Path of the model's file in the cache, fetched where it is missing. */
export async function pullModel(
  name: string,
  { onProgress, signal, env = process.env }: PullOptions = {},
): Promise<string> {
  return pull(entryOf(name), {
    folder: modelsFolder(env),
    env,
    signal: signal ?? new AbortController().signal,
    onProgress: onProgress ?? (() => {}),
  });
}

/** What `lathe train` names the model in the folder it writes. */
const TRAINED_MODEL = 'model.gguf';

/** Path of a .gguf file for a catalogue name (pulled where it is missing), the path of a file, or a folder that `lathe train` wrote. */
export async function resolveModel(idOrPath: string, options: PullOptions = {}): Promise<string> {
  if (CATALOGUE.some((entry) => entry.name === idOrPath)) return pullModel(idOrPath, options);
  const looksLikePath = idOrPath.endsWith('.gguf') || /[/\\]/.test(idOrPath);
  const asked = resolve(idOrPath);
  const found = async (file: string) => stat(file).catch(() => null);
  if (!looksLikePath) throw unknownModel(idOrPath, (await found(asked)) !== null);
  const folder = (await found(asked))?.isDirectory() === true;
  const path = folder ? join(asked, TRAINED_MODEL) : asked;
  if (!(await found(path))?.isFile())
    throw new LatheError('LATHE_NOT_FOUND_MODEL_FILE', `expected a GGUF file at ${path}, found none`, {
      remedy: folder
        ? 'Training leaves it at its end: the same lathe train goes on in that folder. Otherwise name the .gguf file itself.'
        : 'Check the path, or see the models known by name: lathe models list',
    });
  return path;
}

/** The strongest catalogue model in the cache, else the smallest download. */
export async function defaultModel(env: NodeJS.ProcessEnv = process.env): Promise<{ name: string; cached: boolean }> {
  const folder = modelsFolder(env);
  for (const entry of CATALOGUE.toReversed())
    if (await isCached(folder, entry)) return { name: entry.name, cached: true };
  return { name: CATALOGUE[0]!.name, cached: false };
}

function entryOf(name: string): ModelEntry {
  const entry = CATALOGUE.find((each) => each.name === name);
  if (entry === undefined) throw unknownModel(name);
  return entry;
}

function unknownModel(name: string, isPath = false): LatheError {
  const known = CATALOGUE.map((entry) => entry.name).join(', ');
  return new LatheError('LATHE_NOT_FOUND_MODEL', `no model is called ${JSON.stringify(name)}; known are ${known}`, {
    remedy: isPath
      ? `Something of that name lies here; a path has a slash: local:./${name}`
      : 'See lathe models list, or name the path of a .gguf file.',
  });
}
