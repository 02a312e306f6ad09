import { isAbsolute, relative, resolve, sep } from 'node:path';
import type { Device } from '@lathe/graph';
import { LatheError, type Task } from '@lathe/protocol';
import { readTaskFile } from './task-file.ts';

/** `lathe make` as commander parses it. */
export interface MakeFlags {
  readonly task?: string;
  readonly at?: string;
  readonly n?: number;
  readonly model?: readonly string[];
  readonly check?: readonly string[];
  readonly allow?: readonly string[];
  readonly file?: readonly string[];
  readonly temperature?: number;
  /** `true`: without a value. */
  readonly distinct?: number | true;
  /** False where `--no-speculation` was said. */
  readonly speculation?: boolean;
  /** False where `--no-grammar` was said. */
  readonly grammar?: boolean;
  readonly device?: Device;
  readonly house?: string;
  readonly seed?: number;
  readonly maxCost?: number;
  readonly maxSeconds?: number;
  readonly concurrency?: number;
  readonly keep?: 'best';
  readonly unsafeNoSandbox?: boolean;
  readonly json?: boolean;
}

/** What was asked, from the command line and the task file together; the command line wins. Null: nobody said. */
export interface MakeSettings {
  readonly task: Omit<Task, 'checks'>;
  readonly checks: readonly string[] | null;
  readonly n: number;
  readonly models: readonly string[] | null;
  readonly temperature: number | null;
  readonly distinct: number | null;
  readonly speculation: boolean;
  readonly grammar: boolean;
  readonly device: Device;
  /** Model of the repository's own code, as it was named. */
  readonly house: string | null;
  readonly seed: number | null;
  readonly maxCostUsd: number | null;
  readonly maxSeconds: number | null;
  readonly concurrency: number | null;
  readonly keep: 'best' | 'none';
  readonly unsafeNoSandbox: boolean;
}

/**
 * Paths on the command line are meant from the directory one stands in, paths in a task file from the repository's
 * root; both come back relative to the root. Throws `LATHE_USAGE_*` where the task is missing or said twice.
 */
export async function readSettings(
  words: string | undefined,
  flags: MakeFlags,
  { cwd, root }: { cwd: string; root: string },
): Promise<MakeSettings> {
  const given = takeInstruction(words, flags);
  const file = flags.task === undefined ? null : await readTaskFile(resolve(cwd, flags.task));
  if (given.instruction !== '' && file !== null && file.instruction !== '') {
    throw new LatheError(
      'LATHE_USAGE_TWO_INSTRUCTIONS',
      `the instruction stands on the command line and in ${flags.task}`,
      {
        remedy: 'leave one of them out',
      },
    );
  }
  const instruction = given.instruction || (file?.instruction ?? '');
  const inFile = file?.settings ?? {};
  const at =
    flags.at !== undefined
      ? parseHole(flags.at, { from: cwd, root })
      : inFile.at !== undefined
        ? parseHole(inFile.at, { from: root, root })
        : undefined;
  if (at === undefined && instruction === '') throw noTask();
  const files =
    given.file?.map((path) => insideRepository(path, { from: cwd, root })) ??
    inFile.file?.map((path) => insideRepository(path, { from: root, root })) ??
    [];
  return {
    task: {
      kind: at === undefined ? 'instruction' : 'hole',
      instruction,
      ...(at === undefined ? {} : { at }),
      files,
      allow: [...(given.allow ?? inFile.allow ?? [])],
    },
    checks: given.check ?? inFile.check ?? null,
    n: flags.n ?? inFile.n ?? 10,
    models: given.model ?? inFile.model ?? null,
    temperature: flags.temperature ?? inFile.temperature ?? null,
    distinct: (flags.distinct === true ? 1 : flags.distinct) ?? inFile.distinct ?? null,
    speculation: flags.speculation !== false && inFile.speculation !== false,
    grammar: flags.grammar !== false && inFile.grammar !== false,
    device: flags.device ?? inFile.device ?? 'cpu',
    house: flags.house ?? inFile.house ?? null,
    seed: flags.seed ?? inFile.seed ?? null,
    maxCostUsd: flags.maxCost ?? inFile['max-cost'] ?? null,
    maxSeconds: flags.maxSeconds ?? inFile['max-seconds'] ?? null,
    concurrency: flags.concurrency ?? inFile.concurrency ?? null,
    keep: flags.keep ?? inFile.keep ?? 'none',
    unsafeNoSandbox: flags.unsafeNoSandbox === true,
  };
}

type Lists = Pick<MakeFlags, 'model' | 'check' | 'allow' | 'file'>;

/**
 * `--model A B` takes every word up to the next option, so in `make --check "npm test" "add a retry"` it takes the
 * instruction too. A run without `--at` and `--task` must have an instruction: then the last of several is it. With
 * them it is not guessed, except that a word that names no kind of model cannot be a model.
 */
function takeInstruction(words: string | undefined, flags: MakeFlags): Lists & { instruction: string } {
  const lists: Lists = { model: flags.model, check: flags.check, allow: flags.allow, file: flags.file };
  if (words !== undefined) return { ...lists, instruction: words.trim() };
  const stray = flags.model?.at(-1);
  if (stray !== undefined && flags.model!.length > 1 && !/^[a-z]+:/.test(stray)) {
    return { ...lists, model: flags.model!.slice(0, -1), instruction: stray.trim() };
  }
  if (flags.at !== undefined || flags.task !== undefined) return { ...lists, instruction: '' };
  const several = (['check', 'allow', 'file'] as const).filter((name) => (flags[name]?.length ?? 0) > 1);
  const name = several.length === 1 ? several[0]! : null;
  if (name === null) throw noTask();
  return { ...lists, [name]: flags[name]!.slice(0, -1), instruction: flags[name]!.at(-1)!.trim() };
}

function parseHole(text: string, base: { from: string; root: string }): { file: string; name: string } {
  const colon = text.lastIndexOf(':');
  const [file, name] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || name === '') {
    throw new LatheError('LATHE_USAGE_AT', `--at expects FILE:NAME and got "${text}"`, {
      remedy: 'name the file and the function, e.g. --at src/slug.js:slugify',
    });
  }
  return { file: insideRepository(file, base), name };
}

function insideRepository(path: string, { from, root }: { from: string; root: string }): string {
  const inside = relative(root, resolve(from, path));
  if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw new LatheError('LATHE_USAGE_OUTSIDE', `${path} is not a file inside the repository ${root}`, {
      remedy: 'name a file of this repository',
    });
  }
  return sep === '/' ? inside : inside.replaceAll(sep, '/');
}

function noTask(): LatheError {
  return new LatheError('LATHE_USAGE_NO_TASK', 'nothing to make: no function, no instruction, no task file', {
    remedy: 'lathe make --at src/slug.js:slugify\nlathe make "add a retry to the client"\nlathe make --task task.md',
  });
}
