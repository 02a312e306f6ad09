/**
 * Runs a model's graph and keeps the keys and values between runs. Lives in a worker thread.
 */
import type { Session, Value } from '@lathe/graph';
import type { Config } from './config.ts';

/** What every row sees of the prompt: per layer keys and values [G, P, D]. */
export interface Prefix {
  readonly length: number;
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** The distribution of the token after one token. */
export interface NextToken {
  /** log p at temperature 1 of the most likely tokens, falling. */
  readonly topLogProbabilities: Float32Array;
  readonly topTokens: BigInt64Array;
  /** log p of the most likely token at the temperature asked for. */
  readonly temperedMaximum: number;
  /**
   * log p at temperature 1 of the whole vocabulary, by evaluating the token once more: costly and seldom needed. To be
   * asked for before the evaluator's next run.
   */
  all(): Promise<Float32Array>;
}

/** Reads embeddings of tokens into consecutive rows of C numbers. */
export type Embed = (tokens: readonly number[]) => Float32Array;

export const TOP_CANDIDATES = 128;
const SUFFIX_GROWTH = 32;

export class Evaluator {
  readonly #session: Session;
  readonly #config: Config;
  readonly #embed: Embed;
  /** Products with a single row take another path in the f32 kernels, with other rounding: at least so many rows. */
  readonly minRows: number;

  constructor(session: Session, config: Config, embed: Embed, minRows: number) {
    this.#session = session;
    this.#config = config;
    this.#embed = embed;
    this.minRows = minRows;
  }

  emptyPrefix(): Prefix {
    const none = Array.from({ length: this.#config.nLayer }, () => new Float32Array(0));
    return { length: 0, keys: none, values: none };
  }

  /**
   * Reads `tokens` behind `prefix`. Gives the longer prefix and, for each inverse temperature, what may come after the
   * last token.
   */
  async extend(
    prefix: Prefix,
    tokens: readonly number[],
    inverseTemperatures: readonly number[],
  ): Promise<{ prefix: Prefix; last: NextToken[] }> {
    const rows = inverseTemperatures.map(() => tokens.length - 1);
    const { run } = this.#prepare(prefix, null, tokens, 1, { rows, inverseTemperatures });
    const results = await run([...NEXT_TOKEN]);
    return {
      prefix: this.#grow(prefix, results.newKeysValues!.data as Float32Array, tokens.length),
      last: nextTokens(results, this.#allAgain(run)),
    };
  }

  /** Log-probability of each of `targets` after the corresponding token of `tokens`, and the longer prefix. */
  async score(prefix: Prefix, tokens: readonly number[], targets: readonly number[]) {
    const { run } = this.#prepare(prefix, null, tokens, 1, {
      rows: targets.map((_, i) => i),
      inverseTemperatures: targets.map(() => 1),
    });
    const results = await run(['newKeysValues', 'logProbabilities']);
    const all = results.logProbabilities!.data as Float32Array;
    return {
      prefix: this.#grow(prefix, results.newKeysValues!.data as Float32Array, tokens.length),
      logProbabilities: targets.map((target, i) => all[i * this.#config.vocabSize + target]!),
    };
  }

  /** Logits [tokens, vocabSize] after each of the tokens, and the longer prefix. */
  async logits(prefix: Prefix, tokens: readonly number[]): Promise<{ prefix: Prefix; logits: Float32Array }> {
    const { run } = this.#prepare(prefix, null, tokens, 1, {
      rows: tokens.map((_, i) => i),
      inverseTemperatures: tokens.map(() => 1),
    });
    const { newKeysValues, logits } = await run(['newKeysValues', 'logits']);
    return {
      prefix: this.#grow(prefix, newKeysValues!.data as Float32Array, tokens.length),
      logits: logits!.data as Float32Array,
    };
  }

  /** Reads one token in each row behind the prefix and the row's own suffix, which grows by it. */
  async step(
    prefix: Prefix,
    suffix: Suffix,
    tokens: readonly number[],
    inverseTemperatures: readonly number[],
    // The whole vocabulary of every row will be asked for: it comes with the same run.
    isWholeWanted = false,
  ): Promise<NextToken[]> {
    suffix.reserve();
    const rows = tokens.map((_, i) => i);
    const { run } = this.#prepare(prefix, suffix, tokens, tokens.length, { rows, inverseTemperatures });
    const results = await run(isWholeWanted ? [...NEXT_TOKEN, 'logProbabilities'] : [...NEXT_TOKEN]);
    const { length } = suffix;
    // Rows do not influence each other: the one that is asked for is evaluated by itself, whatever their number.
    const next = nextTokens(results, async (row) => {
      const alone = suffix.only(row, length, this.minRows);
      const again = this.#prepare(prefix, alone, Array(alone.rows).fill(tokens[row]!), alone.rows, {
        rows: [0],
        inverseTemperatures: [inverseTemperatures[row]!],
      });
      const { logProbabilities } = await again.run(['logProbabilities']);
      return rowOf(logProbabilities!, 0);
    });
    suffix.append(results.newKeysValues!.data as Float32Array);
    return next;
  }

