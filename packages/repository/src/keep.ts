import { lstat, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChangedEntry, changedEntries } from './changes.ts';
import { type CheckoutChange, changeCheckout, undoLeftOver } from './checkout-change.ts';
import { commitPaths, requireCommittable } from './commit-paths.ts';
import { type GitOptions, git, gitText } from './git.ts';
import type { Location } from './location.ts';
import { checkoutContent, type MergeResult, mergeTrees } from './merge.ts';
import { writeNote } from './notes.ts';
import type { ObjectReader } from './objects.ts';
import { pathRefusal } from './paths.ts';
import { RepositoryError } from './problem.ts';
import { candidateRef } from './record.ts';
import { workingTree } from './snapshot.ts';

export interface KeepRequest {
  readonly runId: string;
  readonly index: number;
  readonly baseCommit: string;
  /** Also commit the change, on the branch that is checked out. */
  readonly commit?: boolean;
  /** Message of that commit. */
  readonly message?: string;
  /** Where the candidate came from, for the git note: `{ model, seed, version }`. */
  readonly provenance?: Readonly<Record<string, string | number>>;
}

export interface Kept {
  /** Paths the candidate changes, sorted. */
  readonly files: string[];
  /** The new commit, or null where none was asked for or the checkout had the change already. */
  readonly commit: string | null;
}

/**
 * Applies a candidate to the checkout: a three-way merge of what the candidate changed and what the checkout has become
 * since, worked out in the object store. Only files that differ are written, all of them or none; the index, branches
 * and ignored files stay as they are unless a commit is asked for. Provenance goes into a git note on the candidate's
 * commit, and on the new commit. A candidate that is in the checkout already is kept without a change.
 *
 * @throws LATHE_KEEP_CONFLICT with the conflict in the message, LATHE_KEEP_IN_THE_WAY, LATHE_KEEP_RACE,
 *   LATHE_KEEP_UNCOMMITTED, LATHE_NOT_FOUND_CANDIDATE_COMMIT; the checkout is then as before
 */
export async function keepCandidate(request: KeepRequest, location: Location, reader: ObjectReader): Promise<Kept> {
  const options: GitOptions = { cwd: location.root };
  await undoLeftOver(join(location.latheDir, 'keep'));
  const candidate = await candidateCommit(request, options);
  const files = (await changedEntries(request.baseCommit, candidate, options)).map(({ path }) => path).sort();
  const current = await workingTree(location);
  if (request.commit === true) await requireCommittable(files, current.tree, location);
  const label = `c${request.index + 1}`;
  const merged = await mergeTrees(
    {
      base: request.baseCommit,
      ours: { tree: current.tree, label: 'your checkout' },
      theirs: { commit: candidate, label },
    },
    options,
  );
  if (!merged.clean) throw conflictProblem(label, merged);

  const entries = await changedEntries(current.tree, merged.tree, options);
  const changes = await Promise.all(entries.map((entry) => toChange(entry, options)));
  await requireUnchanged(entries, location.root, reader);
  const note = noteText(request, candidate);
  const commit = await changeCheckout(location.root, changes, join(location.latheDir, 'keep'), async () => {
    await writeNote(candidate, note, options);
    if (request.commit !== true || entries.length === 0) return null;
    return commitPaths(files, request.message ?? defaultMessage(request), options);
  });
  if (commit !== null) await writeNote(commit, note, options);
  return { files, commit };
}

