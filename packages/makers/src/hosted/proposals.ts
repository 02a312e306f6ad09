import type { Proposal } from '@lathe/protocol';
import type { ChatMessage, PreparedTask } from '../prepared-task.ts';
import type { Answer, Choice } from './ask.ts';
import { estimateTokens } from './tokens.ts';

interface Common {
  readonly seed: number;
  readonly durationMs: number;
  /** Cost of earlier attempts that came to nothing. */
  readonly lostUsd: number;
}

interface Request {
  readonly answer: Answer;
  readonly promptText: readonly ChatMessage[];
  readonly costUsd: number;
  readonly maxOutputTokens: number;
}

/**
 * Candidates of one answer, one for each index. Tokens and cost of the request are shared out so that they sum to what
 * the server counted: the prompt equally, the rest by the length of each text. Where it counts nothing, tokens are
 * estimated from the text.
 */
export async function proposalsOf(
  indices: readonly number[],
  prepared: PreparedTask,
  { answer, promptText, costUsd, maxOutputTokens }: Request,
  { seed, durationMs, lostUsd }: Common,
): Promise<Proposal[]> {
  const choices = answer.choices.slice(0, indices.length);
  const prompt =
    answer.usage?.promptTokens ?? promptText.reduce((sum, { content }) => sum + estimateTokens(content), 0);
  const completion = answer.usage?.completionTokens ?? choices.reduce((sum, { text }) => sum + estimateTokens(text), 0);
  const prompts = shares(
    prompt,
    choices.map(() => 1),
  );
  const completions = shares(
    completion,
    choices.map(({ text }) => text.length + 1),
  );
  const proposals: Proposal[] = [];
  for (const [at, choice] of choices.entries()) {
    const part = completion === 0 ? 1 / choices.length : completions[at]! / completion;
    const made = await editsOf(prepared, choice, maxOutputTokens);
    proposals.push({
      index: indices[at]!,
      ...made,
      answer: choice.text,
      seed,
      tokens: { prompt: prompts[at]!, completion: completions[at]! },
      costUsd: (costUsd + lostUsd) * part,
      durationMs,
      meanLogProbability: null,
    });
  }
  return proposals;
}

/** A candidate of which there is no answer. */
export function unmade(
  index: number,
  outcome: 'error' | 'timed-out',
  reason: string,
  { seed, durationMs, lostUsd }: Common,
): Proposal {
  return {
    index,
    outcome,
    reason,
    edits: [],
    answer: '',
    seed,
    tokens: { prompt: 0, completion: 0 },
    costUsd: lostUsd,
    durationMs,
    meanLogProbability: null,
  };
}

async function editsOf(
  prepared: PreparedTask,
  { text, ending }: Choice,
  maxOutputTokens: number,
): Promise<Pick<Proposal, 'outcome' | 'reason' | 'edits'>> {
  if (ending === 'content-filter')
    return { outcome: 'invalid', reason: 'the provider withheld the answer (content filter)', edits: [] };
  const edits = await prepared.toEdits(text, 'chat', ending === 'length');
  if ('edits' in edits) return { outcome: 'made', reason: null, edits: edits.edits };
  const cut = ending === 'length' ? `; the answer was cut off at ${maxOutputTokens} tokens` : '';
  return { outcome: 'invalid', reason: `${edits.invalid}${cut}`, edits: [] };
}

/** Whole numbers in the proportion of the weights that sum to `total` (largest remainder). */
export function shares(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  const exact = weights.map((weight) => (total * weight) / sum);
  const whole = exact.map(Math.floor);
  const left = total - whole.reduce((a, b) => a + b, 0);
  const order = exact.map((value, at) => ({ at, rest: value - Math.floor(value) })).sort((a, b) => b.rest - a.rest);
  for (const { at } of order.slice(0, left)) whole[at]! += 1;
  return whole;
}
