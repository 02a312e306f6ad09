import { CURATE_DEFAULTS, type CuratedFile, type CurateOptions, curate, curatedFiles } from '@lathe/house';

/** Files that curation keeps, training first, with their texts in memory: corpora of benches are small. */
export async function curated(roots: readonly string[], options: Partial<CurateOptions>): Promise<CuratedFile[]> {
  const { train, validation, close } = await curate(roots, { ...CURATE_DEFAULTS, ...options });
  const files: CuratedFile[] = [];
  for (const part of [train, validation]) for await (const file of curatedFiles(part)) files.push(file);
  await close();
  return files;
}
