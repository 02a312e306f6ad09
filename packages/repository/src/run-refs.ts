import { type GitOptions, git, gitText } from './git.ts';
import type { Location } from './location.ts';

export interface RunRefs {
  readonly runId: string;
  /** Every ref of the run: `base` and the candidates. */
  readonly refs: readonly { readonly ref: string; readonly commit: string }[];
  /** When the newest of its commits was made, in milliseconds since the epoch. */
  readonly newestMs: number;
}

/** Runs that have refs in the repository, newest first. */
export async function listRunRefs(location: Location): Promise<RunRefs[]> {
  const format = '--format=%(refname)%00%(objectname)%00%(committerdate:unix)';
  const text = await gitText(['for-each-ref', format, 'refs/lathe/'], { cwd: location.root });
  const runs = new Map<string, { refs: RunRefs['refs'][number][]; newestMs: number }>();
  for (const line of text === '' ? [] : text.split('\n')) {
    const [ref = '', commit = '', seconds = ''] = line.split('\0');
    const runId = ref.split('/')[2] ?? '';
    const run = runs.get(runId) ?? { refs: [], newestMs: 0 };
    run.refs.push({ ref, commit });
    if (!ref.endsWith('/base')) run.newestMs = Math.max(run.newestMs, Number(seconds) * 1000);
    runs.set(runId, run);
  }
  return [...runs].map(([runId, run]) => ({ runId, ...run })).sort((a, b) => b.newestMs - a.newestMs);
}

/**
 * Deletes the refs given, all or none: a ref that has moved or gone since it was listed stops the whole deletion. The
 * objects stay until git's own housekeeping finds them unreachable.
 */
export async function deleteRefs(refs: RunRefs['refs'], location: Location): Promise<void> {
  if (refs.length === 0) return;
  const options: GitOptions = { cwd: location.root };
  const lines = refs.map(({ ref, commit }) => `delete ${ref}\0${commit}\0`).join('');
  await git(['update-ref', '--no-deref', '-z', '--stdin'], { ...options, input: `start\0${lines}commit\0` });
}
