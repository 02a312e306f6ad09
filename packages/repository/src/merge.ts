import { commitTree } from './commit.ts';
import { GitFailure, type GitOptions, git } from './git.ts';
import { RepositoryError } from './problem.ts';

export interface Conflict {
  readonly path: string;
  /** The lines that clash, between conflict markers; empty where the clash is not about lines. */
  readonly text: string;
}

export interface MergeResult {
  readonly tree: string;
  readonly clean: boolean;
  readonly conflicts: readonly Conflict[];
  /** What git says of the conflicts. */
  readonly messages: readonly string[];
}

/**
 * Three-way merge of two trees against their common base, in the object store alone: the same merge as `git merge`
 * (renames followed), without touching index or checkout.
 *
 * @throws LATHE_GIT_TOO_OLD before git 2.38
 */
export async function mergeTrees(
  sides: { base: string; ours: { tree: string; label: string }; theirs: { commit: string; label: string } },
  options: GitOptions,
): Promise<MergeResult> {
  // As a child of the base, so that git finds the base by itself.
  const message = 'The checkout as it is\n';
  const ours = await commitTree({ tree: sides.ours.tree, parents: [sides.base], message }, options);
  const theirs = sides.theirs.commit;
  const output = await git(['merge-tree', '--write-tree', '-z', '--messages', ours, theirs], {
    ...options,
    accept: [1],
  }).catch((error: unknown) => {
    if (!(error instanceof GitFailure) || error.exitCode !== 129) throw error;
    throw new RepositoryError('LATHE_GIT_TOO_OLD', 'This git cannot merge without a checkout.', {
      remedy: 'Install git 2.38 or newer.',
      cause: error,
    });
  });
  const { tree, paths, messages } = parseMergeOutput(output.stdout.toString('utf8'));
  if (output.exitCode === 0) return { tree, clean: true, conflicts: [], messages: [] };
  const name = (text: string) => text.replaceAll(ours, sides.ours.label).replaceAll(theirs, sides.theirs.label);
  const conflicts = await Promise.all(
    paths.map(async (path) => ({ path, text: name(await conflictText(tree, path, options)) })),
  );
  return { tree, clean: false, conflicts, messages: messages.map(name) };
}

/**
 * With `-z`: tree, NUL; per conflicted stage `mode SP id SP stage TAB path`, NUL; an empty field; then per message the
 * number of paths, the paths, the kind and the text, each ended by NUL.
 */
function parseMergeOutput(output: string): { tree: string; paths: string[]; messages: string[] } {
  const [tree = '', ...fields] = output.split('\0');
  const paths = new Set<string>();
  let at = 0;
  for (; at < fields.length && fields[at] !== ''; at += 1) paths.add((fields[at] ?? '').replace(/^[^\t]*\t/, ''));
  const messages: string[] = [];
  for (at += 1; at < fields.length && fields[at] !== ''; ) {
    const kindAt = at + 1 + Number(fields[at]);
    if ((fields[kindAt] ?? '').startsWith('CONFLICT')) messages.push((fields[kindAt + 1] ?? '').trim());
    at = kindAt + 2;
  }
  return { tree, paths: [...paths], messages };
}

async function conflictText(tree: string, path: string, options: GitOptions): Promise<string> {
  const { stdout, exitCode } = await git(['cat-file', 'blob', `${tree}:${path}`], { ...options, accept: [128] });
  if (exitCode !== 0) return '';
  const hunks = stdout.toString('utf8').match(/^<{7} [\s\S]*?^>{7} .*$/gm) ?? [];
  return hunks.join('\n');
}

/** Content of a blob as a checkout of `path` would hold it: line ends and the user's own filters applied. */
export async function checkoutContent(id: string, path: string, options: GitOptions): Promise<Buffer> {
  return (await git(['cat-file', '--filters', `--path=${path}`, id], options)).stdout;
}
