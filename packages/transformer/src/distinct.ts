/**
 * Rows drawn together, so that they differ: sequences without replacement from one prompt, and everything between that
 * and independent rows. Stochastic beam search, Kool, van Hoof & Welling 2019, https://arxiv.org/abs/1903.06059.
 *
 * Every sequence has a time at which it crosses the line in a race (race.ts); a beginning has the time of the first of
 * its continuations. The first child of a node has the node's own time, the next one comes later at the rate of what is
 * left, and so on: children are drawn without replacement and only as far as they can still win (the top-down sampling
 * of §4.1 there, without ever perturbing a whole vocabulary). The `width` earliest nodes go on; what they share is one row
 * of the batch until they part.
 *
 * Times depend on the seed and the path alone. So the order of the rows does not depend on how many are asked for: the
 * first five of ten are the five of five.
 */
import { restricted } from './constraint/restrict.ts';
import type { NextToken, Prefix } from './evaluator.ts';
import { Followers } from './followers.ts';
import type { Decoded, ReadPrompt, Steering } from './generate.ts';
import { laterLogTime } from './race.ts';
import { PathRandom } from './random.ts';
import {
  accept,
  end,
  type GeneratedRow,
  generated,
  inverseTemperature,
  newRow,
  type Row,
  type RowRequest,
  type TokenNews,
  type Vocabulary,
} from './row.ts';
import { type Arrival, drawFrom, logWeights } from './urn.ts';

/** What the search needs of an evaluator: rows that take a token each, and that can be copied. */
export interface RowEvaluator<S extends BatchRows> {
  readonly minRows: number;
  suffix(rows: number): S;
  step(
    prefix: Prefix,
    suffix: S,
    tokens: readonly number[],
    inverseTemperatures: readonly number[],
    /** The whole vocabulary of every row will be asked for. */
    isWholeWanted: boolean,
  ): Promise<NextToken[]>;
}

export interface BatchRows {
  readonly rows: number;
  /** The row at each place becomes what the row at `places[place]` was. */
  keep(places: readonly number[]): void;
}

export interface DistinctSteering extends Steering {
  /** Share of a text's probability that each draw of it takes away, above 0; 1 is without replacement. */
  readonly distinct: number;
  /** Tokens so far of the rows under way. */
  readonly onProgress: (tokens: number) => void;
}

/** A search that lost rows to texts that turned out equal is done once more, wider; so many times. */
const MAX_SEARCHES = 6;

/**
 * Row i of the order in which sequences are drawn, for each request's index i. All requests are alike but for the index. Where the
 * distribution holds too few texts, rows are missing at the end. A row is told when it is final: no later token of
 * another can come before it.
 */
export async function generateDistinct<S extends BatchRows>(
  evaluator: RowEvaluator<S>,
  vocabulary: Vocabulary,
  prompt: ReadPrompt,
  requests: readonly RowRequest[],
  { distinct, isCancelled, onStep, onProgress }: DistinctSteering,
): Promise<Decoded> {
  const most = Math.max(...requests.map(({ index }) => index)) + 1;
  const byRank = new Map(requests.map((request) => [request.index, request]));
  const told = new Set<number>();
  const tell = (arrivals: readonly Arrival<Node>[]) => {
    const news: TokenNews[] = [];
    for (const [rank, { leaf }] of arrivals.entries()) {
      const request = byRank.get(rank);
      if (request === undefined || told.has(rank)) continue;
      told.add(rank);
      news.push(...replayed(leaf, request, vocabulary));
    }
    if (news.length > 0) onStep(news);
  };

  let steps = 0;
  let rowSteps = 0;
  // A second spelling of a text holds a row and, below 1, comes late: often one row more saves a second search.
  let width = distinct < 1 ? most + Math.ceil(most / 16) : most;
  for (let searches = 1; ; searches++) {
    const search = new Search(evaluator, vocabulary, prompt, requests[0]!, { distinct, width });
    const arrivals = () => drawFrom(search.leaves, { distinct, most, logLimit: search.logFinal });
    let final: Arrival<Node>[] = [];
    while (!isCancelled() && final.length < most && (await search.advance())) {
      final = arrivals();
      tell(final);
      onProgress(search.depth);
    }
    steps += search.steps;
    rowSteps += search.rowSteps;
    if (final.length < most && isCancelled()) return { rows: search.cancelled(requests, final), steps, rowSteps };
    const isShort = final.length < most && search.logHorizon < Number.POSITIVE_INFINITY;
    if (!isShort || searches === MAX_SEARCHES) {
      const weights = distinct === 1 ? logWeights(search.sequences, search.logThreshold(final, most)) : null;
      const rows = requests.flatMap((request): GeneratedRow[] => {
        const arrival = final[request.index];
        if (arrival === undefined) return [];
        const { leaf } = arrival;
        const draw = { logProbability: leaf.logProbability, logWeight: weights?.get(leaf.text) ?? null };
        return [{ ...generated(leaf.row), index: request.index, draw }];
      });
      return { rows, steps, rowSteps };
    }
    width += Math.max(2 * (most - final.length), Math.ceil(width / 4));
  }
}

