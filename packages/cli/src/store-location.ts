import { join } from 'node:path';

/**
 * Where runs are recorded: the PostgreSQL database LATHE_DATABASE_URL names, else a file in Lathe's folder of the
 * repository. The error's class is loaded only where it is needed: `lathe list` waits for this.
 */
export async function storeLocation(latheDir: string, env: NodeJS.ProcessEnv): Promise<string> {
  const url = env.LATHE_DATABASE_URL;
  if (url === undefined || url === '') return join(latheDir, 'ledger.sqlite');
  if (/^postgres(ql)?:\/\//.test(url)) return url;
  const { LatheError } = await import('@lathe/protocol');
  const scheme = /^\w+:/.exec(url)?.[0] ?? 'no scheme';
  throw new LatheError(
    'LATHE_USAGE_STORE',
    `LATHE_DATABASE_URL expects the address of a PostgreSQL database (postgres://…), got ${scheme}`,
    { remedy: 'unset it to record runs in a file of the repository' },
  );
}
