import type { Budget, MakeRequest, MakerNews, Proposal, Tree } from '@lathe/protocol';

const SOURCE = `/** Twice the number. */
export function double(number) {
  throw new Error('not written yet');
}
`;

export const ANSWER = '```js\nexport function double(number) {\n  return number * 2;\n}\n```\n';

export function tree(files: Readonly<Record<string, string>>): Tree {
  return {
    list: async () => Object.keys(files).sort(),
    read: async (path) => (files[path] === undefined ? null : new TextEncoder().encode(files[path])),
  };
}

/** A purse that remembers what was set aside and spent, and the most both came to together. */
export class TestBudget implements Budget {
  spentUsd = 0;
  reservedUsd = 0;
  mostUsd = 0;
  /** Reservations that were asked for in vain. */
  refusals = 0;
  readonly capUsd: number;

  constructor(capUsd = Number.POSITIVE_INFINITY) {
    this.capUsd = capUsd;
  }

  get availableUsd(): number {
    return this.capUsd - this.spentUsd - this.reservedUsd;
  }

  reserve(maximumUsd: number) {
    if (maximumUsd > this.availableUsd) {
      this.refusals += 1;
      return null;
    }
    this.reservedUsd += maximumUsd;
    this.mostUsd = Math.max(this.mostUsd, this.spentUsd + this.reservedUsd);
    return {
      settle: (actualUsd: number) => {
        this.reservedUsd -= maximumUsd;
        this.spentUsd += actualUsd;
      },
    };
  }
}

export function holeRequest(options: Partial<MakeRequest> & { n?: number } = {}): MakeRequest {
  const { n = 3, ...rest } = options;
  return {
    task: {
      kind: 'hole',
      instruction: '',
      at: { file: 'double.js', name: 'double' },
      files: [],
      checks: [],
      allow: [],
    },
    base: tree({ 'double.js': SOURCE }),
    indices: Array.from({ length: n }, (_, index) => index),
    seed: 7,
    temperature: null,
    budget: new TestBudget(),
    workspaces: {
      isolation: 'none',
      withAccess: () => {
        throw new Error('hosted models run no commands');
      },
      open: async () => {
        throw new Error('hosted models need no copy');
      },
    },
    signal: new AbortController().signal,
    ...rest,
  };
}

/** All news in order; the error it ended with, where it did. */
export async function collect(
  news: AsyncIterable<MakerNews>,
): Promise<{ news: MakerNews[]; proposals: Proposal[]; error: unknown }> {
  const all: MakerNews[] = [];
  let error: unknown = null;
  try {
    for await (const one of news) all.push(one);
  } catch (thrown) {
    error = thrown;
  }
  const proposals = all.flatMap((one) => (one.type === 'proposal' ? [one.proposal] : []));
  return { news: all, proposals: proposals.toSorted((a, b) => a.index - b.index), error };
}
