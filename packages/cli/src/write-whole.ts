import { realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import process from 'node:process';

/**
 * Writes a file whole or not at all: what stood there stays where the disk is full. A link is followed; a device or a
 * pipe (`/dev/stdout`) is written to as it is. Errors name `path`.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const isFile = await stat(target).then(
    (found) => found.isFile(),
    () => true,
  );
  const temporary = `${target}.${process.pid}`;
  try {
    if (!isFile) return await writeFile(target, text);
    await writeFile(temporary, text);
    await rename(temporary, target);
  } catch (error) {
    if (isFile) await rm(temporary, { force: true });
    throw Object.assign(error as NodeJS.ErrnoException, { path });
  }
}
