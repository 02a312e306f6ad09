import { type GitOptions, gitText } from './git.ts';
import { type TreeEntry, treeEntries } from './tree.ts';

export interface BaseTree {
  /** Id of the tree object. */
  readonly tree: string;
  readonly entries: readonly TreeEntry[];
}

/** The tree of the commit that was asked for last: all candidates of a run start from the same. */
export class BaseTrees {
  readonly #options: GitOptions;
  #commit = '';
  #base: Promise<BaseTree> | null = null;

  constructor(options: GitOptions) {
    this.#options = options;
  }

  of(commit: string): Promise<BaseTree> {
    if (this.#base === null || this.#commit !== commit) {
      const base = this.#read(commit);
      this.#commit = commit;
      this.#base = base;
      base.catch(() => {
        if (this.#base === base) this.#base = null;
      });
    }
    return this.#base;
  }

  async #read(commit: string): Promise<BaseTree> {
    const [tree, entries] = await Promise.all([
      gitText(['rev-parse', '--verify', `${commit}^{tree}`], this.#options),
      treeEntries(commit, this.#options),
    ]);
    return { tree, entries };
  }
}
