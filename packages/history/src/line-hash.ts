/** What is kept of a line: enough to recognise it again and to know whether it says anything. */
export interface LineHash {
  /** 53 bits over the bytes that are not white space, so that `git diff -w` and this agree on equality. */
  readonly hash: number;
  /** Blank, brackets and punctuation alone, or one bare keyword: left out of every count. */
  readonly trivial: boolean;
}

const KEYWORDS =
  'else try finally do end begin pass break continue return default then fi done esac endif private: public: protected: super() "use strict" ({ ([ async static'.split(
    ' ',
  );

const trivialHashes = new Set<number>();

const NEWLINE = 10;
/** What a byte is: white space, part of a word (letters, digits, all that is not ASCII), or a mark. */
const SPACE = 255;
const WORD = 1;
const KIND = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  if (byte === 32 || (byte >= 9 && byte <= 13)) KIND[byte] = SPACE;
  else if (byte >= 128 || /[0-9A-Za-z]/.test(String.fromCharCode(byte))) KIND[byte] = WORD;
}
const UNDERSCORE = 95;
const DOLLAR = 36;
const BRACE = 123;
const COLON = 58;

/**
 * Reads lines, each byte once, and keeps what is asked of the last one. A 32-bit FNV-1a hash and a multiplicative one
 * give 53 bits: among ten million lines a wrong match is expected less than once in a hundred runs.
 */
export class LineScanner implements LineHash {
  hash = 0;
  trivial = true;
  /** Not indented, begins with a letter and ends by opening a block: the heading of a function, a class or the like. */
  opens = false;
  /** Where the line's newline stands, or `limit`. */
  end = 0;

  /** Reads from `start` to the next newline, and no further than `limit`. */
  scan(bytes: Uint8Array, start: number, limit: number): void {
    let a = 0x811c9dc5;
    let b = 0x01234567;
    let wordBytes = 0;
    let last = 0;
    let i = start;
    for (; i < limit; i++) {
      const byte = bytes[i];
      const kind = KIND[byte];
      if (kind === SPACE) {
        if (byte === NEWLINE) break;
        continue;
      }
      last = byte;
      wordBytes += kind;
      a = Math.imul(a ^ byte, 0x01000193);
      b = (Math.imul(b, 0x85ebca6b) + byte) | 0;
    }
    b ^= b >>> 15;
    const hash = (a >>> 0) * 0x200000 + (b & 0x1fffff);
    this.end = i;
    this.hash = hash;
    this.trivial = wordBytes === 0 || (wordBytes <= 12 && trivialHashes.has(hash));
    this.opens = (last === BRACE || last === COLON) && beginsWord(bytes[start]);
  }
}

function beginsWord(byte: number): boolean {
  return (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte === UNDERSCORE || byte === DOLLAR;
}

const scanner = new LineScanner();

/** Hashes the bytes of a line from `start` up to `end`, among which is no newline. */
export function hashLine(bytes: Uint8Array, start: number, end: number): LineHash {
  scanner.scan(bytes, start, end);
  return { hash: scanner.hash, trivial: scanner.trivial };
}

for (const word of KEYWORDS) {
  for (const form of [word, `${word};`, `${word}:`, `${word}{`, `}${word}{`, `}${word}`, `${word}(`]) {
    const bytes = Buffer.from(form);
    trivialHashes.add(hashLine(bytes, 0, bytes.length).hash);
  }
}
