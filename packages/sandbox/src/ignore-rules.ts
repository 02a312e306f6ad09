import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import ignore, { type Ignore } from 'ignore';

const RULES_MAX_BYTES = 1 << 20;

/**
 * gitignore(5) over a tree with a `.gitignore` in any directory: the deepest file that says something about a path decides, and
 * nothing below an ignored directory can be taken back in.
 */
export class IgnoreRules {
  readonly #layers: readonly string[];
  readonly #extra: Ignore;
  readonly #byDirectory = new Map<string, Promise<Ignore | null>>();
  readonly #verdicts = new Map<string, Promise<boolean>>();

  /** `layers`: trees, first wins, that are searched for `.gitignore` files. `extra`: rules of lowest precedence (`info/exclude`). */
  constructor(layers: readonly string[], extra: string) {
    this.#layers = layers;
    this.#extra = matcher(extra);
  }

  /** Whether a path that git does not track is ignored. */
  ignores(path: string, isDirectory: boolean): Promise<boolean> {
    const key = isDirectory ? `${path}/` : path;
    let verdict = this.#verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.#decide(path, key);
      this.#verdicts.set(key, verdict);
    }
    return verdict;
  }

  async #decide(path: string, key: string): Promise<boolean> {
    const parts = path.split('/');
    if (parts.length > 1 && (await this.ignores(parts.slice(0, -1).join('/'), true))) return true;
    for (let depth = parts.length - 1; depth >= 0; depth--) {
      const rules = await this.#rulesIn(parts.slice(0, depth).join('/'));
      const { ignored, unignored } = rules?.test(key.split('/').slice(depth).join('/')) ?? {};
      if (ignored) return true;
      if (unignored) return false;
    }
    return this.#extra.ignores(key);
  }

  #rulesIn(directory: string): Promise<Ignore | null> {
    let rules = this.#byDirectory.get(directory);
    if (rules === undefined) {
      rules = this.#read(directory);
      this.#byDirectory.set(directory, rules);
    }
    return rules;
  }

  async #read(directory: string): Promise<Ignore | null> {
    for (const layer of this.#layers) {
      const text = await readPlainFile(join(layer, directory, '.gitignore'));
      if (text !== null) return matcher(text);
    }
    return null;
  }
}

function matcher(rules: string): Ignore {
  return ignore({ ignorecase: false, allowRelativePaths: true }).add(rules);
}

/** Null where there is no such plain file. Not followed where it is a link, not waited for where it is a pipe. */
async function readPlainFile(path: string): Promise<string | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => null);
  if (file === null) return null;
  try {
    const stat = await file.stat();
    return stat.isFile() && stat.size <= RULES_MAX_BYTES ? await file.readFile('utf8') : null;
  } finally {
    await file.close();
  }
}
