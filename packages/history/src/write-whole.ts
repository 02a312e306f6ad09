import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Written beside and renamed, so that a reader sees a whole file or none; folders that lack are made. */
export async function writeWhole(to: string, content: string | readonly Uint8Array[]): Promise<void> {
  const temporary = `${to}.${process.pid}`;
  await mkdir(dirname(to), { recursive: true });
  try {
    await writeFile(temporary, content);
    await rename(temporary, to);
  } finally {
    await rm(temporary, { force: true });
  }
}
