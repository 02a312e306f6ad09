import { Event, LatheError } from '@lathe/protocol';

/** An event as it was stored. Throws `LATHE_STORE_CORRUPT`. */
export function decode(runId: string, row: { seq: number; body: string }): Event {
  const parsed = Event.safeParse(parseJson(row.body));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new LatheError(
    'LATHE_STORE_CORRUPT',
    `Event ${row.seq} of run ${runId} cannot be read: ${issue === undefined ? 'unknown shape' : `${issue.path.join('.') || 'event'}: ${issue.message}`}.`,
    { remedy: 'If a newer Lathe wrote it, use that version. The candidates themselves are commits under refs/lathe/.' },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