/** A beginning of a sequence, or a whole one. */
interface Node {
  readonly row: Row;
  /** Length of the row's tokens when this node was made; a child goes on in the same row. */
  readonly length: number;
  /** Its last token, an end token included. */
  readonly token: number;
  readonly logProbability: number;
  readonly logTime: number;
  readonly random: PathRandom;
  /** Place in the batch of the row that holds its path but for the last token. */
  readonly place: number;
  /** The row's text; final where the row has ended. */
  readonly text: string;
}

/** A node under way with what may follow it. */
interface Parent {
  readonly node: Node;
  readonly followers: Followers;
  /** When the child to be drawn next comes. */
  logTime: number;
  children: number;
}

class Search<S extends BatchRows> {
  readonly #evaluator: RowEvaluator<S>;
  readonly #vocabulary: Vocabulary;
  readonly #prompt: ReadPrompt;
  readonly #request: RowRequest;
  readonly #distinct: number;
  readonly #width: number;
  /** The earliest first. */
  leaves: Node[] = [];
  /** Sequences whose text an earlier one has: they take nobody's place. */
  #doubles: Node[] = [];
  #active: Node[];
  #suffix: S | null = null;
  /** Everything that comes before it is known. */
  logHorizon = Number.POSITIVE_INFINITY;
  steps = 0;
  rowSteps = 0;
  depth = 0;

