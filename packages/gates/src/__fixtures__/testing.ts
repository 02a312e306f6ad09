import { mkdtemp, rm, mkdir, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FileEdit, Tree, Workspace } from '@lathe/protocol';

/** A tree held in memory. */
export function treeWith(files: Readonly<Record<string, string>>): Tree {
  return {
    list: async () => Object.keys(files).sort(),
    read: async (path) => (path in files ? Buffer.from(files[path]!) : null),
  };
}

export function edit(path: string, text: string | null): FileEdit {
  return { path, content: text === null ? null : Buffer.from(text), mode: '100644' };
}

/** A workspace without isolation, for probes of this package's own fixtures. */
export async function plainWorkspace(): Promise<Omit<Workspace, 'start'>> {
  const root = await mkdtemp(join(tmpdir(), 'lathe-probe-test-'));
  return {
    async write(edits) {
      for (const { path, content } of edits) {
        if (!content) continue;
        await mkdir(dirname(join(root, path)), { recursive: true });
        await writeFile(join(root, path), content);
      }
    },
    run: (command, { limits }) =>
      new Promise((resolve, reject) => {
        const started = performance.now();
        const child = spawn('sh', ['-c', command], { cwd: root, timeout: limits.timeMs });
        let output = '';
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
        child.on('error', reject);
        child.on('close', (code) =>
          resolve({
            ending: code === null ? 'timed-out' : 'exited',
            exitCode: code,
            durationMs: performance.now() - started,
            outputTail: output.slice(-16_384),
            peakMemoryBytes: 0,
          }),
        );
      }),
    changes: async () => [],
    close: () => rm(root, { recursive: true, force: true }),
  };
}
