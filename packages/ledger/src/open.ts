import type { LedgerStore } from './run-store.ts';

/** Whether a store's location is the URL of a PostgreSQL database; else it is the path of a file. */
export function isPostgresUrl(location: string): boolean {
  return /^postgres(ql)?:/.test(location);
}

/**
 * Opens the run store at a file path (SQLite) or a `postgres://` URL.
 *
 * @throws as `openSqliteStore` or `openPostgresStore`
 */
export async function openRunStore(location: string, options: { busyTimeoutMs?: number } = {}): Promise<LedgerStore> {
  if (isPostgresUrl(location)) {
    const { openPostgresStore } = await import('./postgres.ts');
    return openPostgresStore(location);
  }
  const { openSqliteStore } = await import('./sqlite.ts');
  return openSqliteStore(location, options.busyTimeoutMs);
}
