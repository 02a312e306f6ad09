import type { Device, GgufFile, Model, ModelCache } from '@lathe/transformer';

/** A model that is open, with what the chat template needs of its file. */
export interface Opened {
  readonly model: Model;
  readonly file: Pick<GgufFile, 'path' | 'metadata'>;
}

export interface Opening {
  readonly modelPath: string;
  readonly device?: Device | undefined;
  readonly threads?: number | undefined;
  readonly cache?: ModelCache | null | undefined;
}

/** Prompts kept in memory while a model is open: about 5,000 tokens of a small one. */
const PROMPT_MEMORY_BYTES = 256 << 20;

interface Shared {
  readonly opened: Promise<Opened>;
  users: number;
}

/** Models open in this process, by path, device and threads: several makers of one model share one set of weights. */
const open = new Map<string, Shared>();

/** Opens the model, or takes it where it is open already. Every success must be followed by one `release`. */
export async function acquire(opening: Opening): Promise<Opened> {
  const key = keyOf(opening);
  const shared = open.get(key) ?? { opened: openAnew(opening), users: 0 };
  open.set(key, shared);
  shared.users++;
  try {
    return await shared.opened;
  } catch (error) {
    // The next to ask tries again.
    if (open.get(key) === shared) open.delete(key);
    throw error;
  }
}

/** The last one out closes the model. */
export async function release(opening: Opening): Promise<void> {
  const key = keyOf(opening);
  const shared = open.get(key);
  if (shared === undefined || --shared.users > 0) return;
  open.delete(key);
  await (await shared.opened).model.close();
}

function keyOf({ modelPath, device, threads }: Opening): string {
  return `${device ?? 'cpu'} ${threads ?? 'all'} ${modelPath}`;
}

async function openAnew({ modelPath, device, threads, cache }: Opening): Promise<Opened> {
  // The runtime behind it is a native library that takes longer to load than most commands take to run.
  const { openGguf, openModel } = await import('@lathe/transformer');
  const file = await openGguf(modelPath);
  try {
    const model = await openModel(file, {
      device,
      ...(threads === undefined ? {} : { threads }),
      cache: cache ?? null,
      promptMemoryBytes: PROMPT_MEMORY_BYTES,
    });
    return { model, file };
  } finally {
    await file.close();
  }
}
