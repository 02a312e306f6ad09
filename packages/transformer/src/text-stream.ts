/** Where a text ends for good. */
export interface TextEnd {
  /** Text that can be shown now. */
  readonly text: string;
  /** Whether a stop string was met; it and what follows are not part of the text. */
  readonly stopped: boolean;
}

/**
 * Bytes of tokens to text as it grows: a character split between tokens waits for its rest, and an end that may become a
 * stop string waits until it is one or cannot be.
 */
export class TextStream {
  readonly #stops: readonly string[];
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  push(bytes: Uint8Array): TextEnd {
    return this.#release(this.#decoder.decode(bytes, { stream: true }));
  }

  /** What is left when no more tokens come; an unfinished character becomes U+FFFD. */
  finish(): TextEnd {
    const { text, stopped } = this.#release(this.#decoder.decode());
    if (stopped) return { text, stopped };
    const rest = this.#held;
    this.#held = '';
    return { text: text + rest, stopped: false };
  }

  #release(added: string): TextEnd {
    const text = this.#held + added;
    const at = this.#stops.reduce((first, stop) => {
      const found = text.indexOf(stop);
      return found !== -1 && (first === -1 || found < first) ? found : first;
    }, -1);
    if (at !== -1) {
      this.#held = '';
      return { text: text.slice(0, at), stopped: true };
    }
    let held = 0;
    for (const stop of this.#stops)
      for (let length = Math.min(stop.length - 1, text.length); length > held; length--)
        if (text.endsWith(stop.slice(0, length))) held = length;
    this.#held = text.slice(text.length - held);
    return { text: text.slice(0, text.length - held), stopped: false };
  }
}
