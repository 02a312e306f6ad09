import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { admissible, type RefusedEdit } from './admissible.ts';
import type { BaseTrees } from './base-trees.ts';
import { changesBetween, type DiffSize, editsOf, type FileEdit } from './changes.ts';
import { commitTree } from './commit.ts';
import { GitFailure, type GitOptions, git, gitText } from './git.ts';
import type { Location } from './location.ts';
import type { ObjectReader } from './objects.ts';
import { withTemporaryFolder } from './temporary.ts';

export interface RecordRequest {
  readonly runId: string;
  readonly index: number;
  readonly baseCommit: string;
  readonly edits: readonly FileEdit[];
  /** Message of the commit; it should carry whatever is needed to tell later where the candidate came from. */
  readonly message: string;
}

/** A candidate as a commit. */
export interface RecordedCandidate {
  /** `refs/lathe/<run>/<index>` */
  readonly ref: string;
  readonly commit: string;
  readonly message: string;
  readonly diff: DiffSize;
  /** What the commit really changes, as edits of the base. */
  readonly edits: readonly FileEdit[];
}

/** `recorded` is null where nothing was left to record: every edit was refused, or none changes anything. */
export interface RecordOutcome {
  readonly recorded: RecordedCandidate | null;
  readonly refused: readonly RefusedEdit[];
}

export function candidateRef(runId: string, index: number): string {
  return `refs/lathe/${runId}/${index}`;
}

/**
 * Makes the candidate's commit on top of the base and points its ref at it, without any checkout. The ref is created
 * as the last step and never moved: a candidate that has its ref is returned as it is, so a call can be repeated after
 * a crash at any point.
 *
 * Edits that may not enter the tree are refused one by one, see `admissible`.
 */
export async function recordCandidate(
  request: RecordRequest,
  location: Location,
  reader: ObjectReader,
  bases: BaseTrees,
): Promise<RecordOutcome> {
  const { runId, index, baseCommit, message } = request;
  const options: GitOptions = { cwd: location.root };
  const find = () => findCandidate(runId, index, baseCommit, location, reader);
  const base = await bases.of(baseCommit);
  const { accepted, refused } = admissible(request.edits, base.entries);
  const tree =
    accepted.length === 0
      ? base.tree
      : await withTemporaryFolder(join(location.latheDir, 'tmp'), (folder) =>
          treeWithEdits(baseCommit, accepted, folder, options),
        );
  if (tree === base.tree) return { recorded: await find(), refused };
  const commit = await commitTree({ tree, parents: [baseCommit], message }, options);
  const ref = candidateRef(runId, index);
  try {
    // The empty old value means: only if there is no such ref yet.
    await git(['update-ref', '--no-deref', ref, commit, ''], options);
  } catch (error) {
    if (!(error instanceof GitFailure) || !error.stderr.includes('already exists')) throw error;
    return { recorded: await find(), refused };
  }
  return { recorded: await describe({ ref, commit, message }, baseCommit, reader, options), refused };
}

/** The recorded candidate of a run at an index, or null. */
export async function findCandidate(
  runId: string,
  index: number,
  baseCommit: string,
  location: Location,
  reader: ObjectReader,
): Promise<RecordedCandidate | null> {
  const options: GitOptions = { cwd: location.root };
  const ref = candidateRef(runId, index);
  const found = await git(['for-each-ref', '--format=%(objectname)%00%(contents)', ref], options);
  const text = found.stdout.toString('utf8');
  if (text === '') return null;
  const commit = text.slice(0, text.indexOf('\0'));
  // for-each-ref ends its line, as a commit ends its message.
  const message = text.slice(commit.length + 1, -1);
  return describe({ ref, commit, message }, baseCommit, reader, options);
}

async function describe(
  { ref, commit, message }: { ref: string; commit: string; message: string },
  baseCommit: string,
  reader: ObjectReader,
  options: GitOptions,
): Promise<RecordedCandidate> {
  const { entries, size } = await changesBetween(baseCommit, commit, options);
  return { ref, commit, message: message.replace(/\n$/, ''), diff: size, edits: await editsOf(entries, reader) };
}

async function treeWithEdits(
  base: string,
  edits: readonly FileEdit[],
  folder: string,
  options: GitOptions,
): Promise<string> {
  const withIndex: GitOptions = { ...options, env: { GIT_INDEX_FILE: join(folder, 'index') } };
  const written = edits.filter((edit) => edit.content !== null);
  const [ids] = await Promise.all([
    written.length === 0 ? [] : writeBlobs(written, folder, options),
    git(['read-tree', base], withIndex),
  ]);
  const zero = '0'.repeat(base.length);
  // Deletions first, so that a file can take the place of a folder and the other way round.
  const lines = [
    ...edits.filter((edit) => edit.content === null).map((edit) => `0 ${zero}\t${edit.path}\0`),
    ...written.map((edit, i) => `${edit.mode} ${ids[i]}\t${edit.path}\0`),
  ];
  await git(['update-index', '-z', '--index-info'], { ...withIndex, input: lines.join('') });
  return gitText(['write-tree'], withIndex);
}

/** Stores contents as blobs, byte for byte, with one git process; ids in the same order. */
async function writeBlobs(edits: readonly FileEdit[], folder: string, options: GitOptions): Promise<string[]> {
  const files = await Promise.all(
    edits.map(async (edit, i) => {
      const file = join(folder, String(i));
      await writeFile(file, edit.content ?? new Uint8Array());
      return file;
    }),
  );
  const args = ['hash-object', '-w', '--no-filters', '--stdin-paths'];
  return (await gitText(args, { ...options, input: `${files.join('\n')}\n` })).split('\n');
}
