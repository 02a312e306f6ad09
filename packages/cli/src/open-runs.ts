import { type LedgerStore, openRunStore } from '@lathe/ledger';
import { openRepository, type Repository } from '@lathe/repository';
import { storeLocation } from './store-location.ts';

export interface OpenRuns {
  readonly repository: Repository;
  readonly store: LedgerStore;
}

/** Work with the repository one stands in and the record of its runs; both are closed afterwards. */
export async function withRuns<T>(
  directory: string,
  work: (open: OpenRuns) => Promise<T>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<T> {
  const repository = await openRepository(directory);
  try {
    const store = await openRunStore(await storeLocation(repository.location.latheDir, env));
    try {
      return await work({ repository, store });
    } finally {
      await store.close();
    }
  } finally {
    repository.close();
  }
}
