import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { MakeRequest, Maker, MakerNews, Proposal, Task, WorkspaceSource } from '@lathe/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memoryTree } from '../testing/memory-tree.ts';
import { createLocalMaker } from './local-maker.ts';

const CACHE = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const MODEL = join(CACHE, 'lathe/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf');
const MISSING = existsSync(MODEL) ? '' : ` (skipped: ${MODEL} is not there; lathe models pull smollm2-135m)`;

const SUM =
  '/**\n * Add up all numbers of an array.\n *\n * sum([1, 2, 3]) // 6\n *\n * @param {number[]} numbers\n */\nexport function sum(numbers) {\n}\n';
const HOLE: Task = {
  kind: 'hole',
  instruction: '',
  at: { file: 'sum.js', name: 'sum' },
  files: [],
  checks: [],
  allow: [],
};

const NO_COPIES: WorkspaceSource = {
  isolation: 'none',
  open: () => Promise.reject(new Error('a local model needs no copy')),
  withAccess: () => NO_COPIES,
};

function request(change: Partial<MakeRequest> = {}): MakeRequest {
  return {
    task: HOLE,
    base: memoryTree({ 'sum.js': SUM }),
    indices: [0, 1, 2],
    seed: 5,
    temperature: null,
    budget: { availableUsd: Number.POSITIVE_INFINITY, reserve: () => ({ settle: () => {} }) },
    workspaces: NO_COPIES,
    signal: new AbortController().signal,
    ...change,
  };
}

async function proposals(maker: Maker, change: Partial<MakeRequest> = {}): Promise<readonly Proposal[]> {
  const made: Proposal[] = [];
  for await (const news of maker.make(request(change))) if (news.type === 'proposal') made.push(news.proposal);
  return made.sort((a, b) => a.index - b.index);
}

describe.skipIf(MISSING !== '')(`the local maker${MISSING}`, () => {
  let maker: Maker;
  beforeAll(() => {
    maker = createLocalMaker({ model: 'local:smollm2-135m', modelPath: MODEL, maxAnswerTokens: 60 });
  });
  afterAll(() => maker.close());

  test('makes every index once, with edits of the hole alone, and says what it does', async () => {
    const news: MakerNews[] = [];
    for await (const one of maker.make(request())) news.push(one);
    const phases = news.flatMap((one) => (one.type === 'phase' ? [one.phase] : []));
    expect(phases).toEqual(['loading', 'reading', 'writing']);
    const made = news.flatMap((one) => (one.type === 'proposal' ? [one.proposal] : []));
    expect(made.map(({ index }) => index).sort()).toEqual([0, 1, 2]);
    expect(made.some(({ outcome }) => outcome === 'made')).toBe(true);
    for (const { outcome, edits, reason, tokens, meanLogProbability, seed } of made) {
      expect(seed).toBe(5);
      expect(tokens.completion).toBeGreaterThan(0);
      expect(meanLogProbability).toBeLessThan(0);
      if (outcome === 'made') {
        const text = new TextDecoder().decode(edits[0]!.content!);
        expect(text.startsWith(SUM.slice(0, SUM.lastIndexOf('}')).trimEnd())).toBe(true);
        expect(text.endsWith('\n}\n')).toBe(true);
      } else expect(reason).not.toBe(null);
    }
    const last = news.findLastIndex((one) => one.type === 'tokens');
    expect(last).toBeGreaterThan(0);
  });

  test('a candidate does not depend on the others, and its prompt is counted once for all', async () => {
    const three = await proposals(maker, { speculate: false });
    const [alone] = await proposals(maker, { indices: [2], speculate: false });
    expect(alone!.answer).toBe(three[2]!.answer);
    const read = three.reduce((sum, { tokens }) => sum + tokens.prompt, 0);
    expect(read).toBe(alone!.tokens.prompt);
  });

  test('drawn to differ, all answers differ, and what is made later is what it would have been', async () => {
    const indices = [0, 2, 4, 6, 8];
    const drawn = { indices, share: indices, distinct: 1 };
    const all = await proposals(maker, drawn);
    expect(all.map(({ index }) => index)).toEqual(indices);
    expect(new Set(all.map(({ answer }) => answer)).size).toBe(5);
    const later = await proposals(maker, { ...drawn, indices: [2, 6] });
    expect(later.map(({ index, answer }) => ({ index, answer }))).toEqual(
      [1, 3].map((place) => ({ index: indices[place], answer: all[place]!.answer })),
    );
  });

  test('an answer that is cut off says so', async () => {
    const brief = createLocalMaker({ model: 'local:smollm2-135m', modelPath: MODEL, maxAnswerTokens: 3 });
    const [made] = await proposals(brief, { indices: [0] });
    expect(made).toMatchObject({ outcome: 'invalid', reason: expect.stringContaining('cut off at 3 tokens') });
    await brief.close();
  });

  test('a prompt that does not fit names tokens and window', async () => {
    const task: Task = { ...HOLE, instruction: 'word '.repeat(20_000) };
    await expect(proposals(maker, { task })).rejects.toMatchObject({
      code: 'LATHE_CONTEXT_TOO_LONG',
      message: expect.stringMatching(/takes \d{5,} tokens; local:smollm2-135m has a window of \d+, of which 60/),
      remedy: expect.stringContaining('larger window'),
    });
  });

  test('an abort ends it with the reason of the signal', async () => {
    const stop = new AbortController();
    const run = async () => {
      for await (const news of maker.make(request({ signal: stop.signal }))) {
        if (news.type === 'tokens') stop.abort(new Error('enough'));
      }
    };
    await expect(run()).rejects.toThrow('enough');
  });
});

test('a model file that is none is refused by the first request, not by opening the maker', async () => {
  const maker = createLocalMaker({ model: 'local:x', modelPath: import.meta.filename });
  await expect(proposals(maker)).rejects.toMatchObject({ code: expect.stringMatching(/^LATHE_/) });
  await maker.close();
});
