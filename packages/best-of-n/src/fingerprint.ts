import { createHash } from 'node:crypto';
import type { FileEdit } from '@lathe/protocol';

/**
 * Brings a file's content into a form that is equal for equal code. Must be cautious: content that could behave
 * differently keeps different forms.
 */
export type Normalise = (path: string, content: Uint8Array) => Promise<Uint8Array | string>;

/**
 * Name of a candidate's code: equal for candidates whose edits of the base are the same after normalising, whatever
 * their order. 16 hexadecimal digits of a SHA-256.
 */
export async function fingerprint(edits: readonly FileEdit[], normalise: Normalise): Promise<string> {
  const parts = await Promise.all(
    edits.map(async ({ path, mode, content }) => {
      const hash = createHash('sha256');
      if (content !== null) hash.update(mode === '120000' ? content : await normalise(path, content));
      return `${path}\0${content === null ? 'deleted' : `${mode} ${hash.digest('hex')}`}\0`;
    }),
  );
  return createHash('sha256').update(parts.toSorted().join('')).digest('hex').slice(0, 16);
}
