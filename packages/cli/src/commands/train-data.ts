import { access, readFile, rename, rmdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CURATE_DEFAULTS, type Curated, type CurateProgress, curate, type DataCard } from '@lathe/house';
import { LatheError } from '@lathe/protocol';
import { formatCount, plural } from '../format.ts';
import type { Display } from '../make/display.ts';
import { plainLine } from '../plain-text.ts';
import { writeWhole } from '../write-whole.ts';

export interface DataFlags {
  readonly language?: readonly string[];
  readonly excludeLicence?: readonly string[];
  readonly withoutFindings?: boolean;
}

export interface TrainingData {
  readonly training: Curated['train'];
  readonly validation: Curated['validation'];
  readonly card: DataCard;
  /** Leaves `data-card.json` and `data-files.jsonl` in the folder of the run. */
  record(tokens: TokenCounts): Promise<void>;
  /** Takes the texts off the disk. */
  close(): Promise<void>;
}

/** In the vocabulary the model learns with. */
export interface TokenCounts {
  readonly training: number;
  readonly validation: number;
}

const CARD = 'data-card.json';
/** Every file that is learned from, a line each: where it is, its language, time, licence and SHA-256. */
const FILES = 'data-files.jsonl';
/** Texts, as long as the run reads them. */
const TEXTS = 'texts.part';

/**
 * Chooses what is learned from and says what was left out. Throws `LATHE_TRAIN_DATA` where there is nothing to learn from or
 * to validate on.
 */
export async function trainingData(
  paths: readonly string[],
  directory: string,
  flags: DataFlags,
  { cwd, signal, display }: { readonly cwd: string; readonly signal: AbortSignal; readonly display: Display },
): Promise<TrainingData> {
  display.doing('choosing files to learn from');
  const options = {
    ...CURATE_DEFAULTS,
    ...(flags.language && { languages: flags.language }),
    ...(flags.excludeLicence && { excludedLicences: flags.excludeLicence }),
    withoutFindings: flags.withoutFindings === true,
  };
  // What the folder of the run holds is made from the corpus and no part of it.
  const hooks = { directory: join(directory, TEXTS), skip: [directory], signal };
  const roots = paths.map((path) => resolve(cwd, path));
  const onProgress = (progress: CurateProgress) => display.doing(progressInWords(progress));
  let curated: Curated;
  try {
    curated = await curate(roots, options, { ...hooks, onProgress });
  } catch (error) {
    await rmdir(directory).catch(() => {});
    if (signal.aborted)
      throw new LatheError('LATHE_CANCELLED_TRAINING', 'stopped while choosing files to learn from', {
        remedy: 'The same command begins anew.',
        cause: error,
      });
    throw error;
  }
  const { train: training, validation, card } = curated;
  const close = async () => {
    await curated.close();
    await rmdir(directory).catch(() => {});
  };
  try {
    for (const line of cardInWords(card)) display.note(line);
    if (training.count === 0 || validation.count === 0)
      throw new LatheError(
        'LATHE_TRAIN_DATA',
        `expected files to learn from and files to validate on, got ${training.count} and ${validation.count}`,
        {
          remedy:
            card.found === 0
              ? 'Nothing was found there: of a repository, what git tracks is looked at; of a folder, what its .gitignore does not name.'
              : card.kept === 0
                ? 'All that was found was left out, for the reasons above: name other files.'
                : 'Name more folders or repositories: a tenth of the files, the latest, is kept for validation.',
        },
      );
    if (await isGoneOnWithOther(directory, card))
      display.note('the files are not those this run was begun with: it goes on with what is there now');
  } catch (error) {
    await close();
    throw error;
  }
  const record = async (tokens: TokenCounts) => {
    await rename(curated.list, join(directory, FILES));
    await writeWhole(join(directory, CARD), `${JSON.stringify({ ...card, tokens }, null, 2)}\n`);
  };
  return { training, validation, card, record, close };
}

/** Whether an earlier run in the folder has saved what it learned, and from another corpus. */
async function isGoneOnWithOther(directory: string, { digest }: DataCard): Promise<boolean> {
  const isBegun = await access(join(directory, 'last.safetensors')).then(
    () => true,
    () => false,
  );
  const text = await readFile(join(directory, CARD), 'utf8').catch(() => null);
  if (!isBegun || text === null) return false;
  try {
    return (JSON.parse(text) as Partial<DataCard>).digest !== digest;
  } catch {
    return true;
  }
}

export async function refuseMissing(paths: readonly string[], cwd: string): Promise<void> {
  for (const path of paths)
    await stat(resolve(cwd, path)).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR' && cause.code !== 'ELOOP') throw cause;
      const got = cause.code === 'ELOOP' ? 'links that lead in a circle' : 'nothing';
      throw new LatheError('LATHE_NOT_FOUND_FILE', `expected files to learn from at ${path}, found ${got}`, { cause });
    });
}

function progressInWords({ found, kept, ordered }: CurateProgress): string {
  return ordered === 0
    ? `choosing files to learn from: ${formatCount(kept)} of ${formatCount(found)} so far`
    : `putting files in order of time: ${formatCount(ordered)} of ${formatCount(kept)}`;
}

function cardInWords({ filters, found, kept, train, validation, licences }: DataCard): string[] {
  const out = filters.flatMap(({ filter, before, after }) =>
    after < before ? [`${formatCount(before - after)} ${filter}`] : [],
  );
  const under = Object.entries(licences).map(
    ([name, files]) => `${formatCount(files)} ${name === 'NOASSERTION' ? 'not said' : plainLine(name)}`,
  );
  const others = under.length - MOST_LICENCES;
  return [
    `${plural(kept, 'file')} of ${formatCount(found)} to learn from: ${formatCount(train.files)} for training, the latest ${formatCount(validation.files)} for validation`,
    ...(out.length > 0 ? [`left out: ${out.join(', ')}`] : []),
    ...(under.length > 0
      ? [`licences: ${under.slice(0, MOST_LICENCES).join(', ')}${others > 0 ? `, ${plural(others, 'other')}` : ''}`]
      : []),
  ];
}

const MOST_LICENCES = 6;
