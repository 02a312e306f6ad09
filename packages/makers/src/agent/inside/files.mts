import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import {
  type ReadTextFileRequest,
  type ReadTextFileResponse,
  RequestError,
  type WriteTextFileRequest,
} from '@agentclientprotocol/sdk/unstable';

/** Serves `fs/read_text_file`: lines from `line` (from 1), at most `limit`. */
export async function readTextFile(
  root: string,
  { path, line, limit }: ReadTextFileRequest,
): Promise<ReadTextFileResponse> {
  const text = await readFile(await inside(root, path), 'utf8').catch((error) => {
    throw error.code === 'ENOENT' ? RequestError.resourceNotFound(path) : error;
  });
  if (line == null && limit == null) return { content: text };
  const lines = text.split('\n');
  const from = Math.max(0, (line ?? 1) - 1);
  return { content: lines.slice(from, limit == null ? undefined : from + limit).join('\n') };
}

/** Serves `fs/write_text_file`. Missing directories are made. */
export async function writeTextFile(
  root: string,
  { path, content }: WriteTextFileRequest,
): Promise<Record<string, never>> {
  const file = await inside(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return {};
}

/** The path with its links followed as far as it exists; refused where that leads out of the copy. */
async function inside(root: string, path: string): Promise<string> {
  const file = resolve(root, path);
  const realRoot = await realpath(root);
  let existing = file;
  let rest = '';
  for (;;) {
    const real = await realpath(existing).catch((error) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (real !== null) {
      const target = real + rest;
      if (target === realRoot || target.startsWith(realRoot + sep)) return target;
      throw RequestError.invalidParams({ path }, `outside the working directory: ${path}`);
    }
    rest = existing.slice(dirname(existing).length) + rest;
    existing = dirname(existing);
  }
}
