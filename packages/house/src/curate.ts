import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LANGUAGE_NAMES } from '@lathe/history';
import { LatheError } from '@lathe/protocol';
import { type DocumentFile, eachLine } from '@lathe/transformer';
import { KeptFiles } from './kept-files.ts';
import { checkExcluded } from './licence-name.ts';
import { type CuratedFile, FILTERS, type Filter, Sieve, type SieveOptions } from './sieve.ts';
import { sourceFiles } from './source.ts';

export interface CurateOptions extends SieveOptions {
  /** Share of the files, the latest ones, kept for validation. */
  readonly validationShare: number;
}

export const CURATE_DEFAULTS: CurateOptions = {
  languages: [],
  maxFileBytes: 512 * 1024,
  maxLineLength: 400,
  excludedLicences: [],
  withoutFindings: false,
  validationShare: 0.1,
};

export interface CurateHooks {
  /** A folder for what is kept, made anew; one among the system's temporary ones otherwise. It needs room for the texts twice. */
  readonly directory?: string;
  /** Folders that nothing is learned from. */
  readonly skip?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CurateProgress) => void;
}

export interface CurateProgress {
  /** Files looked at so far. */
  readonly found: number;
  readonly kept: number;
  /** Files in order so far, once all have been looked at. */
  readonly ordered: number;
}

/** What went in and what did not, so that a model can be answered for. */
export interface DataCard {
  readonly roots: readonly string[];
  readonly found: number;
  /** In the order they are applied: files before each filter, and those it left. */
  readonly filters: readonly { readonly filter: Filter; readonly before: number; readonly after: number }[];
  readonly kept: number;
  readonly train: { readonly files: number; readonly bytes: number };
  readonly validation: { readonly files: number; readonly bytes: number; readonly since: string | null };
  readonly languages: Readonly<Record<string, number>>;
  /** Files by SPDX expression; `NOASSERTION`: nothing is said about them. */
  readonly licences: Readonly<Record<string, number>>;
  /** Files by where their licence is said. */
  readonly licencesFrom: Readonly<Record<string, number>>;
  /** SHA-256 over the kept files' own, in order: equal corpora have equal digests. */
  readonly digest: string;
}

export interface Curated {
  /** Kept files on disk, in order: `curatedFiles` goes through them, and training does. */
  readonly train: DocumentFile;
  readonly validation: DocumentFile;
  readonly card: DataCard;
  /** JSON lines on disk: each kept file without its text, and which `part` it is in. */
  readonly list: string;
  /** Takes it all off the disk. */
  close(): Promise<void>;
}

/**
 * Chooses from repositories and folders what a model should learn from. The same input gives the same corpus, in the same
 * order. Validation files are the latest ones, so that the model is judged on what was written after what it has seen.
 *
 * Texts are never in memory together: what is kept goes to disk as it comes, and from there, in order, into the two files of
 * the result. For each kept file at most 300 bytes stay in memory, for each that git tracks 45 more while it is read.
 *
 * Throws `LATHE_USAGE_LANGUAGE` and `LATHE_USAGE_LICENCE` for a name that is none, `LATHE_TRAIN_SOURCE` for a root that cannot
 * be gone through, and the signal's reason.
 */
export async function curate(
  roots: readonly string[],
  options: CurateOptions,
  { directory: given, skip = [], signal, onProgress }: CurateHooks = {},
): Promise<Curated> {
  checkLanguages(options.languages);
  checkExcluded(options.excludedLicences);
  const directory = given ?? (await mkdtemp(join(tmpdir(), 'lathe-corpus-')));
  const close = () => rm(directory, { recursive: true, force: true });
  try {
    await close();
    await mkdir(dirname(directory), { recursive: true });
    await mkdir(directory, { mode: 0o700 });
    const kept = new KeptFiles(join(directory, 'kept.jsonl'));
    try {
      const out = Object.fromEntries(FILTERS.map((filter) => [filter, 0])) as Record<Filter, number>;
      let found = 0;
      const tell = (ordered: number) => onProgress?.({ found, kept: kept.count, ordered });
      const ranks = ranksOf(roots);
      const take = (judged: CuratedFile | Filter) => {
        if (typeof judged === 'string') out[judged]++;
        else kept.add(judged, ranks.get(judged.root)!);
      };
      const sieve = new Sieve(options);
      try {
        for (const root of roots)
          for await (const file of sourceFiles(root, { skip: [...skip, directory], signal })) {
            signal?.throwIfAborted();
            found++;
            for (const judged of await sieve.judge(file)) take(judged);
            tell(0);
          }
        for (const judged of await sieve.rest()) take(judged);
      } finally {
        await sieve.close();
      }
      // Of two files or more at least one is kept for validation, unless none is asked for.
      const share = Math.floor(kept.count * options.validationShare);
      const later = options.validationShare > 0 && kept.count > 1 ? Math.max(1, share) : share;
      const order = kept.oldestFirst();
      const cut = order.length - later;
      const card = new Tallies();
      const list = join(directory, 'files.jsonl');
      const listed = await open(list, 'w');
      const write = async (part: 'train' | 'validation', numbers: Uint32Array, done: number) =>
        writePart(part, join(directory, `${part}.jsonl`), { kept, numbers, card, listed }, (written) => {
          signal?.throwIfAborted();
          tell(done + written);
        });
      const train = await write('train', order.subarray(0, cut), 0);
      const validation = await write('validation', order.subarray(cut), cut);
      await listed.close();
      const since = later === 0 ? null : new Date(1000 * kept.timeOf(order[cut]!)).toISOString();
      return {
        train: train.files,
        validation: validation.files,
        card: {
          roots,
          found,
          filters: steps(found, out),
          kept: kept.count,
          train: { files: cut, bytes: train.bytes },
          validation: { files: later, bytes: validation.bytes, since },
          ...card.counts(),
        },
        list,
        close,
      };
    } finally {
      kept.close();
      await rm(join(directory, 'kept.jsonl'), { force: true });
    }
  } catch (error) {
    await close();
    throw error;
  }
}