  constructor(
    evaluator: RowEvaluator<S>,
    vocabulary: Vocabulary,
    prompt: ReadPrompt,
    request: RowRequest,
    { distinct, width }: { distinct: number; width: number },
  ) {
    this.#evaluator = evaluator;
    this.#vocabulary = vocabulary;
    this.#prompt = prompt;
    this.#request = request;
    this.#distinct = distinct;
    this.#width = width;
    const random = PathRandom.root(request.seed);
    const row = newRow(request, this.#vocabulary);
    const logTime = laterLogTime(Number.NEGATIVE_INFINITY, 0, random.next());
    this.#active = [{ row, length: 0, token: -1, logProbability: 0, logTime, random, place: 0, text: '' }];
  }

  /** All whole sequences that are known. */
  get sequences(): readonly Node[] {
    return [...this.leaves, ...this.#doubles];
  }

  /** Whole sequences before it are known, and stay: nothing under way can come before it. */
  get logFinal(): number {
    return this.#active.reduce((first, { logTime }) => Math.min(first, logTime), this.logHorizon);
  }

  /** One token more for every node under way. False where there is none. */
  async advance(): Promise<boolean> {
    if (this.#active.length === 0) return false;
    const next = await this.#evaluate();
    const parents: Parent[] = [];
    for (const [i, node] of this.#active.entries())
      parents.push({
        node,
        followers: await this.#followers(node.row, next[i]!),
        logTime: node.logTime,
        children: 0,
      });
    await this.#select(parents);
    this.depth++;
    return true;
  }

  async #followers({ constraint, tokens }: Row, next: NextToken): Promise<Followers> {
    if (constraint === null) return Followers.of(this.#request, next, this.#vocabulary.size);
    const mask = await constraint.maskAfter(tokens);
    return Followers.among(this.#request, await restricted(next, mask, this.#request.temperature));
  }

  /** The `width` earliest of the leaves and of the children of `parents`. */
  async #select(parents: readonly Parent[]): Promise<void> {
    // The earliest last.
    const line: (Parent | Node)[] = [...this.leaves, ...parents].sort((a, b) => b.logTime - a.logTime);
    const leaves: Node[] = [];
    const active: Node[] = [];
    const texts = new Set<string>();
    while (line.length > 0 && leaves.length + active.length < this.#width) {
      const first = line.pop()!;
      if (!(first.logTime < this.logHorizon)) break;
      const node = 'followers' in first ? await this.#child(first) : first;
      if ('followers' in first && first.followers.left > 0) insert(line, first);
      if (node.row.finish === null) active.push(node);
      else if (this.#distinct === 1 && texts.has(node.text)) this.#doubles.push(node);
      else {
        leaves.push(node);
        texts.add(node.text);
      }
    }
    this.logHorizon = Math.min(this.logHorizon, line.at(-1)?.logTime ?? Number.POSITIVE_INFINITY);
    this.leaves = leaves;
    this.#active = active;
  }

  async #child(parent: Parent): Promise<Node> {
    const { node, followers } = parent;
    const { logTime } = parent;
    const { token, logProbability, share } = await followers.draw(node.random.next());
    const row = parent.children === 0 ? node.row : this.#begun(node);
    parent.children++;
    accept(row, token, logProbability, this.#vocabulary);
    const { left } = followers;
    parent.logTime =
      left > 0
        ? laterLogTime(logTime, node.logProbability + Math.log(left), node.random.next())
        : Number.POSITIVE_INFINITY;
    return {
      row,
      length: row.tokens.length,
      token,
      logProbability: node.logProbability + Math.log(share),
      logTime,
      random: node.random.child(token),
      place: node.place,
      text: row.text,
    };
  }

  /** A row of its own with the tokens up to the node, for a second child: the first goes on in the node's row. */
  #begun({ row: { tokens, logProbabilities }, length }: Node): Row {
    const row = newRow(this.#request, this.#vocabulary);
    for (let i = 0; i < length; i++) accept(row, tokens[i]!, logProbabilities[i]!, this.#vocabulary);
    return row;
  }

  /** What may come after each node under way. */
  async #evaluate(): Promise<NextToken[]> {
    const inverse = inverseTemperature(this.#request);
    if (this.depth === 0) return [this.#prompt.last.get(inverse)!];
    const batch = this.#arrange();
    const next = await this.#evaluator.step(
      this.#prompt.prefix,
      this.#suffix!,
      batch.map((node) => node?.token ?? 0),
      batch.map(() => inverse),
      this.#request.grammar !== null,
    );
    this.steps++;
    this.rowSteps += batch.length;
    this.#active = batch.flatMap((node, place) => (node === null ? [] : [{ ...node, place }]));
    return batch.flatMap((node, place) => (node === null ? [] : [next[place]!]));
  }

  /**
   * The nodes under way at their places in the batch. A node keeps the place of its parent unless a sibling has it; then
   * it gets a copy at a free place. Places that fall free stay until an eighth of them is.
   */
  #arrange(): (Node | null)[] {
    const wanted = Math.max(this.#evaluator.minRows, this.#active.length);
    if (this.#suffix === null) {
      this.#suffix = this.#evaluator.suffix(wanted);
      return Array.from({ length: wanted }, (_, place) => this.#active[place] ?? null);
    }
    const { rows } = this.#suffix;
    if (wanted > rows || rows - wanted >= Math.max(1, rows / 8)) {
      this.#suffix.keep(Array.from({ length: wanted }, (_, place) => (this.#active[place] ?? this.#active[0]!).place));
      return Array.from({ length: wanted }, (_, place) => this.#active[place] ?? null);
    }
    const batch: (Node | null)[] = Array.from({ length: rows }, () => null);
    const copies = this.#active.filter((node) => {
      if (batch[node.place] !== null) return true;
      batch[node.place] = node;
      return false;
    });
    const places = Array.from({ length: rows }, (_, place) => place);
    for (const node of copies) {
      const free = batch.indexOf(null);
      batch[free] = node;
      places[free] = node.place;
    }
    if (copies.length > 0) this.#suffix.keep(places);
    return batch;
  }

  /** Time of the first text that is not among the `most` first; of what comes before it every sequence is known. */
  logThreshold(final: readonly Arrival<Node>[], most: number): number {
    if (final.length < most) return this.logHorizon;
    const sample = new Set(final.map(({ leaf }) => leaf.text));
    return this.leaves.reduce(
      (first, { text, logTime }) => (sample.has(text) ? first : Math.min(first, logTime)),
      this.logFinal,
    );
  }

  /** What is final, and behind it rows as they are, the earliest first, those under way cut short. */
  cancelled(requests: readonly RowRequest[], final: readonly Arrival<Node>[]): GeneratedRow[] {
    for (const { row } of this.#active) if (row.finish === null) end(row, 'cancelled');
    const first = final.map(({ leaf }) => leaf);
    const others = [...this.leaves, ...this.#active].filter((node) => !first.includes(node));
    const nodes = [...first, ...others.sort((a, b) => a.logTime - b.logTime)];
    return requests.map((request) => {
      const node = nodes[request.index];
      if (node === undefined) {
        const row = newRow(request, this.#vocabulary);
        end(row, 'cancelled');
        return generated(row);
      }
      const draw = { logProbability: node.logProbability, logWeight: null };
      return { ...generated(node.row), index: request.index, draw };
    });
  }
}

/** Into a list with the earliest last. */
function insert(line: (Parent | Node)[], parent: Parent): void {
  let low = 0;
  let high = line.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (line[middle]!.logTime > parent.logTime) low = middle + 1;
    else high = middle;
  }
  line.splice(low, 0, parent);
}

/** The news of a row as they would have come one by one. */
function replayed(
  { row: { tokens, logProbabilities }, token }: Node,
  request: RowRequest,
  vocabulary: Vocabulary,
): TokenNews[] {
  const row = newRow(request, vocabulary);
  return logProbabilities.map((logProbability, i) => accept(row, tokens[i] ?? token, logProbability, vocabulary));
}
