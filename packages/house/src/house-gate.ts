import { type Gate, HOUSE_SIGNAL, type NotLookedFor } from '@lathe/protocol';
import { type Model, openModel } from '@lathe/transformer';
import { type ChangedFile, houseExcess } from './fit.ts';
import { scoreFile } from './score.ts';

export interface HouseGate extends Gate {
  /** Opens the model, so that the first candidate need not wait. Throws what `openModel` throws. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

/** Longer files are not read: candidates wait for it. */
const MOST_BYTES = 128 * 1024;
const WHAT = 'fit with the house';

/**
 * Reads every candidate with a model of the repository's own code and records how unlike its surroundings the change
 * reads, as the signal `HOUSE_SIGNAL`. It finds nothing and rejects nothing. What could not be read is said.
 */
export function createHouseGate({ modelPath, threads }: { modelPath: string; threads?: number }): HouseGate {
  let opening: Promise<Model> | null = null;
  const open = () => {
    opening ??= openModel(modelPath, { contextSize: 2048, ...(threads === undefined ? {} : { threads }) });
    return opening;
  };
  return {
    name: 'house',
    async inspect({ base, edits, signal }) {
      const model = await open();
      const files: ChangedFile[] = [];
      const notLookedFor: NotLookedFor[] = [];
      for (const { path, content, mode } of edits) {
        if (content === null || mode === '120000') continue;
        const after = textOf(content);
        if (after === null || content.length > MOST_BYTES) {
          notLookedFor.push({ what: `${WHAT}, of ${path}`, why: after === null ? 'it is not text' : 'it is too long' });
          continue;
        }
        const old = await base.read(path);
        const { lines } = await scoreFile(model, path, after, { signal });
        files.push({ before: old === null ? null : textOf(old), after, lines });
      }
      const excess = houseExcess(files);
      if (excess !== null) return { findings: [], notLookedFor, reject: null, signals: { [HOUSE_SIGNAL]: excess } };
      const why = 'no changed line is new, or too few lines of the files are unchanged to compare with';
      return { findings: [], notLookedFor: [...notLookedFor, { what: WHAT, why }], reject: null };
    },
    async warm() {
      await open();
    },
    async close() {
      const model = await opening?.catch(() => null);
      await model?.close();
    },
  };
}

function textOf(content: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return null;
  }
}
