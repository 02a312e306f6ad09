import type { Copy } from './copy.ts';
import type { Launch, Supervision } from './supervise.ts';
import type { Limits } from './workspace.ts';

/** One way of running a command in a copy. */
export interface Runner {
  /** In words, for the record. */
  readonly isolation: string;
  /** `apart`: stderr is not laid into stdout. */
  prepare(copy: Copy, command: string, limits: Limits, apart: boolean): Promise<PreparedCommand>;
}

export interface PreparedCommand extends Pick<Supervision, 'kill' | 'sweep'> {
  readonly launch: Launch;
  /** False where the way itself failed before the command began; `status` is what came over descriptor 3. */
  readonly ran: (status: string) => boolean;
}