function checkLanguages(languages: readonly string[]): void {
  for (const language of languages) {
    if (LANGUAGE_NAMES.has(language)) continue;
    const meant = [...LANGUAGE_NAMES].find((name) => name.toLowerCase() === language.toLowerCase());
    throw new LatheError('LATHE_USAGE_LANGUAGE', `expected the name of a language, got ${JSON.stringify(language)}`, {
      remedy: `${meant === undefined ? '' : `Did you mean ${meant}? `}The names are linguist's: TypeScript, C++, Python.`,
    });
  }
}

/** Roots by name: the order among files of one time does not depend on the order in which roots were named. */
function ranksOf(roots: readonly string[]): ReadonlyMap<string, number> {
  return new Map([...new Set(roots)].sort().map((root, i) => [root, i]));
}

function steps(found: number, out: Readonly<Record<Filter, number>>): DataCard['filters'] {
  let before = found;
  return FILTERS.map((filter) => {
    const step = { filter, before, after: before - out[filter] };
    before = step.after;
    return step;
  });
}

/** Bytes that are written at once. */
const WRITTEN_BYTES = 2 ** 20;

async function writePart(
  part: 'train' | 'validation',
  path: string,
  { kept, numbers, card, listed }: { kept: KeptFiles; numbers: Uint32Array; card: Tallies; listed: FileHandle },
  onWritten: (files: number) => void,
): Promise<{ files: DocumentFile; bytes: number }> {
  const handle = await open(path, 'w', 0o600);
  let bytes = 0;
  let lines: Buffer[] = [];
  let list = '';
  let waiting = 0;
  const write = async () => {
    await handle.writeFile(Buffer.concat(lines));
    await listed.writeFile(list);
    [lines, list, waiting] = [[], '', 0];
  };
  try {
    for (const [i, number] of numbers.entries()) {
      const line = kept.line(number);
      const { text, ...file } = JSON.parse(line.toString('utf8')) as CuratedFile;
      bytes += Buffer.byteLength(text);
      card.add(file);
      lines.push(line);
      list += `${JSON.stringify({ part, ...file })}\n`;
      waiting += line.length;
      if (waiting < WRITTEN_BYTES) continue;
      await write();
      onWritten(i);
    }
    await write();
  } finally {
    await handle.close();
  }
  return { files: { path, count: numbers.length }, bytes };
}

/** Kept files one at a time, as often as wanted until they are taken off the disk. */
export async function* curatedFiles({ path }: DocumentFile): AsyncGenerator<CuratedFile> {
  for await (const line of eachLine(path)) yield JSON.parse(line) as CuratedFile;
}

class Tallies {
  readonly #languages = new Map<string, number>();
  readonly #licences = new Map<string, number>();
  readonly #licencesFrom = new Map<string, number>();
  readonly #digest = createHash('sha256');

  add({ language, licence, licenceFrom, sha256 }: Omit<CuratedFile, 'text'>): void {
    for (const [counts, name] of [
      [this.#languages, language],
      [this.#licences, licence],
      [this.#licencesFrom, licenceFrom],
    ] as const)
      counts.set(name, (counts.get(name) ?? 0) + 1);
    this.#digest.update(sha256);
  }

  /** Most frequent first. To be asked for once. */
  counts() {
    return {
      languages: mostFirst(this.#languages),
      licences: mostFirst(this.#licences),
      licencesFrom: mostFirst(this.#licencesFrom),
      digest: this.#digest.digest('hex'),
    };
  }
}

function mostFirst(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}
