import type { LedgerStore } from './run-store.ts';

/**
 * Opens the run store at a file path (SQLite).
 *
 * @throws LATHE_USAGE_STORE for a `postgres:` URL, which this version cannot open; else as `openSqliteStore`.
 */
export async function openRunStore(location: string, options: { busyTimeoutMs?: number } = {}): Promise<LedgerStore> {
  if (/^postgres(ql)?:/.test(location)) {
    const { LatheError } = await import('@lathe/protocol');
    throw new LatheError('LATHE_USAGE_STORE', 'A PostgreSQL run store is not available in this version of Lathe.', {
      remedy: 'Name a file instead.',
    });
  }
  const { openSqliteStore } = await import('./sqlite.ts');
  return openSqliteStore(location, options.busyTimeoutMs);
}
