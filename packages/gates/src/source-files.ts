import type { NotLookedFor, Tree } from '@lathe/protocol';
import picomatch from 'picomatch';
import type { GateConfig } from './config.ts';
import type { SourceFile } from './finding.ts';
import { isCode, type Language, languageOf } from './language.ts';

/** Dependencies, build output, generated and lock files: somebody else's code, or nobody's. */
const NOT_OURS =
  /(^|\/)(node_modules|bower_components|vendor|third_party|\.git|\.venv|venv|__pycache__|dist|build|coverage|\.next|target)\/|\.min\.(js|css)$|\.(map|snap|lock|svg|pb\.go)$|(^|\/)(package-lock|npm-shrinkwrap)\.json$|(^|\/)pnpm-lock\.yaml$|_pb2\.pyi?$|\.generated\.\w+$|\.bundle\.js$/;

export interface Selection {
  readonly files: readonly SourceFile[];
  readonly notLookedFor: readonly NotLookedFor[];
}

/** Files of the tree that are looked at, read and decoded. What is left out for its size is said. */
export async function sourceFiles(
  tree: Tree,
  config: GateConfig,
  options: { paths?: readonly string[]; languages?: readonly Language[] } = {},
): Promise<Selection> {
  const ignored = config.ignore.length > 0 ? picomatch([...config.ignore], { dot: true }) : () => false;
  const files: SourceFile[] = [];
  const notLookedFor: NotLookedFor[] = [];
  for (const path of options.paths ?? (await tree.list())) {
    const language = languageOf(path);
    if (NOT_OURS.test(path) || ignored(path) || (options.languages && !options.languages.includes(language))) continue;
    const content = await tree.read(path);
    if (content === null) continue;
    if (content.byteLength > config.maxFileBytes) {
      // A large data file is no surprise; large code is.
      if (isCode(language))
        notLookedFor.push({
          what: `weaknesses in ${path}`,
          why: `${content.byteLength} bytes, more than ${config.maxFileBytes}`,
        });
      continue;
    }
    if (content.subarray(0, 8000).includes(0)) continue;
    const text = Buffer.from(content).toString('utf8');
    if (isCode(language) && text.split('\n', 3).some((line) => line.length > 20_000)) {
      notLookedFor.push({
        what: `weaknesses in ${path}`,
        why: 'its lines are too long to be written by hand (minified or generated)',
      });
      continue;
    }
    files.push({ path, text, language });
  }
  return { files, notLookedFor };
}
