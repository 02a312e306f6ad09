const TAIL_BYTES = 16 * 1024;

/** Counts a stream of bytes and keeps its end. */
export class OutputTail {
  totalBytes = 0;
  #chunks: Buffer[] = [];
  #keptBytes = 0;

  push(chunk: Buffer): void {
    this.totalBytes += chunk.length;
    this.#chunks.push(chunk);
    this.#keptBytes += chunk.length;
    while (this.#keptBytes - this.#chunks[0]!.length >= TAIL_BYTES) this.#keptBytes -= this.#chunks.shift()!.length;
  }

  /** At most 16 KiB of well-formed UTF-8: bytes that are none become U+FFFD, a character cut at the start is left out. */
  text(): string {
    const bytes = Buffer.concat(this.#chunks).subarray(-TAIL_BYTES);
    let start = 0;
    if (this.totalBytes > bytes.length) while (start < 3 && isContinuation(bytes[start])) start++;
    const text = bytes.toString('utf8', start);
    // U+FFFD takes three bytes where the bad byte took one, so the text may have outgrown the limit again.
    const encoded = Buffer.from(text, 'utf8');
    if (encoded.length <= TAIL_BYTES) return text;
    let cut = encoded.length - TAIL_BYTES;
    while (isContinuation(encoded[cut])) cut++;
    return encoded.toString('utf8', cut);
  }
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
