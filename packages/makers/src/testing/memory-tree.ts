import type { Tree } from '@lathe/protocol';

/** A tree of files in memory, for tests. */
export function memoryTree(files: Readonly<Record<string, string | Uint8Array>>): Tree {
  return {
    list: async () => Object.keys(files).toSorted(),
    read: async (path) => {
      const content = Object.hasOwn(files, path) ? files[path]! : null;
      return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    },
  };
}
