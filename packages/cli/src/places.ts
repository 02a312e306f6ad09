import { join } from 'node:path';
import envPaths from 'env-paths';

const cache = envPaths('lathe', { suffix: '' }).cache;

/** Where copies of candidates live while they are checked, a folder for each run. */
export const WORK_ROOT = join(cache, 'work');

export const CACHE_ROOT = cache;

/** What scanners said of files, a file for each repository or folder that was scanned. */
export const FINDINGS_CACHE = join(cache, 'findings');
