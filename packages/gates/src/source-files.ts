import type { NotLookedFor, Tree } from '@lathe/protocol';
import picomatch from 'picomatch';
import type { GateConfig } from './config.ts';
import type { SourceFile } from './finding.ts';
import { isCode, type Language, languageOf } from './language.ts';

/** Dependencies, build output, generated and lock files: somebody else's code, or nobody's. */
const NOT_OURS =
  /(^|\/)(node_modules|bower_components|vendor|third_party|\.git|\.venv|venv|__pycache__|dist|build|coverage|\.next|target)\/|\.min\.(js|css)$|\.(map|snap|lock|svg|pb\.go)$|(^|\/)(package-lock|npm-shrinkwrap)\.json$|(^|\/)pnpm-lock\.yaml$|_pb2\.pyi?$|\.generated\.\w+$|\.bundle\.js$/;

/** Whether a path is looked at: nobody else's code, and not ignored by the settings. */
export function selector(config: GateConfig): (path: string) => boolean {
  const ignored = config.ignore.length > 0 ? picomatch([...config.ignore], { dot: true }) : () => false;
  return (path) => !NOT_OURS.test(path) && !ignored(path);
}

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
  const selected = selector(config);
  const files: SourceFile[] = [];
  const notLookedFor: NotLookedFor[] = [];
  const skip = (path: string, why: string): void => {
    notLookedFor.push({ what: `weaknesses in ${path}`, why });
  };
  let large = 0;
  for (const path of options.paths ?? (await tree.list())) {
    const language = languageOf(path);
    if (!selected(path) || (options.languages && !options.languages.includes(language))) continue;
    let content: Uint8Array | null = null;
    let bytes: number;
    try {
      const size = tree.size ? await tree.size(path) : undefined;
      if (size === null) continue;
      if (size === undefined || size <= config.maxFileBytes) content = await tree.read(path);
      if (content === null && (size === undefined || size <= config.maxFileBytes)) continue;
      bytes = content?.byteLength ?? size!;
    } catch (error) {
      // A repository that cannot be read is no matter of one file.
      if (error instanceof Error && 'code' in error && String(error.code).startsWith('LATHE_')) throw error;
      skip(path, `it cannot be read: ${reasonOf(error)}`);
      continue;
    }
    if (content === null || bytes > config.maxFileBytes) {
      if (isCode(language)) skip(path, `${bytes} bytes, more than ${config.maxFileBytes}`);
      else large += 1;
      continue;
    }
    if (content.subarray(0, 8000).includes(0)) {
      if (isCode(language)) skip(path, 'it holds a zero byte, as binary files do');
      continue;
    }
    const text = Buffer.from(content).toString('utf8');
    if (isCode(language) && text.split('\n', 3).some((line) => line.length > 20_000)) {
      skip(path, 'its lines are too long to be written by hand (minified or generated)');
      continue;
    }
    files.push({ path, text, language });
  }
  if (large > 0) {
    notLookedFor.push({
      what: `secrets in ${large} data ${large === 1 ? 'file' : 'files'}`,
      why: `larger than ${config.maxFileBytes} bytes`,
    });
  }
  return { files, notLookedFor };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