  /**
   * Reads several tokens in each row, as many in every row, behind the prefix and the row's own suffix: [N][T], what may
   * come after each of them. The suffix grows by as many as `keep` is told, the first of each row; it is called once at most.
   */
  async readAhead(
    prefix: Prefix,
    suffix: Suffix,
    tokens: readonly (readonly number[])[],
    inverseTemperatures: readonly number[],
    isWholeWanted = false,
  ): Promise<{ next: NextToken[][]; keep(count: number): void }> {
    const flat = tokens.flat();
    const perRow = flat.length / tokens.length;
    suffix.reserve(perRow);
    const wanted = {
      rows: flat.map((_, i) => i),
      inverseTemperatures: flat.map((_, i) => inverseTemperatures[Math.floor(i / perRow)]!),
    };
    const { run } = this.#prepare(prefix, suffix, flat, tokens.length, wanted);
    const results = await run(isWholeWanted ? [...NEXT_TOKEN, 'logProbabilities'] : [...NEXT_TOKEN]);
    const next = nextTokens(results, this.#allAgain(run));
    return {
      next: tokens.map((_, row) => next.slice(row * perRow, (row + 1) * perRow)),
      keep: (count) => suffix.append(results.newKeysValues!.data as Float32Array, perRow, count),
    };
  }

  suffix(rows: number): Suffix {
    return new Suffix(this.#config, rows);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** Runs everything once more, when the first row is asked for. */
  #allAgain(run: (fetch: readonly string[]) => Promise<Record<string, Value>>) {
    let again: Promise<Record<string, Value>> | null = null;
    return async (row: number): Promise<Float32Array> => {
      again ??= run(['logProbabilities']);
      return rowOf((await again).logProbabilities!, row);
    };
  }

  #prepare(
    prefix: Prefix,
    suffix: Suffix | null,
    tokens: readonly number[],
    rows: number,
    wanted: { rows: readonly number[]; inverseTemperatures: readonly number[] },
  ) {
    const { nLayer, nHead, nKvHead: G, headSize: D, nEmbd: C } = this.#config;
    const fresh = tokens.length / rows;
    const start = prefix.length + (suffix?.length ?? 0);
    const padded = [...wanted.rows];
    const inverse = [...wanted.inverseTemperatures];
    while (padded.length < this.minRows) {
      padded.push(padded[0]!);
      inverse.push(inverse[0]!);
    }
    const capacity = suffix?.capacity ?? 0;
    const feeds: Record<string, Value> = {
      embedded: float32(this.#embed(tokens), [rows, fresh, C]),
      positions: positions(rows, fresh, start, nHead + G, G),
      newMask: float32(causalMask(fresh, nHead / G), [fresh * (nHead / G), fresh]),
      suffixMask: float32(suffix?.mask ?? new Float32Array(0), [capacity]),
      logitRows: int64(Int32Array.from(padded), [padded.length]),
      inverseTemperature: float32(Float32Array.from(inverse), [padded.length, 1]),
    };
    const none = new Float32Array(0);
    for (let layer = 0; layer < nLayer; layer++) {
      feeds[`prefixKeys.${layer}`] = float32(prefix.keys[layer]!, [G, prefix.length, D]);
      feeds[`prefixValues.${layer}`] = float32(prefix.values[layer]!, [G, prefix.length, D]);
      feeds[`suffixKeys.${layer}`] = float32(suffix?.keys[layer] ?? none, [G, rows, capacity, D]);
      feeds[`suffixValues.${layer}`] = float32(suffix?.values[layer] ?? none, [G, rows, capacity, D]);
    }
    return { run: (fetch: readonly string[]) => this.#session.run(feeds, fetch) };
  }

  /** [nLayer · 2 · G, 1, T, D] behind each layer's [G, P, D]. */
  #grow(prefix: Prefix, fresh: Float32Array, count: number): Prefix {
    const { nLayer, nKvHead: G, headSize: D } = this.#config;
    const length = prefix.length + count;
    const keys: Float32Array[] = [];
    const values: Float32Array[] = [];
    let at = 0;
    for (let layer = 0; layer < nLayer; layer++)
      for (const [old, grown] of [
        [prefix.keys[layer]!, keys],
        [prefix.values[layer]!, values],
      ] as const) {
        const joined = new Float32Array(G * length * D);
        for (let group = 0; group < G; group++) {
          joined.set(old.subarray(group * prefix.length * D, (group + 1) * prefix.length * D), group * length * D);
          joined.set(fresh.subarray(at, at + count * D), (group * length + prefix.length) * D);
          at += count * D;
        }
        grown.push(joined);
      }
    return { length, keys, values };
  }
}

const NEXT_TOKEN = ['newKeysValues', 'topLogProbabilities', 'topTokens', 'temperedLogProbabilities'] as const;

function nextTokens(
  results: Record<string, Value>,
  evaluateAgain: (row: number) => Promise<Float32Array>,
): NextToken[] {
  const values = results.topLogProbabilities!;
  const tokens = results.topTokens!.data as BigInt64Array;
  const tempered = results.temperedLogProbabilities!.data as Float32Array;
  const [rows, count] = values.dims as [number, number];
  const whole = results.logProbabilities;
  return Array.from({ length: rows }, (_, i) => ({
    topLogProbabilities: rowOf(values, i),
    topTokens: tokens.subarray(i * count, (i + 1) * count),
    temperedMaximum: tempered[i * count]!,
    all: async () => (whole === undefined ? evaluateAgain(i) : rowOf(whole, i)),
  }));
}

function rowOf({ data, dims: [, width] }: Value, row: number): Float32Array {
  return (data as Float32Array).subarray(row * width!, (row + 1) * width!);
}

/** Each row's own keys and values behind the prefix: per layer [G, N, capacity, D], of which the first `length` hold tokens. */
export class Suffix {
  readonly #config: Config;
  rows: number;
  length = 0;
  capacity = 0;
  keys: Float32Array[];
  values: Float32Array[];
  mask = new Float32Array(0);

  constructor(config: Config, rows: number) {
    this.#config = config;
    this.rows = rows;
    this.keys = Array.from({ length: config.nLayer }, () => new Float32Array(0));
    this.values = [...this.keys];
  }

  /** Makes room for so many more tokens and hides what is not filled. */
  reserve(count = 1): void {
    while (this.length + count > this.capacity)
      this.#rebuild(
        this.capacity + SUFFIX_GROWTH,
        Array.from({ length: this.rows }, (_, i) => i),
      );
    this.mask.fill(0, 0, this.length).fill(Number.NEGATIVE_INFINITY, this.length);
  }

  /** Of [nLayer · 2 · G, N, perRow, D] the first `count` of each row behind what is there. */
  append(fresh: Float32Array, perRow = 1, count = 1): void {
    const { nLayer, nKvHead: G, headSize: D } = this.#config;
    let at = 0;
    for (let layer = 0; layer < nLayer; layer++)
      for (const cache of [this.keys[layer]!, this.values[layer]!])
        for (let i = 0; i < G * this.rows; i++, at += perRow * D) {
          // Runs this short are copied faster number by number than by a call each.
          const to = (i * this.capacity + this.length) * D;
          for (let d = 0; d < count * D; d++) cache[to + d] = fresh[at + d]!;
        }
    this.length += count;
  }

  /** The row at each place becomes what the row at `places[place]` was; rows may be left out and repeated. */
  keep(places: readonly number[]): void {
    const moved = [...places.entries()].filter(([to, from]) => to !== from);
    // Where no row that is copied is itself overwritten, the others can stay where they are.
    const inPlace = places.length === this.rows && moved.every(([, from]) => places[from] === from);
    if (inPlace) for (const [to, from] of moved) this.#copy(from, to);
    else this.#rebuild(this.capacity, places);
  }

  /** A copy of one row, `count` times, with the first `length` of its tokens. */
  only(row: number, length: number, count: number): Suffix {
    const copy = new Suffix(this.#config, this.rows);
    copy.keys = this.keys;
    copy.values = this.values;
    copy.length = length;
    copy.capacity = this.capacity;
    copy.#rebuild(this.capacity, Array(count).fill(row));
    copy.reserve(0);
    return copy;
  }

  #copy(from: number, to: number): void {
    const { nKvHead: G, headSize: D } = this.#config;
    for (const cache of [...this.keys, ...this.values])
      for (let group = 0; group < G; group++) {
        const start = (group * this.rows + from) * this.capacity * D;
        cache.copyWithin((group * this.rows + to) * this.capacity * D, start, start + this.length * D);
      }
  }

  #rebuild(capacity: number, places: readonly number[]): void {
    const { nKvHead: G, headSize: D } = this.#config;
    const filled = this.length * D;
    const rebuilt = (cache: Float32Array) => {
      const made = new Float32Array(G * places.length * capacity * D);
      for (let group = 0; group < G; group++)
        for (const [to, from] of places.entries()) {
          const start = (group * this.rows + from) * this.capacity * D;
          made.set(cache.subarray(start, start + filled), (group * places.length + to) * capacity * D);
        }
      return made;
    };
    this.keys = this.keys.map(rebuilt);
    this.values = this.values.map(rebuilt);
    this.rows = places.length;
    this.capacity = capacity;
    this.mask = new Float32Array(capacity);
  }
}

