import { Event, type Proposal } from '@lathe/protocol';
import { candidateId } from './replay.ts';

type Made = Extract<Event, { type: 'candidate-made' }>;

/** What the commit of a candidate says beside its tree. */
export interface Provenance {
  readonly made: Made;
  readonly reverted: readonly string[];
}

const RECORD = 'Lathe-Record: ';

/** The event a proposal becomes. */
export function madeEvent(proposal: Proposal, model: string, atMs: number): Made {
  const { index, seed, outcome, reason, answer, tokens, costUsd, durationMs, meanLogProbability, reach } = proposal;
  return {
    type: 'candidate-made',
    atMs,
    index,
    model,
    seed,
    outcome,
    reason,
    answer,
    tokens,
    costUsd,
    durationMs,
    meanLogProbability,
    ...(reach === undefined ? {} : { reach }),
  };
}

/**
 * Message of a candidate's commit. It carries the whole event, so that a candidate whose process died between making
 * the ref and storing the event loses nothing: neither its answer nor what it cost.
 */
export function commitMessage(runId: string, provenance: Provenance): string {
  const { made } = provenance;
  const head = `${candidateId(made.index)} of Lathe run ${runId}\n\nMade by ${made.model} with seed ${made.seed}.\n`;
  return `${head}\n${RECORD}${JSON.stringify(provenance)}\n`;
}

/** What `commitMessage` wrote, or null where the message is not one of Lathe's. */
export function readCommitMessage(message: string): Provenance | null {
  const line = message.split('\n').findLast((one) => one.startsWith(RECORD));
  if (line === undefined) return null;
  try {
    const { made, reverted } = JSON.parse(line.slice(RECORD.length));
    const event = Event.safeParse(made);
    if (!event.success || event.data.type !== 'candidate-made') return null;
    return { made: event.data, reverted: Array.isArray(reverted) ? reverted.map(String) : [] };
  } catch {
    return null;
  }
}
