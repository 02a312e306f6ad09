import type { PrepareOptions } from './prepared-task.ts';

/** A part of a prompt. The first listed is the most wanted; `text` joins its fellows in the order of `place`. */
export interface Section {
  /** What it is, for the record of what was left out: `tests in test/slug.test.js`. */
  readonly name: string;
  readonly text: string;
  /** Position in the prompt. */
  readonly place: number;
  /** A part without which the task cannot be asked. */
  readonly isNeeded?: boolean;
}

/** Tokens a chat template puts around two messages, on the high side. */
const TEMPLATE_TOKENS = 48;

export interface Fitted {
  readonly text: string;
  readonly leftOut: readonly string[];
  /** Tokens of the needed parts alone, where they do not fit. */
  readonly tooLong: number | null;
}

/** The sections that fit into the window, the most wanted first; the needed ones are always there. */
export function fit(sections: readonly Section[], { contextTokens, countTokens }: PrepareOptions): Fitted {
  const taken = sections.filter((section) => section.isNeeded);
  let tokens = TEMPLATE_TOKENS + countTokens(joined(taken));
  const tooLong = tokens > contextTokens ? tokens : null;
  const leftOut: string[] = [];
  for (const section of sections) {
    if (section.isNeeded) continue;
    // No tokenizer packs 32 characters of text into each token: what is longer cannot fit and is not worth counting.
    const size =
      section.text.length > 32 * contextTokens ? Number.POSITIVE_INFINITY : countTokens(`\n\n${section.text}`);
    if (tokens + size > contextTokens) {
      leftOut.push(section.name);
      continue;
    }
    tokens += size;
    taken.push(section);
  }
  return { text: joined(taken), leftOut, tooLong };
}

function joined(sections: readonly Section[]): string {
  return sections
    .toSorted((a, b) => a.place - b.place)
    .map((section) => section.text)
    .join('\n\n');
}
