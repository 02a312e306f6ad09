import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's young generation at the size it starts with, for a process that does nothing but audit: what a commit's diff
 * leaves behind is then cleared away while it is small. On a history of 9,600 commits the peak is a quarter lower for a
 * fifth more of this process's own time, most of which passes while git works.
 *
 * It concerns the whole process and cannot be taken back.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
