/** The model file that recorded fixtures were made from, in the model cache; null where it has not been pulled. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const path = join(cache, 'lathe', 'models', 'smollm2-135m', 'SmolLM2-135M-Instruct.Q4_1.gguf');

export const smollm2File: string | null = existsSync(path) ? path : null;

/** For the title of a skipped test. */
export const withoutSmollm2 = smollm2File === null ? ` (skipped: no ${path}; run "lathe models pull smollm2-135m")` : '';
