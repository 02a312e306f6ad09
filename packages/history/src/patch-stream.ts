import { LineScanner } from './line-hash.ts';

/** A run of lines that one commit took out and put in at one place. Line numbers count from 0. */
export interface Hunk {
  /** First line that was taken out, or the line before which lines were put in. */
  readonly oldStart: number;
  readonly newStart: number;
  /** Hash of the line git takes for the heading of the function the hunk stands in; that of no bytes where there is none. */
  readonly heading: number;
  readonly removed: HunkLine[];
  readonly added: HunkLine[];
}

export interface HunkLine {
  readonly hash: number;
  readonly trivial: boolean;
  /** Not indented, begins with a letter and ends by opening a block: the heading of a function, a class or the like. */
  readonly opens: boolean;
  /** The line's bytes as latin1, present only where a comparison of words can be needed. */
  readonly text: string | null;
}

/** One line of a combined hunk, context included. `parents[i]` is true where parent i has the line. */
export interface CombinedLine extends HunkLine {
  readonly kept: boolean;
  readonly parents: readonly boolean[];
}

export interface CombinedHunk {
  readonly newStart: number;
  readonly lines: CombinedLine[];
}

export interface FileChange {
  /** `A`, `M`, `D`, `R` or `C`; for a combined change one letter a parent. */
  readonly status: string;
  /** Paths in the parents (one for a plain commit), as latin1 of git's bytes. */
  readonly oldPaths: readonly string[];
  readonly newPath: string;
  readonly oldModes: readonly string[];
  readonly newMode: string;
  readonly oldIds: readonly string[];
  readonly newId: string;
  hunks: Hunk[];
  combined: CombinedHunk[] | null;
  /** Git took the content for binary: no lines are known. */
  binary: boolean;
}

export interface LoggedCommit {
  readonly id: string;
  readonly parents: readonly string[];
  /** Seconds since the epoch, as the author's and committer's clocks said. */
  readonly authorTime: number;
  readonly commitTime: number;
  readonly authorName: string;
  readonly authorEmail: string;
  readonly message: string;
  /** Text of the git notes that were asked for; empty where there is none. */
  readonly notes: string;
  readonly changes: FileChange[];
}

/** Longer lines are hashed as they stream by and never held. */
const LONGEST_HELD_LINE = 1 << 20;
/** Word comparison is for lines a person wrote. */
const LONGEST_COMPARED_LINE = 1000;
/** A hunk this long was rewritten; comparing all its lines with each other would cost more than it tells. */
const LONGEST_PAIRED_HUNK = 400;

const NUL = 0;
const NEWLINE = 10;
const SOH = 1;
const COMMA = 44;
const MINUS = 45;
const ZERO = 48;
const AT = 64;
const LETTER_I = 105;
const BACKSLASH = 92;

/** A line git is asked to repeat after the commits it was given, which it does at once: what it holds back comes before. */
export const END_OF_CHUNK = 'end-of-chunk';
const LETTER_E = END_OF_CHUNK.charCodeAt(0);

/**
 * Reads the output of `git diff-tree -z --raw -p` (see `git-log.ts`) and yields commits in its order, those that one piece
 * completes at a time. Memory: their lines' hashes and the text of short ones.
 */
