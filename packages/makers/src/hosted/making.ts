import type { MakeRequest, MakerNews, Proposal } from '@lathe/protocol';
import { streamNews } from '../news-stream.ts';
import type { PreparedTask } from '../prepared-task.ts';
import type { Abilities } from './abilities.ts';
import { type Answer, askForMany, askForOne, type HostedModel, streamOne } from './ask.ts';
import type { Endpoint } from './endpoint.ts';
import { type Failure, failureOf, type Parameter, unreachable } from './failure.ts';
import type { Attempt, RequestLimiter } from './limiter.ts';
import type { Usage } from './prices.ts';
import { proposalsOf, unmade } from './proposals.ts';
import { Purse } from './purse.ts';
import { Silence } from './silence.ts';
import { atMostTokens } from './tokens.ts';

/** Attempts before an endpoint that never answered counts as unreachable. */
const FIRST_CONTACT_ATTEMPTS = 3;
/** Attempts where the answer is not of the interface, or breaks off. */
const BROKEN_ANSWER_ATTEMPTS = 3;

export interface MakingParts {
  readonly prepared: PreparedTask;
  readonly endpoint: Endpoint;
  readonly hosted: HostedModel;
  readonly abilities: Abilities;
  readonly limiter: RequestLimiter;
  readonly silenceMs: number;
  /** Null: no price is known, and nothing caps the cost. */
  readonly priceUsd: ((usage: Usage) => number) | null;
}

/** How one request for some candidates ended. */
type Outcome =
  | { readonly kind: 'answer'; readonly answer: Answer; readonly seed: number; readonly costUsd: number }
  /** The endpoint does not take the request as it was: ask anew. */
  | { readonly kind: 'anew' }
  | { readonly kind: 'failed'; readonly outcome: 'error' | 'timed-out'; readonly reason: string };

/** One call of `make`: which requests are sent, and what becomes of them. */
export class HostedMaking {
  readonly #request: MakeRequest;
  readonly #parts: MakingParts;
  readonly #pending: number[];
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #promptTokens: number;
  readonly #startedMs = new Map<number, number>();
  /** Cost of attempts that came to nothing, by candidate, until a proposal carries it. */
  readonly #lostUsd = new Map<number, number>();
  #problem: unknown = null;
  #answered = false;
  #tell: (news: MakerNews) => void = () => {};

  constructor(request: MakeRequest, parts: MakingParts) {
    this.#request = request;
    this.#parts = parts;
    this.#pending = [...request.indices];
    this.#signal = AbortSignal.any([request.signal, this.#stop.signal]);
    this.#promptTokens = atMostTokens(parts.prepared.messages);
  }

  /** Everything there is to tell, in order. Ends when every candidate is answered for; throws what concerns all of them. */
  news(): AsyncGenerator<MakerNews> {
    return streamNews(
      (tell) => {
        this.#tell = tell;
        return this.#drive();
      },
      (reason) => this.#stop.abort(reason),
    );
  }

