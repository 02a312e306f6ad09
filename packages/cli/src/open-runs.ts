import { join } from 'node:path';
import { type LedgerStore, openRunStore } from '@lathe/ledger';
import { openRepository, type Repository } from '@lathe/repository';

export interface OpenRuns {
  readonly repository: Repository;
  readonly store: LedgerStore;
}

/** Work with the repository one stands in and the record of its runs; both are closed afterwards. */
export async function withRuns<T>(directory: string, work: (open: OpenRuns) => Promise<T>): Promise<T> {
  const repository = await openRepository(directory);
  try {
    const store = await openRunStore(join(repository.location.latheDir, 'ledger.sqlite'));
    try {
      return await work({ repository, store });
    } finally {
      await store.close();
    }
  } finally {
    repository.close();
  }
}