export async function* readCommits(pieces: AsyncIterable<Buffer>): AsyncGenerator<LoggedCommit[], void, void> {
  const parser = new PatchParser();
  for await (const piece of pieces) {
    parser.push(piece);
    const commits = parser.take();
    if (commits.length > 0) yield commits;
  }
  parser.end();
  yield parser.take();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class PatchParser {
  #buffer: Buffer = Buffer.alloc(0);
  #position = 0;
  /** Where in a hunk's header we are. */
  #cursor = 0;
  #ready: LoggedCommit[] = [];
  #commit: Mutable<LoggedCommit> | null = null;
  /** Among the commit's changes, the one whose patch is expected next: patches come in the order of the raw entries. */
  #next = 0;
  #file: FileChange | null = null;
  #hunk: { plain: Hunk; removedLeft: number; addedLeft: number; compared: boolean } | null = null;
  #combined: { hunk: CombinedHunk; left: number[]; newLeft: number } | null = null;
  /** Where in the stream we are: before a commit, among its raw entries, or in its patches. */
  #inPatch = false;
  /** A line too long to hold: its flag columns and what has been hashed of it. */
  #long: { flags: string; head: Buffer; bytes: number } | null = null;
  readonly #scanner = new LineScanner();

  push(piece: Buffer): void {
    const rest = this.#buffer.length - this.#position;
    this.#buffer = rest === 0 ? piece : Buffer.concat([this.#buffer.subarray(this.#position), piece]);
    this.#position = 0;
    while (this.#step()) {
      // Each step consumes one header, entry or line.
    }
  }

  end(): void {
    // A patch's last line ends with a newline unless the stream was cut; what is left is not a whole line.
    this.#finishCommit();
  }

  take(): LoggedCommit[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  #finishCommit(): void {
    if (this.#commit) this.#ready.push(this.#commit);
    this.#commit = null;
    this.#file = null;
    this.#next = 0;
    this.#inPatch = false;
  }

  #step(): boolean {
    if (this.#long) return this.#longLine();
    if (this.#hunk || this.#combined) return this.#hunkLines();
    const buffer = this.#buffer;
    while (this.#position < buffer.length && (buffer[this.#position] === NUL || buffer[this.#position] === NEWLINE)) {
      this.#position++;
    }
    if (this.#position >= buffer.length) return false;
    if (buffer[this.#position] === SOH) return this.#header();
    // No line of a patch's head begins with this letter.
    if (buffer[this.#position] === LETTER_E) {
      if (!this.#line()) return false;
      this.#finishCommit();
      return true;
    }
    if (buffer[this.#position] === 58 && !this.#inPatch) return this.#rawEntry();
    return this.#patchLine();
  }

  #fields(count: number): { fields: string[]; end: number } | null {
    const fields: string[] = [];
    let at = this.#position;
    for (let i = 0; i < count; i++) {
      const end = this.#buffer.indexOf(NUL, at);
      if (end < 0) return null;
      fields.push(this.#buffer.toString('latin1', at, end));
      at = end + 1;
    }
    return { fields, end: at };
  }

  #header(): boolean {
    const read = this.#fields(8);
    if (!read) return false;
    this.#finishCommit();
    const [id, parents, authorTime, commitTime, name, email, message, notes] = read.fields;
    const utf8 = (text: string) => Buffer.from(text, 'latin1').toString('utf8');
    this.#commit = {
      id: id.slice(1),
      parents: parents === '' ? [] : parents.split(' '),
      authorTime: Number(authorTime),
      commitTime: Number(commitTime),
      authorName: utf8(name),
      authorEmail: utf8(email),
      message: utf8(message),
      notes: utf8(notes),
      changes: [],
    };
    this.#position = read.end;
    return true;
  }

  /** `:100644 100644 <id> <id> M\0path\0`, one colon and one mode and id more for each further parent. */
  #rawEntry(): boolean {
    const metaEnd = this.#buffer.indexOf(NUL, this.#position);
    if (metaEnd < 0) return false;
    const meta = this.#buffer.toString('latin1', this.#position, metaEnd);
    const parents = meta.lastIndexOf(':') + 1;
    const words = meta.slice(parents).split(' ');
    const status = words[words.length - 1];
    const paths = parents > 1 ? parents + 1 : /^[RC]/.test(status) ? 2 : 1;
    const from = this.#position;
    this.#position = metaEnd + 1;
    const read = this.#fields(paths);
    if (!read) {
      this.#position = from;
      return false;
    }
    this.#position = read.end;
    const newPath = read.fields[read.fields.length - 1];
    const change: FileChange = {
      status: parents > 1 ? status : status[0],
      oldPaths: paths === 1 ? [newPath] : read.fields.slice(0, -1),
      newPath,
      oldModes: words.slice(0, parents),
      newMode: words[parents],
      oldIds: words.slice(parents + 1, 2 * parents + 1),
      newId: words[2 * parents + 1],
      hunks: [],
      combined: parents > 1 ? [] : null,
      binary: false,
    };
    if (parents === 1 && status === 'T') {
      // A file that became a link, or the reverse: its patch is a deletion and a creation as well.
      const none = '0'.repeat(change.newId.length);
      this.#commit?.changes.push(
        { ...change, status: 'D', newMode: '000000', newId: none },
        { ...change, status: 'A', oldModes: ['000000'], oldIds: [none], hunks: [] },
      );
    } else this.#commit?.changes.push(change);
    return true;
  }

  #line(): { start: number; end: number } | null {
    const end = this.#buffer.indexOf(NEWLINE, this.#position);
    if (end < 0) return null;
    const start = this.#position;
    this.#position = end + 1;
    return { start, end };
  }

  #patchLine(): boolean {
    const line = this.#line();
    if (!line) return false;
    this.#inPatch = true;
    const first = this.#buffer[line.start];
    if (first === AT) this.#hunkHeader(line.start, line.end);
    else if (first === LETTER_I) {
      // `index <old>..<new> <mode>`: the full ids say which raw entry this patch belongs to, whatever the path's quoting.
      const text = this.#buffer.toString('latin1', line.start, line.end);
      if (text.startsWith('index ')) this.#file = this.#changeOf(text);
    } else if (first === 66) {
      if (this.#file && this.#buffer.toString('latin1', line.start, line.start + 13) === 'Binary files ') {
        this.#file.binary = true;
      }
    } else if (first === 100) {
      this.#file = null;
    }
    return true;
  }

  /** The change that an `index` line names: the next one, or where some have no patch, one further on. */
  #changeOf(text: string): FileChange | null {
    const changes = this.#commit?.changes ?? [];
    for (let at = this.#next; at < changes.length; at++) {
      const { oldIds, newId } = changes[at];
      const ids = `${oldIds.length === 1 ? oldIds[0] : oldIds.join(',')}..${newId}`;
      if (!text.startsWith(ids, 'index '.length)) continue;
      this.#next = at + 1;
      return changes[at];
    }
    return null;
  }

  /** `@@ -1,2 +3 @@ heading`, one `@` and one range more for each further parent. */
  #hunkHeader(start: number, end: number): void {
    let at = start;
    while (this.#buffer[at] === AT) at++;
    const parents = at - start - 1;
    this.#cursor = at;
    const old = this.#range();
    if (parents === 1) {
      const fresh = this.#range();
      this.#scanner.scan(this.#buffer, this.#cursor + ' @@'.length, end);
      const plain: Hunk = {
        // An empty range names the line before it, a range with lines its first line.
        oldStart: old.count === 0 ? old.start : old.start - 1,
        newStart: fresh.count === 0 ? fresh.start : fresh.start - 1,
        heading: this.#scanner.hash,
        removed: [],
        added: [],
      };
      this.#file?.hunks.push(plain);
      const compared = old.count > 0 && fresh.count > 0 && old.count + fresh.count <= LONGEST_PAIRED_HUNK;
      if (old.count + fresh.count > 0) {
        this.#hunk = { plain, removedLeft: old.count, addedLeft: fresh.count, compared };
      }
      return;
    }
    const left = [old.count];
    while (left.length < parents) left.push(this.#range().count);
    const fresh = this.#range();
    // In a combined hunk an empty range names the line after it.
    const hunk: CombinedHunk = { newStart: fresh.start - 1, lines: [] };
    this.#file?.combined?.push(hunk);
    this.#combined = { hunk, left, newLeft: fresh.count };
  }

  /** Reads ` -12,3` or ` +12`, which is one line, at the cursor. */
  #range(): { start: number; count: number } {
    this.#cursor += 2;
    const start = this.#decimal();
    if (this.#buffer[this.#cursor] !== COMMA) return { start, count: 1 };
    this.#cursor++;
    return { start, count: this.#decimal() };
  }

  #decimal(): number {
    let number = 0;
    for (;;) {
      const digit = this.#buffer[this.#cursor] - ZERO;
      if (!(digit >= 0 && digit <= 9)) return number;
      number = 10 * number + digit;
      this.#cursor++;
    }
  }

  /** Lines of the hunk at hand, as many as are there. False: the next one is not there as a whole. */
  #hunkLines(): boolean {
    const buffer = this.#buffer;
    while (this.#hunk || this.#combined) {
      const start = this.#position;
      const columns = this.#combined ? this.#combined.left.length : 1;
      this.#scanner.scan(buffer, start + columns, buffer.length);
      const { end } = this.#scanner;
      if (end >= buffer.length) {
        if (buffer.length - start <= LONGEST_HELD_LINE) return false;
        const head = Buffer.from(buffer.subarray(start, start + 4096));
        this.#long = { flags: this.#flags(start), head, bytes: buffer.length - start };
        this.#position = buffer.length;
        return false;
      }
      this.#position = end + 1;
      if (buffer[start] === BACKSLASH) continue; // `\ No newline at end of file`
      this.#accept(buffer[start] === MINUS, columns === 1 ? '' : this.#flags(start), buffer, start + columns);
    }
    return true;
  }

  #flags(start: number): string {
    const columns = this.#combined ? this.#combined.left.length : 1;
    return this.#buffer.toString('latin1', start, start + columns);
  }

  #longLine(): boolean {
    const long = this.#long;
    if (!long) return false;
    const end = this.#buffer.indexOf(NEWLINE, this.#position);
    long.bytes += (end < 0 ? this.#buffer.length : end) - this.#position;
    this.#position = end < 0 ? this.#buffer.length : end + 1;
    if (end < 0) return false;
    // Recognised by how it starts and how long it is: nobody reads it, and holding it could take all memory.
    const stand = Buffer.concat([long.head.subarray(long.flags.length), Buffer.from(String(long.bytes))]);
    this.#long = null;
    this.#scanner.scan(stand, 0, stand.length);
    this.#accept(long.flags.startsWith('-'), long.flags, stand, 0);
    return true;
  }

  /** Takes the line that was scanned last, whose bytes begin at `start`. `flags` are read of a combined hunk alone. */
  #accept(minus: boolean, flags: string, bytes: Buffer, start: number): void {
    const { hash, trivial, opens, end } = this.#scanner;
    if (this.#hunk) {
      const { plain, compared } = this.#hunk;
      const text =
        compared && !trivial && end - start <= LONGEST_COMPARED_LINE ? bytes.toString('latin1', start, end) : null;
      if (minus) {
        plain.removed.push({ hash, trivial, opens, text });
        this.#hunk.removedLeft--;
      } else {
        plain.added.push({ hash, trivial, opens, text });
        this.#hunk.addedLeft--;
      }
      if (this.#hunk.removedLeft <= 0 && this.#hunk.addedLeft <= 0) this.#hunk = null;
    } else if (this.#combined) {
      const { hunk, left } = this.#combined;
      const gone = flags.includes('-');
      const parents = left.map((_, i) => (gone ? flags[i] === '-' : flags[i] === ' '));
      hunk.lines.push({ hash, trivial, opens, text: null, kept: !gone, parents });
      parents.forEach((has, i) => {
        if (has) left[i]--;
      });
      if (!gone) this.#combined.newLeft--;
      if (this.#combined.newLeft <= 0 && left.every((count) => count <= 0)) this.#combined = null;
    }
  }
}