async function candidateCommit({ runId, index }: KeepRequest, options: GitOptions): Promise<string> {
  const ref = candidateRef(runId, index);
  const args = ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`];
  const found = await gitText(args, { ...options, accept: [1, 128] });
  if (found !== '') return found;
  throw new RepositoryError('LATHE_NOT_FOUND_CANDIDATE_COMMIT', `There is no commit at ${ref}.`, {
    remedy: 'The candidate changed nothing, or the run was removed by lathe clean. lathe show tells which.',
  });
}

/** Lines of a conflict that are shown; the rest is counted. */
const SHOWN_LINES = 40;

function conflictProblem(label: string, { conflicts, messages }: MergeResult): RepositoryError {
  const paths = conflicts.map(({ path }) => path);
  const text = conflicts.filter((one) => one.text !== '').flatMap((one) => [`${one.path}:`, ...one.text.split('\n')]);
  const shown = text.slice(0, SHOWN_LINES);
  if (text.length > shown.length) shown.push(`… and ${text.length - shown.length} more lines`);
  const lines = [
    `${label} conflicts with what the checkout has become since the run began, in ${paths.join(', ')}. Nothing was changed.`,
    ...messages,
    ...shown,
  ];
  return new RepositoryError('LATHE_KEEP_CONFLICT', lines.join('\n'), {
    remedy: `Take the changes to these files out of the checkout (git stash), keep ${label}, and bring them back.`,
  });
}

async function toChange({ path, after }: ChangedEntry, options: GitOptions): Promise<CheckoutChange> {
  const why = pathRefusal(path);
  if (why !== null) throw new RepositoryError('LATHE_KEEP_PATH', `${JSON.stringify(path)} cannot be kept: ${why}.`);
  if (after === null) return { path, after: null };
  if (after.mode === '160000') {
    throw new RepositoryError('LATHE_KEEP_PATH', `${path} cannot be kept: it is a submodule.`);
  }
  if (after.mode === '120000') {
    const content = (await git(['cat-file', 'blob', after.id], options)).stdout;
    return { path, after: { kind: 'link', executable: false, content } };
  }
  const content = await checkoutContent(after.id, path, options);
  return { path, after: { kind: 'file', executable: after.mode === '100755', content } };
}

/**
 * The checkout still holds what was merged, and new files do not fall on anything, ignored files included.
 */
async function requireUnchanged(entries: readonly ChangedEntry[], root: string, reader: ObjectReader): Promise<void> {
  const files: ChangedEntry[] = [];
  for (const entry of entries) {
    const stat = await lstat(join(root, entry.path)).catch(() => null);
    if (entry.before === null) {
      const willBeEmptied = stat?.isDirectory() && entries.some(({ path }) => path.startsWith(`${entry.path}/`));
      if (stat !== null && !willBeEmptied) throw inTheWay(entry.path);
    } else if (entry.before.mode === '120000') {
      const target = await readlink(join(root, entry.path), 'buffer').catch(() => null);
      if (target === null || !target.equals(await reader.read(entry.before.id))) throw race(entry.path);
    } else if (stat?.isFile()) {
      files.push(entry);
    } else {
      throw race(entry.path);
    }
  }
  if (files.length === 0) return;
  const input = `${files.map(({ path }) => path).join('\n')}\n`;
  const ids = (await gitText(['hash-object', '--stdin-paths'], { cwd: root, input })).split('\n');
  for (const [i, { path, before }] of files.entries()) if (before?.id !== ids[i]) throw race(path);
}

function inTheWay(path: string): RepositoryError {
  return new RepositoryError(
    'LATHE_KEEP_IN_THE_WAY',
    `The candidate creates ${path}, and the checkout has something there that git does not track. Nothing was changed.`,
    { remedy: `Move ${path} away, then keep the candidate again.` },
  );
}

function race(path: string): RepositoryError {
  return new RepositoryError(
    'LATHE_KEEP_RACE',
    `${path} changed while the candidate was being kept. Nothing was changed.`,
    {
      remedy: 'Keep the candidate again.',
    },
  );
}

function noteText({ runId, index, provenance = {} }: KeepRequest, candidate: string): string {
  const facts = { run: runId, candidate: `c${index + 1}`, 'candidate-commit': candidate, ...provenance };
  return Object.entries(facts)
    .map(([name, value]) => `lathe-${name}: ${String(value).replace(/\s+/g, ' ')}\n`)
    .join('');
}

function defaultMessage({ runId, index }: KeepRequest): string {
  return `Keep candidate c${index + 1} of Lathe run ${runId}\n`;
}