  async #drive(): Promise<void> {
    const { priceUsd, endpoint } = this.#parts;
    const note = priceUsd === null ? `no price is known for ${endpoint.model}: cost counts as 0` : '';
    this.#tell({ type: 'phase', indices: [...this.#pending], phase: 'waiting', detail: note });
    while (this.#pending.length > 0 || this.#running.size > 0) {
      while (this.#pending.length > 0 && !this.#signal.aborted) if (!this.#startOne()) break;
      // Nothing can be started and nothing will give money back.
      if (this.#running.size === 0) break;
      await Promise.race(this.#running);
    }
    if (this.#problem !== null) throw this.#problem;
    this.#request.signal.throwIfAborted();
    for (const index of this.#pending) {
      const reason = 'budget: the next request could cost more than is left';
      this.#propose([unmade(index, 'error', reason, this.#common([index], this.#seed(index)))]);
    }
  }

  /** Sends the next request for as many candidates as the endpoint takes and the money allows. */
  #startOne(): boolean {
    const { abilities } = this.#parts;
    let size = Math.min(this.#pending.length, abilities.n);
    while (size > 1 && this.#maximumUsd(size) > this.#request.budget.availableUsd) size -= 1;
    const maximumUsd = this.#maximumUsd(size);
    // What is under way gives back what it does not use.
    if (maximumUsd > this.#request.budget.availableUsd && this.#running.size > 0) return false;
    const reservation = this.#request.budget.reserve(maximumUsd);
    if (reservation === null) return false;
    const indices = this.#pending.splice(0, size);
    for (const index of indices) if (!this.#startedMs.has(index)) this.#startedMs.set(index, performance.now());
    const running = this.#serve(indices, new Purse(reservation, maximumUsd))
      .catch((error: unknown) => {
        this.#problem ??= error;
        this.#stop.abort(error);
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    return true;
  }

  /** The most a request for `n` answers can cost: every byte of the prompt a token, every answer of full length. */
  #maximumUsd(n: number): number {
    const { priceUsd, abilities } = this.#parts;
    const completionTokens = n * abilities.maxOutputTokens;
    return priceUsd?.({ promptTokens: this.#promptTokens, cachedTokens: 0, completionTokens }) ?? 0;
  }

  async #serve(indices: readonly number[], purse: Purse): Promise<void> {
    const { limiter, prepared, abilities } = this.#parts;
    const seed = this.#seed(indices[0]!);
    const tries = { attempts: 0, broken: 0 };
    let outcome: Outcome;
    let attempt: Promise<Attempt<Outcome>> | null = null;
    const start = () => {
      attempt = this.#attempt(indices, seed, purse, tries);
      return attempt;
    };
    try {
      const sent = await limiter.send(start, {
        signal: this.#signal,
        onWait: (reason, delayMs) => {
          const detail = `${reason}; again in ${Math.ceil(delayMs / 1000)} s`;
          this.#tell({ type: 'phase', indices, phase: 'waiting', detail });
        },
      });
      outcome = 'done' in sent ? sent.done : { kind: 'failed', outcome: 'error', reason: sent.gaveUp };
    } finally {
      // A cancelled request is still to say what it may have cost; one that was never sent cost nothing.
      await (attempt as Promise<unknown> | null)?.catch(() => {});
      purse.settle(0);
      const [first] = indices;
      this.#lostUsd.set(first!, (this.#lostUsd.get(first!) ?? 0) + purse.takeLostUsd());
    }
    if (outcome.kind === 'anew') {
      this.#pending.unshift(...indices);
    } else if (outcome.kind === 'failed') {
      const { outcome: ending, reason } = outcome;
      this.#propose(indices.map((index) => unmade(index, ending, reason, this.#common([index], seed))));
    } else {
      const { answer, costUsd } = outcome;
      const made = indices.slice(0, answer.choices.length);
      const missing = indices.slice(made.length);
      if (missing.length > 0) abilities.n = Math.max(1, Math.min(abilities.n, made.length));
      const common = this.#common(made, outcome.seed);
      const all = { answer, promptText: prepared.messages, costUsd, maxOutputTokens: abilities.maxOutputTokens };
      this.#propose(await proposalsOf(made, prepared, all, common));
      this.#pending.unshift(...missing);
    }
  }

  async #attempt(
    indices: readonly number[],
    seed: number,
    purse: Purse,
    tries: { attempts: number; broken: number },
  ): Promise<Attempt<Outcome>> {
    const { endpoint, abilities, limiter, silenceMs } = this.#parts;
    if (!purse.refill(this.#request.budget)) {
      return {
        done: { kind: 'failed', outcome: 'error', reason: 'budget: another attempt could cost more than is left' },
      };
    }
    const sent = this.#parameters(indices.length);
    const silence = new Silence(silenceMs);
    tries.attempts += 1;
    try {
      const answer = await this.#ask(indices, seed, silence);
      this.#answered = true;
      return { done: { kind: 'answer', answer, seed, costUsd: purse.settle(this.#costUsd(answer, purse)) } };
    } catch (error) {
      if (this.#signal.aborted) {
        purse.lose();
        throw this.#signal.reason;
      }
      if (silence.signal.aborted) {
        purse.lose();
        if (indices.length > 1) {
          // Many answers in one piece can take longer than a connection lasts; one by one they come as a stream.
          abilities.n = 1;
          return { done: { kind: 'anew' } };
        }
        const reason = `nothing came from the endpoint for ${Math.round(silenceMs / 1000)} s`;
        return { done: { kind: 'failed', outcome: 'timed-out', reason } };
      }
      const failure = failureOf(error, endpoint, sent, limiter.clock.nowMs());
      const attempt = this.#after(failure, purse, tries);
      if (failure.kind === 'parameter' && 'done' in attempt && attempt.done.kind === 'anew') {
        const how = failure.isTooLarge
          ? `${abilities.maxOutputTokens} tokens an answer`
          : `other settings than ${failure.parameter}`;
        this.#tell({ type: 'phase', indices, phase: 'waiting', detail: `${endpoint.model} takes ${how}: asked anew` });
      }
      return attempt;
    } finally {
      silence.end();
    }
  }

  #after(failure: Failure, purse: Purse, tries: { attempts: number; broken: number }): Attempt<Outcome> {
    const { abilities, endpoint } = this.#parts;
    if (failure.kind === 'all') throw failure.problem;
    if (failure.kind === 'parameter') {
      if (abilities.withdraw(failure.parameter, failure.isTooLarge)) return { done: { kind: 'anew' } };
      return this.#after(failure.otherwise, purse, tries);
    }
    if (failure.mayBeBilled) purse.lose();
    const { reason } = failure;
    if (failure.kind === 'one') return { done: { kind: 'failed', outcome: 'error', reason } };
    if (failure.reached) this.#answered = true;
    if (!this.#answered && tries.attempts >= FIRST_CONTACT_ATTEMPTS) throw unreachable(endpoint, reason);
    if (failure.mayBeBilled && ++tries.broken >= BROKEN_ANSWER_ATTEMPTS)
      return { done: { kind: 'failed', outcome: 'error', reason: `${reason} (${tries.broken} times)` } };
    return { again: { reason, retryAfterMs: failure.retryAfterMs } };
  }

  #ask(indices: readonly number[], seed: number, silence: Silence): Promise<Answer> {
    const { hosted: model, prepared, abilities } = this.#parts;
    const call = {
      model,
      question: { messages: prepared.messages, stop: abilities.stop ? prepared.stop : [] },
      sampling: {
        temperature: abilities.temperature ? (this.#request.temperature ?? undefined) : undefined,
        seed: abilities.seed ? seed : undefined,
        maxOutputTokens: abilities.maxOutputTokens,
      },
      signal: AbortSignal.any([this.#signal, silence.signal]),
    };
    const [index] = indices;
    if (indices.length > 1 || !abilities.stream) {
      const detail = indices.length > 1 ? `${indices.length} answers in one request` : '';
      this.#tell({ type: 'phase', indices, phase: 'writing', detail });
      return indices.length > 1 ? askForMany(call, indices.length) : askForOne(call);
    }
    this.#tell({ type: 'phase', indices, phase: 'reading' });
    return streamOne(call, (completion) => {
      silence.broken();
      this.#tell({ type: 'tokens', index: index!, completion });
    });
  }

  /** Optional parameters a request for `n` answers carries. */
  #parameters(n: number): ReadonlySet<Parameter> {
    const { abilities, prepared } = this.#parts;
    const sent = new Set<Parameter>(['max_tokens']);
    if (n > 1) sent.add('n');
    else if (abilities.stream) sent.add('stream_options').add('stream');
    if (abilities.seed) sent.add('seed');
    if (abilities.temperature && this.#request.temperature !== null) sent.add('temperature');
    if (abilities.stop && prepared.stop.length > 0) sent.add('stop');
    return sent;
  }

  /** What an answer cost; all that was set aside where the server does not count tokens. */
  #costUsd({ usage }: Answer, purse: Purse): number {
    const { priceUsd } = this.#parts;
    if (priceUsd === null) return 0;
    return usage === null ? purse.maximumUsd : priceUsd(usage);
  }

  /** `seed + index`, kept within 31 bits, which every interface takes. Requests for several carry that of the first. */
  #seed(index: number): number {
    const range = 2 ** 31;
    return (((this.#request.seed + index) % range) + range) % range;
  }

  #common(indices: readonly number[], seed: number): Pick<Proposal, 'seed' | 'durationMs'> & { lostUsd: number } {
    let lostUsd = 0;
    for (const index of indices) {
      lostUsd += this.#lostUsd.get(index) ?? 0;
      this.#lostUsd.delete(index);
    }
    const startedMs = Math.min(...indices.map((index) => this.#startedMs.get(index) ?? performance.now()));
    return { seed, durationMs: performance.now() - startedMs, lostUsd };
  }

  #propose(proposals: readonly Proposal[]): void {
    for (const proposal of proposals) this.#tell({ type: 'proposal', proposal });
  }
}
