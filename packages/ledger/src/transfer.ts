import { Event, LatheError, type RunStore } from '@lathe/protocol';
import { z } from 'zod';
import type { StoredRun } from './run-store.ts';

/** The latest time a Date can hold. */
const LATEST_MS = 8.64e15;

/** One line of an export. Run ids become names of refs and folders, so that nothing else may stand in them. */
const ExportedEvent = z.object({
  schemaVersion: z.literal(1),
  runId: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,99}$/, 'not a run id'),
  /** Position in the run, from 0, without gaps. */
  seq: z.int().min(0),
  event: Event.refine(({ atMs }) => atMs >= 0 && atMs <= LATEST_MS, 'atMs is no date'),
});

/** Every event of every run as JSON Lines, oldest run first, each run's events in order. Lines end in a line feed. */
export async function* exportRuns(store: RunStore): AsyncGenerator<string, void, void> {
  for (const { runId } of (await store.list()).toReversed()) {
    for (const [seq, event] of (await store.read(runId)).entries()) {
      yield `${JSON.stringify({ schemaVersion: 1, runId, seq, event })}\n`;
    }
  }
}

/**
 * Reads an export whole. Blank lines are passed over; runs may be mixed, events of a run must be in order.
 *
 * @throws LATHE_LEDGER_LINE naming the first line that is not an exported event, or is out of order
 */
export async function readExport(lines: AsyncIterable<string>): Promise<StoredRun[]> {
  const runs = new Map<string, Event[]>();
  let number = 0;
  for await (const line of lines) {
    number += 1;
    if (line.trim() === '') continue;
    const parsed = ExportedEvent.safeParse(parseJson(line, number));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
      throw malformed(number, `expected an exported event, got something else${where}: ${issue?.message}`);
    }
    const { runId, seq, event } = parsed.data;
    const events = runs.get(runId) ?? [];
    if (seq !== events.length) {
      throw malformed(number, `expected event ${events.length} of run ${runId}, got event ${seq}`);
    }
    if (seq === 0 && event.type !== 'run-started') {
      throw malformed(number, `expected run ${runId} to begin with run-started, got ${event.type}`);
    }
    events.push(event);
    runs.set(runId, events);
  }
  return [...runs].map(([runId, events]) => ({ runId, events }));
}

function parseJson(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw malformed(number, `not JSON (${error instanceof Error ? error.message : error})`);
  }
}

function malformed(number: number, what: string): LatheError {
  return new LatheError('LATHE_LEDGER_LINE', `line ${number}: ${what}. Nothing was imported.`, {
    remedy: 'Export again with `lathe ledger export`, from a version of Lathe no newer than this one.',
  });
}
