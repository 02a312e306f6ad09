import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Origin } from './authorship.ts';
import { gitText } from './git-log.ts';

/** Where Agent Trace's reference implementation keeps its records, one JSON document a line. */
export const TRACE_RECORDS = '.agent-trace/traces.jsonl';
const LARGEST_BYTES = 64 << 20;

const Contributor = z.object({ type: z.enum(['human', 'ai', 'mixed', 'unknown']) });
const Range = z.object({
  start_line: z.int().min(1),
  end_line: z.int().min(1),
  contributor: Contributor.optional(),
});

/** What is read of a trace record (Agent Trace 0.1, §6.1); whatever else it holds is passed over. */
const TraceRecord = z.object({
  vcs: z.object({ type: z.string(), revision: z.string() }).optional(),
  files: z.array(
    z.object({
      path: z.string(),
      conversations: z.array(z.object({ contributor: Contributor.optional(), ranges: z.array(Range) })),
    }),
  ),
});
type TraceRecord = z.infer<typeof TraceRecord>;

/** Lines of a file, from 1, both ends included, and whose they are. */
export interface TracedRange {
  readonly first: number;
  readonly last: number;
  readonly origin: Origin;
}

/**
 * Which lines of which commit an assistant wrote, by Agent Trace records: those in the repository at `head`, those in the
 * working tree, and those in git notes. Ranges are positions at the recorded revision (§6.5). Tools that record while they
 * write know only the commit they build on, so a record says of a commit's children what it says of the commit.
 */
export class AgentTraces {
  /** Ranges by revision and path. */
  readonly #ranges = new Map<string, TracedRange[]>();
  /** Lines that are no trace record, or name no revision of git's: nothing was made of them. */
  unread = 0;

  /** `texts`: files of records. */
  static read(texts: readonly string[]): AgentTraces {
    const traces = new AgentTraces();
    // A file that is committed is mostly in the working tree as well.
    const lines = new Set(texts.flatMap((text) => text.split('\n')).filter((line) => line.trim() !== ''));
    for (const line of lines) if (!traces.#add(line, null)) traces.unread++;
    return traces;
  }

  /** Takes the note of a commit, if it is a record or one a line; false where it is something else. */
  addNote(commit: string, note: string): boolean {
    if (!/^\s*\{/.test(note)) return false;
    const whole = this.#add(note, commit);
    return whole || note.split('\n').filter((line) => this.#add(line, commit)).length > 0;
  }

  /** What is known of a file's lines in a commit; null where nothing is. `path` as people read it. */
  rangesOf(commit: string, parents: readonly string[], path: string): readonly TracedRange[] | null {
    if (this.#ranges.size === 0) return null;
    for (const revision of [commit, ...parents]) {
      const ranges = this.#ranges.get(`${revision} ${path}`);
      if (ranges) return ranges;
    }
    return null;
  }

  #add(line: string, commit: string | null): boolean {
    const record = parse(line);
    const revision = record?.vcs?.type === 'git' ? record.vcs.revision : commit;
    if (!record || revision === null) return false;
    for (const { path, conversations } of record.files) {
      const key = `${revision} ${path}`;
      const ranges = this.#ranges.get(key) ?? [];
      for (const { contributor, ranges: told } of conversations) {
        for (const range of told) {
          const type = (range.contributor ?? contributor)?.type ?? 'unknown';
          if (type === 'unknown') continue;
          const origin = type === 'human' ? 'hand-made' : 'assistant-made';
          ranges.push({ first: range.start_line, last: range.end_line, origin });
        }
      }
      if (ranges.length > 0) this.#ranges.set(key, ranges);
    }
    return true;
  }
}

/** The origin of a line (from 1) by the latest record that speaks of it, or null. */
export function originByTrace(ranges: readonly TracedRange[], line: number): Origin | null {
  return ranges.findLast(({ first, last }) => first <= line && line <= last)?.origin ?? null;
}

function parse(line: string): TraceRecord | null {
  try {
    return TraceRecord.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** The records in the working tree of the repository at `directory`; empty where there is neither. */
export async function tracesInWorkingTree(directory: string): Promise<string> {
  try {
    const top = (await gitText(directory, ['rev-parse', '--show-toplevel'])).trim();
    const file = join(top, TRACE_RECORDS);
    const about = await lstat(file);
    // Neither a link out of the repository nor a pipe nobody writes to.
    return about.isFile() && about.size <= LARGEST_BYTES ? await readFile(file, 'utf8') : '';
  } catch {
    // A bare repository, or no records: both are the usual case.
    return '';
  }
}