/** [T·R, T]: query (t, r) sees new token t' where t' ≤ t. */
function causalMask(fresh: number, perGroup: number): Float32Array {
  const mask = new Float32Array(fresh * perGroup * fresh);
  for (let row = 0; row < fresh * perGroup; row++)
    mask.fill(Number.NEGATIVE_INFINITY, row * fresh + Math.floor(row / perGroup) + 1, (row + 1) * fresh);
  return mask;
}

/** int64 [N·T·heads, 1]: T positions from `start` on, the same in every row, once for each turned head, 0 for the others. */
function positions(N: number, T: number, start: number, turned: number, unturned: number): Value {
  const heads = turned + unturned;
  const values = new Int32Array(N * T * heads);
  for (let i = 0; i < N * T; i++) values.fill(start + (i % T), i * heads, i * heads + turned);
  return int64(values, [values.length, 1]);
}

function float32(data: Float32Array, dims: readonly number[]): Value {
  return { dataType: 'float32', dims, data };
}

/** Sizes and places are far from 2³¹, and a BigInt each would cost more than all of them. */
function int64(values: Int32Array, dims: readonly number[]): Value {
  const data = new BigInt64Array(values.length);
  const halves = new Int32Array(data.buffer);
  for (let i = 0; i < values.length; i++) halves[2 * i + LOW_HALF] = values[i]!;
  return { dataType: 'int64', dims, data };
}

const LOW_HALF = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1;
